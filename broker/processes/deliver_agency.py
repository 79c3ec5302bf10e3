"""One agency's system: a connector, its target, and the HTTP connection to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from broker.domain.errors import ConfigurationError
from broker.runtime.http_client import ClientTls, HttpClient
from broker.runtime.parties import DeliverTo
from connectors.contract import (
    ConnectorSpec,
    ReadResponse,
    Response,
    Target,
    TranslateOut,
    Verdict,
    View,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What the agency said.

    Attributes:
        verdict: What it means for the view.
        is_repeat: Whether the agency had the view already.
        retry_after: The header of this name, if any.
    """

    verdict: Verdict
    is_repeat: bool = False
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """
    Sends views to one agency.

    Attributes:
        client: Its connection.
        target: Its end, as configured; holds the signing key.
        headers: Sent with every request: our token for the agency, where it wants one.
    """

    client: HttpClient
    target: Target
    translate_out: TranslateOut
    read_response: ReadResponse
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def send(self, view: View, *, now: datetime, request_id: str) -> Answer:
        """
        Translate and send one view, and judge the answer.

        Raises:
            InputError: The connector cannot express this view.
            TransportError: It certainly never arrived.
            OutcomeUnknownError: It may have arrived; send it again with the same id.
        """
        request = self.translate_out(view, self.target, now=now, request_id=request_id)
        got = await self.client.exchange(
            request.method,
            request.path,
            headers={**request.headers, **self.headers},
            body=request.body,
        )
        response = Response(status=got.status, headers=got.headers, body=got.body)
        verdict = self.read_response(response, request_id=request_id)
        return Answer(
            verdict=verdict,
            is_repeat=verdict is Verdict.DELIVERED and got.status == 409,
            retry_after=got.headers.get("retry-after"),
        )


def open_agency(
    recipient: str, to: DeliverTo, spec: ConnectorSpec, *, timeout_s: float, connections: int
) -> Agency:
    """
    Prepare the connection to an agency; nothing is sent yet.

    Raises:
        ConfigurationError: The connector cannot write, a file named is missing, or what would go
            out is not signed or not encrypted.
    """
    place = f"{recipient}.deliver"
    if spec.translate_out is None or spec.read_response is None:
        raise ConfigurationError(f"connector `{spec.name}` does not write @ {place}")
    target = Target(
        recipient=recipient,
        address=to.address,
        sender_address=to.sender_address,
        secret=read_secret(to.secret_file, f"{place}.secret_file"),
        key_id=to.key_id,
    )
    if spec.needs_secret and not target.secret:
        raise ConfigurationError(f"this connector signs and needs a secret @ {place}.secret_file")
    return Agency(
        client=HttpClient(
            to.url,
            timeout_s=timeout_s,
            max_connections=connections,
            tls=_tls(to, place),
            place=f"{place}.url",
        ),
        target=target,
        translate_out=spec.translate_out,
        read_response=spec.read_response,
        headers=_headers(read_secret(to.bearer_file, f"{place}.bearer_file")),
    )


def _tls(to: DeliverTo, place: str) -> ClientTls:
    if bool(to.certificate_file) != bool(to.key_file):
        raise ConfigurationError(f"a certificate needs its key @ {place}.certificate_file")
    return ClientTls(ca_file=to.ca_file, cert_file=to.certificate_file, key_file=to.key_file)


def _headers(bearer: bytes) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {bearer.decode('ascii', 'replace')}"} if bearer else {}


def read_secret(path: Path | None, place: str) -> bytes:
    """Read a secret from its file, without the line end; no file gives an empty one."""
    if path is None:
        return b""
    try:
        found = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"secret file cannot be read @ {place}") from error
    if not found:
        raise ConfigurationError(f"secret file is empty @ {place}")
    return found
