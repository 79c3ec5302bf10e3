"""
`crisis-broker`: the command line.

Sub-commands import what they need when they run, so that `--help` is quick.
"""

import sys
from typing import Annotated

import typer
from rich.console import Console

from broker import __version__
from broker.commands import (
    agreements,
    deliver,
    demo,
    disclosures,
    doctor,
    kafka,
    keys,
    registry,
    run,
    schemas,
    setup,
    simulate,
    topics,
    up,
)
from broker.domain.errors import BrokerError, ConfigurationError

app = typer.Typer(
    name="crisis-broker",
    help="Carry crisis referrals between police and health: fast, lawful, and provable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `crisis-broker demo`. Exit codes: 0 fine, 1 failed, 2 wrong configuration or usage.",
)
app.add_typer(kafka.app, name="kafka")
app.add_typer(topics.app, name="topics")
app.add_typer(schemas.app, name="schemas")
app.add_typer(registry.app, name="registry")
app.add_typer(agreements.app, name="agreements")
app.add_typer(disclosures.app, name="disclosures")
app.add_typer(keys.app, name="keys")
app.add_typer(deliver.app, name="deliver")
app.command("setup")(setup.setup)
app.command("run")(run.run)
app.command("up")(up.up)
app.command("doctor")(doctor.doctor)
app.command("simulate")(simulate.simulate)
app.command("demo")(demo.demo)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; what goes wrong is one line that names place and rule."""
    try:
        app()
    except BrokerError as error:
        Console(stderr=True, highlight=False).print(f"[red]error:[/red] {error}", soft_wrap=True)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)


if __name__ == "__main__":
    main()
