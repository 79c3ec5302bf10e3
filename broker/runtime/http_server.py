"""
Serve an ASGI app until told to stop: TLS by configuration, loopback without it.
"""

import asyncio
import ipaddress
import ssl
from typing import Any

import uvicorn

from broker.domain.errors import ConfigurationError
from broker.runtime.settings import TlsSettings

GRACE_S = 5
"""How long open requests may take after the stop."""


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process that runs it."""

    def install_signal_handlers(self) -> None:
        """Leave signals alone."""


async def serve(  # noqa: PLR0913 - one listener is these six things
    app: Any,
    *,
    host: str,
    port: int,
    tls: TlsSettings | None,
    stop: asyncio.Event,
    started: asyncio.Future[int] | None = None,
    http: Any = "httptools",
) -> None:
    """
    Serve *app* until *stop* is set; open requests get `GRACE_S` to finish.

    Args:
        app: ASGI application.
        host: Address; anything but loopback needs *tls*.
        port: 0 picks a free one.
        tls: Certificate and key; None serves plain HTTP on loopback.
        stop: Ends the server.
        started: Receives the port once it accepts connections.
        http: Protocol class, for those that need the peer's certificate.

    Raises:
        ConfigurationError: Plain HTTP was asked for beyond loopback, or the port is taken.
    """
    if tls is None and not is_loopback(host):
        raise ConfigurationError("a listener beyond loopback needs a certificate @ tls")
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=http,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=str(tls.certificate_file) if tls else None,
        ssl_keyfile=str(tls.key_file) if tls else None,
        ssl_ca_certs=str(tls.client_ca_file) if tls and tls.client_ca_file else None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if tls and tls.client_ca_file else ssl.CERT_NONE,
    )
    server = Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    try:
        await server.startup()
    except SystemExit as error:  # uvicorn exits when the port is taken
        raise ConfigurationError(f"the port cannot be bound @ {host}:{port}") from error
    if started is not None and not started.done():
        started.set_result(server.servers[0].sockets[0].getsockname()[1])
    ticker = asyncio.create_task(server.main_loop())
    try:
        await stop.wait()
    finally:
        server.should_exit = True
        await ticker
        await server.shutdown()


def is_loopback(host: str) -> bool:
    """Whether *host* can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
