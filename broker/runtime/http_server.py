"""
Serve an ASGI app until told to stop: TLS by configuration, loopback without it.
"""

import asyncio
import os
import socket
import ssl
from typing import Any

import uvicorn

from broker.domain.errors import ConfigurationError
from broker.runtime.loopback import is_loopback
from broker.runtime.settings import TlsSettings

GRACE_S = 5
"""How long open requests may take after the stop."""

BACKLOG = 2048
"""Connections that wait to be accepted."""


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process that runs it."""

    def install_signal_handlers(self) -> None:
        """Leave signals alone."""


async def serve(
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
        ConfigurationError: Plain HTTP was asked for beyond loopback, the certificate cannot be
            used, or the port is taken.
    """
    if tls is None and not is_loopback(host):
        raise ConfigurationError(
            f"a listener beyond loopback needs a certificate @ {host}:{port}: intake.tls, ops_tls or --certificate"
        )
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=http,
        log_config=None,
        lifespan="off",  # no app of ours has one, and breaking one off writes a traceback
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=str(tls.certificate_file) if tls else None,
        ssl_keyfile=str(tls.key_file) if tls else None,
        ssl_ca_certs=str(tls.client_ca_file) if tls and tls.client_ca_file else None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if tls and tls.client_ca_file else ssl.CERT_NONE,
    )
    server = Server(config)
    _load(config)
    server.lifespan = config.lifespan_class(config)
    listener = _listen(host, port)
    await server.startup(sockets=[listener])
    if started is not None and not started.done():
        started.set_result(listener.getsockname()[1])
    ticker = asyncio.create_task(server.main_loop())
    try:
        await stop.wait()
    finally:
        server.should_exit = True
        await ticker
        await server.shutdown(sockets=[listener])


def _load(config: uvicorn.Config) -> None:
    try:
        config.load()
    except OSError as error:  # which ssl.SSLError is as well
        said = getattr(error, "reason", None) or error.strerror
        raise ConfigurationError(
            f"the certificate cannot be used: {said} @ tls.certificate_file, tls.key_file"
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    # By ourselves: uvicorn exits and writes a line of its own when the port is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0
        # A name that nobody knows has a number below zero.
        said = os.strerror(number).lower() if number > 0 else "no such address"
        raise ConfigurationError(f"cannot listen: {said} @ {host}:{port}") from error
