"""What can be wrong with how a recipient is reached, found before anything is sent to it."""

from collections.abc import Iterator

from broker.domain.errors import ConfigurationError
from broker.processes.deliver_agency import read_secret
from broker.runtime.loopback import check_address
from broker.runtime.parties import DeliverTo
from connectors.registry import BY_NAME


def endpoint_faults(party: str, to: DeliverTo) -> Iterator[str]:
    """Yield a sentence for each fault, with its place; never a secret."""
    place = f"{party}.deliver"
    spec = BY_NAME.get(to.connector)
    if spec is None or spec.translate_out is None:
        names = ", ".join(name for name, each in BY_NAME.items() if each.translate_out)
        yield f"no such connector that writes, there are {names} @ {place}.connector"
    if spec is not None and spec.needs_secret and to.secret_file is None:
        yield f"this connector signs and needs a secret @ {place}.secret_file"
    try:
        check_address(to.url, f"{place}.url")
    except ConfigurationError as error:
        yield str(error)
    for name in ("secret_file", "intake_key_file", "bearer_file"):
        try:
            read_secret(getattr(to, name), f"{place}.{name}")
        except ConfigurationError as error:
            yield str(error)
    for name in ("ca_file", "certificate_file", "key_file"):
        path = getattr(to, name)
        if path is not None and not path.is_file():
            yield f"no such file @ {place}.{name}"
