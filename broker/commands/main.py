"""
`crisis-broker`: the command line.

Sub-commands import what they need when they run, so that `--help` is quick.
"""

import logging
import sys
from typing import Annotated, Final

import typer
from rich.console import Console

from broker import __version__
from broker.commands import (
    agreements,
    deliver,
    demo,
    disclosures,
    doctor,
    held,
    intake,
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

PROGRAM: Final = "crisis-broker"
FAILED: Final = 1
WRONG: Final = 2
INTERRUPTED: Final = 130

USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__bases__[0]
"""Typer brings a Click of its own from one version on: its classes are found by way of Typer's."""

BEGIN: Final = "Begin here"
RUN: Final = "Run a site"
LOOK: Final = "Look, and decide"

app = typer.Typer(
    name=PROGRAM,
    help="Carry crisis referrals between police and health: fast, lawful, and provable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Each command's --help has an example. Exit codes: 0 fine, 1 failed, 2 wrong configuration or usage.",
)
app.command("demo", rich_help_panel=BEGIN)(demo.demo)
app.command("setup", rich_help_panel=BEGIN)(setup.setup)
app.command("doctor", rich_help_panel=BEGIN)(doctor.doctor)
app.command("up", rich_help_panel=RUN)(up.up)
app.command("run", rich_help_panel=RUN)(run.run)
app.add_typer(kafka.app, name="kafka", rich_help_panel=RUN)
app.add_typer(topics.app, name="topics", rich_help_panel=RUN)
app.add_typer(intake.app, name="intake", rich_help_panel=RUN)
app.add_typer(keys.app, name="keys", rich_help_panel=RUN)
app.command("simulate", rich_help_panel=RUN)(simulate.simulate)
app.add_typer(agreements.app, name="agreements", rich_help_panel=LOOK)
app.add_typer(disclosures.app, name="disclosures", rich_help_panel=LOOK)
app.add_typer(held.app, name="held", rich_help_panel=LOOK)
app.add_typer(deliver.app, name="deliver", rich_help_panel=LOOK)
app.add_typer(schemas.app, name="schemas", rich_help_panel=LOOK)
app.add_typer(registry.app, name="registry", rich_help_panel=LOOK)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; what goes wrong is one line that names place and rule."""
    # Without a handler Python writes what libraries have to say to the terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code: int | None = app(standalone_mode=False, prog_name=PROGRAM)
    except USAGE_ERROR as error:
        return _explain(error)
    except BrokerError as error:
        _complain(str(error))
        return WRONG if isinstance(error, ConfigurationError) else FAILED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return code or 0


def _explain(error: Exception) -> int:
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
        return WRONG
    place = context.command_path if context else PROGRAM
    _complain(f"{message[:1].lower()}{message[1:].rstrip('.')} @ {place}; see `{place} --help`")
    return WRONG


def _complain(message: str) -> None:
    console = Console(stderr=True, highlight=False)
    console.print("error:", style="red", end=" ")
    console.print(message, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
