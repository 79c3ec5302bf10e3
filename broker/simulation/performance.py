"""
Plays the scenarios and shows, while they run, one entry per referral with its holder and clock.

On a terminal the entries are rewritten in place; in a pipe each is printed when a team has answered
and again when it ends otherwise than it was answered.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.live import Live

from broker.domain.lifecycle import Stage
from broker.runtime.clock import utc_now
from broker.simulation.chronicle import Case, Chronicle
from broker.simulation.lines import case_lines
from broker.simulation.play import Played, Player
from broker.simulation.progress import Progress
from broker.simulation.scenarios import Scenario
from broker.simulation.screen import NARROW, board
from broker.simulation.witness import Witness

PER_SECOND: Final = 5
LINES_EACH: Final = 2
LINES_EACH_NARROW: Final = 3
"""Most lines a referral takes; only the newest that fit are rewritten in place."""

TOLD: Final = frozenset(
    {Stage.ACCEPTED, Stage.DECLINED, Stage.CLOSED, Stage.TAKEN_BACK, Stage.WITHDRAWN}
)


@dataclass(slots=True, kw_only=True)
class Performance:
    """
    What has been played.

    Attributes:
        titles: Of the scenarios, by referral id.
        told: Stage that has been printed, by referral id.
        first_acceptance_s: From the start of the command to the first acceptance by a team.
    """

    played: list[Played]
    chronicle: Chronicle
    first_acceptance_s: float | None = None
    titles: dict[str, str] = field(default_factory=dict)
    told: dict[str, Stage] = field(default_factory=dict)


async def watch_and_play(
    witness: Witness,
    player: Player,
    scenarios: Sequence[Scenario],
    console: Console,
    without_kafka: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]] | str,
    progress: Progress,
) -> Performance:
    """Play *scenarios* and show them; returns once everything has reached its agency."""
    performance = Performance(played=player.played, chronicle=witness.chronicle)
    console.print()
    with _screen(console, performance) as shown:
        telling = asyncio.create_task(_tell(console, performance, witness, progress, shown))
        try:
            await player.play_all(scenarios, without_kafka=without_kafka)
        finally:
            telling.cancel()
            await asyncio.wait({telling})
            _look(console, performance, progress, shown)
    console.print()
    return performance


def shows_live(console: Console) -> bool:
    """Whether a person is looking at a terminal: then entries may be rewritten in place."""
    return sys.stdout.isatty() and not console.stderr


def _screen(console: Console, performance: Performance) -> AbstractContextManager[Any]:
    if not shows_live(console):
        return nullcontext()

    def render() -> RenderableType:
        each = LINES_EACH if console.width >= NARROW else LINES_EACH_NARROW
        newest = max(1, (console.height - 2) // each)
        return board(
            performance.chronicle,
            performance.titles,
            now=utc_now(),
            width=console.width,
            newest=newest,
        )

    return Live(
        console=console,
        get_renderable=render,
        refresh_per_second=PER_SECOND,
        vertical_overflow="crop",
        transient=True,
    )


async def _tell(
    console: Console,
    performance: Performance,
    witness: Witness,
    progress: Progress,
    shown: Any,
) -> None:
    while True:
        witness.changed.clear()
        _look(console, performance, progress, shown)
        await witness.changed.wait()


def _look(
    console: Console,
    performance: Performance,
    progress: Progress,
    shown: Any,
) -> None:
    performance.titles.update(
        {
            each.referral_id: f"{each.scenario.number} {each.scenario.title}"
            for each in performance.played
        }
    )
    for case in list(performance.chronicle.cases.values()):
        if case.state is None:
            continue
        if case.state.accepted_at and performance.first_acceptance_s is None:
            performance.first_acceptance_s = round(progress.elapsed_s(), 2)
        if (
            shown is None
            and case.state.stage in TOLD
            and performance.told.get(case.referral_id) != case.state.stage
        ):
            performance.told[case.referral_id] = case.state.stage
            _print(console, performance, case)


def _print(console: Console, performance: Performance, case: Case) -> None:
    title = performance.titles.get(case.referral_id, "")
    disclosures = performance.chronicle.disclosures_of(case.referral_id)
    console.print(case_lines(case, title, disclosures, now=utc_now(), width=console.width))
