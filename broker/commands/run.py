"""`crisis-broker run`: one process in the foreground."""

import sys
from typing import Annotated

import typer


def run(
    process: Annotated[str, typer.Argument(help="intake, release or deliver", metavar="PROCESS")],
    recipient: Annotated[
        str | None, typer.Option(help="For deliver: the party whose lanes it serves.")
    ] = None,
) -> None:
    """
    Run one process until Ctrl-C or SIGTERM.

    Settings come from CRISIS_* variables and crisis-broker.toml; logs go to standard error as
    JSON lines; /metrics, /healthz and /readyz answer on the ops port.

    Example: crisis-broker run deliver --recipient northvale-crisis
    """
    from broker.processes.run import main
    from broker.runtime.settings import PORTS, load_settings

    if process not in PORTS:
        raise typer.BadParameter(f"there are {', '.join(PORTS)}", param_hint="PROCESS")
    settings = load_settings(**({"recipient": recipient} if recipient else {}))
    if process == "deliver" and not settings.recipient:
        raise typer.BadParameter("deliver needs it", param_hint="--recipient")
    sys.exit(main(process, settings))
