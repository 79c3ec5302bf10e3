"""`crisis-broker doctor`: what is wrong with this installation, and the fix."""

from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

if TYPE_CHECKING:
    from broker.processes.checkup import Result

STYLES: Final = {"fine": "green", "warning": "yellow", "wrong": "red"}
WIDTH: Final = 8


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what needs Kafka.")] = False,
) -> None:
    """
    Check this installation and say how to mend what is wrong; exit 1 if anything is.

    Never prints a secret, only whether it is there and who may read it.

    Example: crisis-broker doctor --offline
    """
    from broker.processes.checkup import Status, check_all

    console = Console(highlight=False, markup=False)
    results = check_all(offline=offline)
    for result in results:
        _show(console, result)
    counts = {status: sum(each.status is status for each in results) for status in Status}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))
    if counts[Status.WRONG]:
        raise typer.Exit(1)


def _show(console: Console, result: "Result") -> None:
    # Never wrapped, never cut: a fix is there to be copied.
    console.print(f"{result.status:{WIDTH}}", style=STYLES[result.status], end="")
    console.print(f" {result.name}: {result.found}", soft_wrap=True)
    if result.fix:
        console.print(f"{'':{WIDTH}}   fix: {result.fix}", soft_wrap=True)
