"""`crisis-broker held`: what has not been released, and what it waits for."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from broker.processes.held import HeldRoute

app = typer.Typer(help="See what has not been released to whom, and why.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    # A group of one command stays a group: `held list` is what people type from the start.
    pass


@app.command("list")
def list_() -> None:
    """
    List what is held, oldest first, without any content; exit 1 if anything waits.

    A route that waits for a named person's decision cannot be decided here yet: hand the referral
    over by phone, and keep to the recipient's own safeguarding procedure.

    Example: crisis-broker held list
    """
    from broker.processes.held import held_routes
    from broker.runtime.clock import utc_now
    from broker.runtime.settings import load_settings

    found = asyncio.run(held_routes(load_settings()))
    if not found:
        typer.echo("nothing is held")
        return
    now = utc_now()
    console = Console(highlight=False)
    console.print(_table(found, [age(now - each.since) for each in found]))
    for reason, waits_for in sorted({each.reason: each.waits_for for each in found}.items()):
        console.print(f"{reason}: waits for {waits_for}" if waits_for else reason, markup=False)
    raise typer.Exit(1)


def age(length: timedelta) -> str:
    """
    Return how long ago, in its two largest units.

    >>> age(timedelta(days=3, hours=4, minutes=5)), age(timedelta(minutes=7, seconds=9))
    ('3 d 4 h', '0 h 7 min')
    """
    hours, minutes = divmod(int(length.total_seconds()) // 60, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes} min"


def _table(found: "Sequence[HeldRoute]", ages: Sequence[str]) -> Table:
    table = Table(
        Column("Age", no_wrap=True),
        "Recipient",
        "Purpose",
        Column("Reason", no_wrap=True),
        Column("Referral", no_wrap=True),
        "Event",
        title=f"{len(found)} held",
        title_justify="left",
    )
    for each, old in zip(found, ages, strict=True):
        row = (old, each.recipient, each.purpose, each.reason, each.referral_id, each.event_type)
        table.add_row(*map(Text, row))
    return table
