"""`crisis-broker doctor`: what is wrong with this installation, and the fix."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table


def doctor(
    offline: Annotated[bool, typer.Option(help="Leave out what needs Kafka.")] = False,
) -> None:
    """
    Check this installation and say how to mend what is wrong; exit 1 if anything is.

    Never prints a secret, only whether it is there and who may read it.

    Example: crisis-broker doctor
    """
    from broker.processes.checkup import Status, check_all

    table = Table("check", "result", "fix", title="crisis-broker doctor", show_lines=False)
    style = {Status.FINE: "green", Status.WARNING: "yellow", Status.WRONG: "red"}
    results = check_all(offline=offline)
    for result in results:
        table.add_row(
            result.name, f"[{style[result.status]}]{result.status}[/]: {result.found}", result.fix
        )
    Console().print(table)
    if any(result.status is Status.WRONG for result in results):
        raise typer.Exit(1)
