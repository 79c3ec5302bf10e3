"""`crisis-broker demo`: the whole line on one machine, played and shown."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End by itself; exit 0 if all is well.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once: print one JSON document and nothing else.")
    ] = False,
    kafka: Annotated[bool, typer.Option("--kafka", help="On Kafka, or not at all.")] = False,
    memory: Annotated[bool, typer.Option("--memory", help="On a log in memory.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Use this empty folder and leave it behind.", metavar="DIR")
    ] = None,
    show: Annotated[int, typer.Option(help="Scenario to show field by field.", metavar="N")] = 6,
    only: Annotated[
        list[int] | None,
        typer.Option(help="Play only this scenario; may be repeated.", metavar="N"),
    ] = None,
) -> None:
    """
    Set everything up, play the ten scenarios, show who got what, and stay up until Ctrl-C.

    Everybody in it is invented. Without Kafka on this machine it goes on with a log in memory and
    says so; --kafka forbids that.

    Example: crisis-broker demo --once
    """
    from broker.simulation.run_demo import run_demo
    from broker.simulation.scenarios import load_scenarios

    if kafka and memory:
        raise typer.BadParameter("--kafka and --memory exclude each other")
    if as_json and not once:
        raise typer.BadParameter("--json needs --once")
    numbers = [each.number for each in load_scenarios()]
    if not set(only or ()) <= set(numbers):
        raise typer.BadParameter(f"there are {numbers[0]} to {numbers[-1]}", param_hint="--only")
    log = "kafka" if kafka else "memory" if memory else ""
    raise typer.Exit(
        run_demo(
            log=log, keep=keep, once=once, as_json=as_json, chosen=show, only=tuple(only or ())
        )
    )
