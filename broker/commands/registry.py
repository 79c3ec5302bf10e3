"""`crisis-broker registry`: serve the schemas to any Kafka tool."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from broker.runtime.settings import TlsSettings

app = typer.Typer(
    help="Serve the schemas, so that any Kafka tool can decode what moves.", no_args_is_help=True
)

DEFAULT_PORT = 8081


@app.callback()
def _group() -> None:
    """Keep `serve` a sub-command: a Typer app with one command would swallow its name."""


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(help="0 picks a free port.", min=0, max=65535)
    ] = DEFAULT_PORT,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Folder of the registry; by default that of this installation."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Beyond loopback a certificate is needed.")
    ] = "127.0.0.1",
    certificate: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
) -> None:
    """
    Serve the read API of a schema registry until stopped; it changes nothing.

    A kcat that was built with Avro then decodes what moves, when it is told -s value=avro and
    -r http://127.0.0.1:8081.

    Example: crisis-broker registry serve --port 0
    """
    asyncio.run(_serve(folder, host, port, certificate, key))


async def _serve(
    folder: Path | None, host: str, port: int, certificate: Path | None, key: Path | None
) -> None:
    from broker.runtime.http_server import serve as serve_app
    from broker.runtime.registry_folder import RegistryFolder
    from broker.runtime.registry_server import create_app

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    tls = _tls(certificate, key)
    scheme = "https" if tls else "http"
    started.add_done_callback(lambda bound: _announce(scheme, host, bound))
    await serve_app(
        create_app(RegistryFolder(folder or _installed_folder())),
        host=host,
        port=port,
        tls=tls,
        stop=stop,
        started=started,
    )


def _announce(scheme: str, host: str, bound: asyncio.Future[int]) -> None:
    if bound.cancelled():
        return
    typer.echo(f"schemas at {scheme}://{host}:{bound.result()} (read-only); stop with ctrl-c")


def _installed_folder() -> Path:
    from broker.runtime.registry import FOLDER
    from broker.runtime.settings import load_settings

    return load_settings().state_dir / FOLDER


def _tls(certificate: Path | None, key: Path | None) -> "TlsSettings | None":
    from broker.domain.errors import ConfigurationError
    from broker.runtime.settings import TlsSettings

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigurationError("a certificate needs its key @ --certificate, --key")
    return TlsSettings(certificate_file=certificate, key_file=key)
