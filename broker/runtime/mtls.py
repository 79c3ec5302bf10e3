"""
Client certificates: the verified names of the caller, put where an ASGI app finds them.

TLS itself has checked the certificate against the configured authority; here it only gets its names
from the connection into the request. A name is worth what its authority is worth: whoever can get a
certificate from it with a party's name in it is that party. So `client_ca_file` names an authority
that is private to the site and signs for nobody else, never a public or an organisation-wide one.
"""

import ssl
from asyncio import BaseTransport
from collections.abc import Iterator, Mapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SCOPE_KEY: Final = "crisis.peer_names"


class PeerCertificateProtocol(HttpToolsProtocol):
    """HTTP/1.1 that tells the app the names in the caller's certificate."""

    peer_names: frozenset[str] = frozenset()

    def connection_made(self, transport: BaseTransport) -> None:
        """Take the names once for each connection."""
        super().connection_made(transport)  # type: ignore[arg-type]
        secured = transport.get_extra_info("ssl_object")
        if isinstance(secured, (ssl.SSLObject, ssl.SSLSocket)):
            self.peer_names = frozenset(names_of(secured.getpeercert() or {}))

    def on_message_begin(self) -> None:
        """Add the names to the scope of every request."""
        super().on_message_begin()
        self.scope["extensions"] = {SCOPE_KEY: {"names": self.peer_names}}


def peer_names(scope: Mapping[str, Any]) -> frozenset[str]:
    """
    Return the names in the caller's certificate; empty without one.

    They are proved only by the authority of `client_ca_file`, which must be private to the site.
    """
    found: frozenset[str] = scope.get("extensions", {}).get(SCOPE_KEY, {}).get("names", frozenset())
    return found


def names_of(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield common names, DNS names and URIs of a certificate as `ssl` shows it."""
    for relative_name in certificate.get("subject", ()):
        yield from (value for kind, value in relative_name if kind == "commonName")
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in {"DNS", "URI"}:
            yield value
