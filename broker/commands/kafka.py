"""`crisis-broker kafka`: one real Apache Kafka on this machine."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from broker.runtime.local_kafka import LocalKafka

app = typer.Typer(
    help="Start, find and stop an Apache Kafka on this machine.", no_args_is_help=True
)

ELSEWHERE = "KAFKA_BOOTSTRAP_SERVERS"
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Its folder; default: kafka in the state folder."),
]


@app.command("up")
def up(
    port: Annotated[
        int | None, typer.Option(help="Default: that of the last run, else any free one.")
    ] = None,
    data: Data = None,
    authorizer: Annotated[
        bool, typer.Option("--authorizer", help="Also open a port where users are bound by ACLs.")
    ] = False,
    provision: Annotated[
        bool, typer.Option(help="Also make topics and register view schemas.")
    ] = True,
) -> None:
    """
    Start Kafka, wait until it serves, and print its address; keep it if it runs already.

    The first start fetches Kafka from Maven Central. It listens on 127.0.0.1 only and runs until
    `kafka down`. With KAFKA_BOOTSTRAP_SERVERS set, that cluster is used and nothing is started.

    Example: crisis-broker kafka up --port 9092
    """
    if bootstrap := os.environ.get(ELSEWHERE):
        _console().print(f"using {ELSEWHERE}; nothing was started")
    else:
        kafka = _start(data or _default_folder(), port, authorizer=authorizer)
        bootstrap = kafka.bootstrap
        _console().print(f"Kafka serves, pid {kafka.pid}, data in {kafka.data_dir}")
    typer.echo(bootstrap)
    if provision:
        _provision(bootstrap)


@app.command("down")
def down(data: Data = None) -> None:
    """
    Stop the Kafka that `kafka up` started; its data stays.

    Example: crisis-broker kafka down
    """
    from broker.runtime import local_kafka

    if os.environ.get(ELSEWHERE):
        _console().print(f"{ELSEWHERE} is set; nothing was stopped")
        return
    stopped = local_kafka.down(data or _default_folder())
    _console().print("Kafka has stopped" if stopped else "no Kafka was running")


@app.command("status")
def status(data: Data = None) -> None:
    """
    Print the address of the Kafka in use; exit 1 if it does not serve.

    Example: crisis-broker kafka status
    """
    import asyncio

    from broker.runtime import local_kafka
    from broker.runtime.kafka_admin import is_serving

    bootstrap = os.environ.get(ELSEWHERE)
    if not bootstrap:
        kafka = local_kafka.status(data or _default_folder())
        if kafka is None:
            _console().print("no Kafka is running; start it with: crisis-broker kafka up")
            raise typer.Exit(1)
        bootstrap = kafka.bootstrap
        _console().print(f"pid {kafka.pid}, data in {kafka.data_dir}")
    typer.echo(bootstrap)
    if not asyncio.run(is_serving(bootstrap, timeout_s=5.0)):
        _console().print("it does not serve")
        raise typer.Exit(1)


def _start(folder: Path, port: int | None, *, authorizer: bool) -> "LocalKafka":
    from broker.runtime import local_kafka
    from broker.runtime.local_kafka_jars import find_java, resolve_jars
    from broker.simulation.progress import Progress

    if local_kafka.status(folder):
        return local_kafka.up(folder, port, authorizer=authorizer)
    find_java()
    resolve_jars()  # first, so that its progress has a line of its own
    with Progress(_console()).step("starting Apache Kafka"):
        return local_kafka.up(folder, port, authorizer=authorizer)


def _provision(bootstrap: str) -> None:
    import asyncio

    from broker.processes.provisioning import provision_all
    from broker.runtime.settings import load_settings
    from broker.simulation.progress import Progress

    settings = load_settings(bootstrap_servers=bootstrap)
    with Progress(_console()).step("making topics, registering schemas"):
        changes = asyncio.run(provision_all(settings))
    for line in changes or ["nothing to change"]:
        _console().print(line)


def _default_folder() -> Path:
    from broker.runtime.settings import load_settings

    return load_settings().state_dir / "kafka"


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)
