"""Runs the demo from the command line: consoles, signals, exit code."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from broker.simulation.demo import Options, Running, perform
from broker.simulation.evidence import Evidence
from broker.simulation.performance import Performance
from broker.simulation.show import show_run, stay_up, write_json

PIPE_WIDTH: Final = 120
INTERRUPTED: Final = 130


def run_demo(
    *, log: str, keep: Path | None, once: bool, as_json: bool, chosen: int, only: tuple[int, ...]
) -> int:
    """
    Run the demo and return the exit code.

    0: every referral was settled by a team, in = out, and everybody saw what they must and no more.
    1: something of that is not so. 130: interrupted before it could be told.
    """
    console = _console(to_stderr=as_json)
    options = Options(log=log, keep=keep, scenarios=only)
    told: list[bool] = []

    async def show(running: Running, performance: Performance, evidence: Evidence) -> None:
        told.append(evidence.ok)
        if as_json:
            write_json(running, performance, evidence)
        else:
            show_run(console, running, performance, evidence, chosen)
        if not once:
            await stay_up(console, running)

    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(_interruptible(options, console, show))
    console.print("everything is stopped", style="dim")
    if not told:
        return INTERRUPTED
    return 0 if told[0] else 1


async def _interruptible(options: Options, console: Console, show: object) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    await perform(options, console, show=show)  # type: ignore[arg-type]


def _console(*, to_stderr: bool) -> Console:
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(stderr=to_stderr, width=width, highlight=False)
