"""`crisis-broker up`: all processes of one machine under one supervisor."""

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.runtime.settings import Settings
    from broker.runtime.supervisor import Child


def up(
    ops_base: Annotated[
        int, typer.Option(help="First ops port; 0 picks free ones.", metavar="PORT")
    ] = 9464,
    provision: Annotated[
        bool, typer.Option(help="Make missing topics and register view schemas first.")
    ] = True,
) -> None:
    """
    Run intake, release and one deliver per configured recipient until Ctrl-C.

    A process that falls over is started again; the state folder's up.json names pids and ports.

    Example: crisis-broker up --ops-base 9464
    """
    from broker.processes.fleet import children
    from broker.runtime import logs
    from broker.runtime.settings import load_settings

    settings = load_settings()
    settings.secret()  # every process needs it: better one line now than one from each
    fleet = children(settings, ops_base)
    logs.configure(settings.log_level, process="supervisor")
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    asyncio.run(_work(console, settings, fleet, provision=provision))


async def _work(
    console: Console, settings: "Settings", fleet: "Sequence[Child]", *, provision: bool
) -> None:
    from broker.runtime.supervisor import Supervisor

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if provision and not await _provision(console, settings, stop):
        return
    _announce(console, settings, fleet)
    await Supervisor(fleet, state_file=settings.state_dir / "up.json").run(stop)
    console.print("everything is stopped")


async def _provision(console: Console, settings: "Settings", stop: asyncio.Event) -> bool:
    """Make what is missing; False if told to stop meanwhile, which leaves nothing half made."""
    from broker.processes.provisioning import provision_all
    from broker.simulation.progress import Progress

    with Progress(console).step("making topics, registering schemas"):
        making = asyncio.create_task(provision_all(settings))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((making, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not making.done():
            making.cancel()
            await asyncio.wait((making,))
            return False
        lines = making.result()
    for line in lines:
        console.print(line)
    return True


def _announce(console: Console, settings: "Settings", fleet: "Sequence[Child]") -> None:
    intake = settings.intake
    scheme = "https" if intake.tls else "http"
    console.print(f"intake describes itself at {scheme}://{intake.host}:{intake.port}/docs")
    if not any(child.name.startswith("deliver") for child in fleet):
        console.print("no recipient has an endpoint, so views stay in Kafka: see parties_file")
    for child in fleet:
        console.print(f"{child.name:<32} {child.ops_url}/readyz")
    console.print("stop with Ctrl-C")
