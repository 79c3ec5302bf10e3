"""
HTTP towards agencies and towards our own intake; the one home of httpx.

Nothing is retried here: `broker.runtime.retry` decides when to try again.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import httpx

from broker.domain.errors import ConfigurationError, OutcomeUnknownError, TransportError
from broker.runtime.loopback import check_address

MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
"""Longer answers are cut: no partner may fill our memory. The schema of a view needs a tenth."""

# httpx writes every URL at INFO, httpcore every header at DEBUG: both may hold an agency's secrets.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """
    How we show who we are, and whom we trust.

    Attributes:
        ca_file: Certificates we trust; None means those of the system.
        cert_file: Our client certificate (mutual TLS), with `key_file`.
        key_file: Its private key.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class HttpClient:
    """
    Talk to one HTTP server, with one deadline for each whole exchange.

    Redirects are not followed and proxies of the environment are ignored: a referral goes where
    the configuration says, or nowhere. Beyond this machine it goes by TLS.

    Args:
        base_url: Where paths are appended to; an empty path means exactly this address.
        timeout_s: Deadline of one exchange, from connecting to the last byte of the answer.
        max_connections: Bound on connections; more callers wait within their deadline.
        tls: None uses the system's trust and shows no certificate.
        place: The setting that the address came from, for messages.

    Raises:
        ConfigurationError: The address has no TLS beyond loopback, or files of *tls* are unusable.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 10.0,
        max_connections: int = 32,
        tls: ClientTls | None = None,
        place: str = "url",
    ) -> None:
        check_address(base_url, place)
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s),
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=max_connections
            ),
            verify=_trust(tls) if base_url.lower().startswith("https") else True,
            follow_redirects=False,
            trust_env=False,
        )

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> HttpAnswer:
        """
        Send one request and read its answer.

        Raises:
            TransportError: It certainly never reached the server.
            OutcomeUnknownError: It may have been processed; send the same bytes again.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(method, path, headers or {}, body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TransportError("server not reached") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            raise OutcomeUnknownError("no answer within the deadline") from error

    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> HttpAnswer:
        url = f"{self._base_url.rstrip('/')}{path}" if path else self._base_url
        async with self._client.stream(method, url, headers=headers, content=body) as response:
            received = bytearray()
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) >= MAX_ANSWER_BYTES:
                    break
            return HttpAnswer(
                status=response.status_code,
                headers=dict(response.headers),
                body=bytes(received[:MAX_ANSWER_BYTES]),
            )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _trust(tls: ClientTls | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=str(tls.ca_file) if tls and tls.ca_file else None
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls and tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("TLS files of the client cannot be used") from error
    return context
