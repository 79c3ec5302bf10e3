"""
The demo: a whole installation in a fresh folder, the ten scenarios on it, and what became of them.

Everything it starts it also stops, whatever happens in between.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import ConfigurationError
from broker.runtime import local_kafka, logs
from broker.runtime.local_kafka_jars import kafka_version
from broker.runtime.registry import open_registry
from broker.simulation.evidence import Evidence, gather
from broker.simulation.fleet import Fleet, MemoryFleet, ProcessFleet
from broker.simulation.performance import Performance, watch_and_play
from broker.simulation.play import Player
from broker.simulation.progress import Progress
from broker.simulation.scenarios import Scenario, load_scenarios
from broker.simulation.screen import show_banner
from broker.simulation.stage import Stage, set_the_stage, write_parties
from broker.simulation.standins import Standins
from broker.simulation.witness import Witness

PARTITIONS: Final = 12
OWN_NAMESPACE: Final = "crisis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    How the demo is run.

    Attributes:
        log: ``kafka``, ``memory``, or empty: Kafka, and memory where there can be none.
        keep: Folder to use and to leave behind; None takes a temporary one and removes it.
        scenarios: Numbers to play; empty plays all.
    """

    log: str = ""
    keep: Path | None = None
    scenarios: tuple[int, ...] = ()


@dataclass(slots=True, kw_only=True)
class Running:
    """Everything that is up while the demo runs."""

    stage: Stage
    fleet: Fleet
    standins: Standins
    witness: Witness
    log_name: str
    owns_kafka: bool


async def perform(
    options: Options,
    console: Console,
    *,
    show: Callable[[Running, Performance, Evidence], Awaitable[None]],
) -> bool:
    """
    Set up, play, gather the evidence and hand it to *show* while everything is still up.

    Returns:
        Whether every referral was settled by a team, in = out, and everybody saw what they must.
    """
    chosen = _chosen(options.scenarios)
    progress = Progress(console)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_folder(options.keep))
        running = await stack.enter_async_context(_running(options, folder, console, progress))
        player = Player(
            running.standins, running.witness, running.stage.settings.secret(), secrets.token_hex(4)
        )
        performance = await watch_and_play(
            running.witness, player, chosen, console, _kafka_breaker(running, console), progress
        )
        with progress.step("counting what went in against what came out"):
            evidence = await gather(
                running.stage,
                running.fleet,
                running.standins,
                performance,
                [each.number for each in chosen],
            )
        await show(running, performance, evidence)
    return evidence.ok


def _chosen(numbers: tuple[int, ...]) -> list[Scenario]:
    known = {each.number: each for each in load_scenarios()}
    if any(number not in known for number in numbers):
        raise ConfigurationError("there is no such scenario @ --only")
    return [each for each in known.values() if not numbers or each.number in numbers]


@asynccontextmanager
async def _running(
    options: Options, folder: Path, console: Console, progress: Progress
) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        bootstrap, namespace, name = await _choose_log(options, folder, console, progress, stack)
        with progress.step("making secrets, keys, agreements and settings"):
            stage = set_the_stage(
                folder, bootstrap=bootstrap, namespace=namespace, partitions=PARTITIONS
            )
        _log_to_file(stage)
        standins = Standins(stage)
        stack.push_async_callback(standins.aclose)
        with progress.step("starting the stand-in agencies"):
            await standins.start()
            write_parties(stage, standins.addresses())
        fleet: Fleet = ProcessFleet(stage) if bootstrap else MemoryFleet(stage)
        stack.push_async_callback(fleet.aclose)
        with progress.step("starting intake, release and one deliver per recipient"):
            await fleet.start()
        witness = _witness(stage, fleet)
        await stack.enter_async_context(_following(witness))
        yield Running(
            stage=stage,
            fleet=fleet,
            standins=standins,
            witness=witness,
            log_name=name,
            owns_kafka=bool(bootstrap) and (folder / "kafka").is_dir(),
        )


async def _choose_log(
    options: Options,
    folder: Path,
    console: Console,
    progress: Progress,
    stack: AsyncExitStack,
) -> tuple[str, str, str]:
    """Return bootstrap servers (empty: memory), namespace, and what it is called."""
    if options.log == "memory":
        return "", OWN_NAMESPACE, "memory"
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return given, f"demo-{secrets.token_hex(4)}", "Kafka of KAFKA_BOOTSTRAP_SERVERS"
    name = f"Apache Kafka {kafka_version()}"
    stack.push_async_callback(asyncio.to_thread, local_kafka.down, folder / "kafka")
    try:
        with progress.step(f"starting {name}"):
            kafka = await asyncio.to_thread(local_kafka.up, folder / "kafka")
    except ConfigurationError as error:
        if options.log == "kafka":
            raise
        show_banner(
            console,
            f"There is no Kafka on this machine: {error}\n"
            "The demo goes on with a log in memory: same order and transactions, one process, and"
            " nothing survives its end.",
        )
        return "", OWN_NAMESPACE, "memory"
    return kafka.bootstrap, OWN_NAMESPACE, name


def _log_to_file(stage: Stage) -> None:
    # Kept open for the process's life: whoever still logs must have somewhere to log to.
    file = (stage.logs / "demo.log").open("a", encoding="utf-8")
    with contextlib.redirect_stderr(file):
        logs.configure(stage.settings.log_level, process="demo")


def _witness(stage: Stage, fleet: Fleet) -> Witness:
    settings = stage.settings
    catalogue = load_catalogue(settings.schemas_dir)
    return Witness(
        fleet.log,
        namespace=settings.namespace,
        lanes=load_book(settings.agreements_dir, catalogue).lanes(),
        catalogue=catalogue,
        registry=open_registry(settings),
    )


@asynccontextmanager
async def _following(witness: Witness) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(witness.run(stop))
    try:
        yield
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=5.0)
        task.cancel()


def _kafka_breaker(
    running: Running, console: Console
) -> Callable[[Callable[[], Awaitable[None]]], Awaitable[None]] | str:
    """Return what does something while Kafka is stopped, or why Kafka is not ours to stop."""
    if isinstance(running.fleet, MemoryFleet):
        return "a log in memory has no outage"
    if not running.owns_kafka:
        return "this Kafka was given and is not the demo's to stop"
    folder = running.stage.folder / "kafka"

    async def without_kafka(act: Callable[[], Awaitable[None]]) -> None:
        console.print("[yellow]Kafka is stopped now; intake goes on accepting.[/yellow]")
        await asyncio.to_thread(local_kafka.down, folder)
        try:
            await act()
        finally:
            await asyncio.to_thread(local_kafka.up, folder)
            console.print("[yellow]Kafka is back.[/yellow]")

    return without_kafka


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(keep.iterdir()):
            raise ConfigurationError("the folder must be empty @ --keep")
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="crisis-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
