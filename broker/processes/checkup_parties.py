"""What can be wrong with how a recipient is reached, found before anything is sent to it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from broker.domain.errors import ConfigurationError
from broker.processes.deliver_agency import read_secret
from broker.runtime.parties import DeliverTo
from connectors.registry import BY_NAME


def endpoint_faults(party: str, to: DeliverTo) -> Iterator[str]:
    """Yield a sentence for each fault, with its place; never a secret."""
    place = f"{party}.deliver"
    spec = BY_NAME.get(to.connector)
    if spec is None or spec.translate_out is None:
        names = ", ".join(name for name, each in BY_NAME.items() if each.translate_out)
        yield f"no such connector that writes, there are {names} @ {place}.connector"
    address = urlsplit(to.url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        yield f"not an http or https address @ {place}.url"
    for name in ("secret_file", "intake_key_file"):
        try:
            read_secret(getattr(to, name), f"{place}.{name}")
        except ConfigurationError as error:
            yield str(error)
    if to.ca_file is not None and not to.ca_file.is_file():
        yield f"no such file @ {place}.ca_file"
