"""`crisis-broker up`: all processes of one machine under one supervisor."""

import asyncio
import signal
from typing import Annotated

import typer
from rich.console import Console


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

    Example: crisis-broker kafka up && crisis-broker up
    """
    from broker.processes.fleet import children
    from broker.runtime import logs
    from broker.runtime.settings import load_settings
    from broker.runtime.supervisor import Supervisor

    settings = load_settings()
    logs.configure(settings.log_level, process="supervisor")
    console = Console(stderr=True, highlight=False)

    async def work() -> None:
        from broker.processes.provisioning import provision_all

        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if provision:
            for line in await provision_all(settings):
                console.print(line)
        fleet = children(settings, ops_base)
        for child in fleet:
            console.print(f"{child.name:<32} http://127.0.0.1:{child.ops_port}/metrics")
        await Supervisor(fleet, state_file=settings.state_dir / "up.json").run(stop)

    asyncio.run(work())
