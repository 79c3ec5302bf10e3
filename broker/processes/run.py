"""
Runs one process: its log, its ops port, its work, and a clean stop within 20 seconds.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import structlog
import uvloop

from broker.domain.errors import BrokerError, ConfigurationError
from broker.domain.streams import Log
from broker.runtime import logs
from broker.runtime.health import Health
from broker.runtime.open_log import open_log
from broker.runtime.settings import PORTS, Settings

log = structlog.get_logger()

STOP_S: Final = 18.0
"""From the signal to the hard exit; the promise is 20."""

HARD_EXIT: Final = 70

Work = Callable[[Settings, asyncio.Event, Log, Health], Awaitable[None]]
"""A process's work: returns after the stop; raising ends the process."""


def work_of(process: str) -> Work:
    """Return the work of a process; imports only what that process needs."""
    if process == "intake":
        from broker.processes.intake import run as intake

        return intake
    if process == "release":
        from broker.processes.release import run as release

        return release
    if process == "deliver":
        from broker.processes.deliver import run as deliver

        return deliver
    raise ConfigurationError(f"no such process, there are: {', '.join(PORTS)} @ PROCESS")


def main(process: str, settings: Settings) -> int:
    """
    Run *process* until SIGTERM or SIGINT and return the exit code.

    0: stopped cleanly. 1: a defect or an outage that needs a person. 2: configuration.
    """
    logs.configure(settings.log_level, process=process)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(process, settings))
    except ConfigurationError as error:
        log.error("cannot start", rule=str(error))
        return 2
    except BrokerError as error:
        log.critical("stopped by an outage", code=error.code, rule=str(error))
        return 1
    except Exception as error:
        log.critical("stopped by a defect", code=getattr(error, "code", "defect"), exc_info=error)
        return 1
    return 0


async def _run(process: str, settings: Settings) -> None:
    work = work_of(process)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _begin_stop, loop, stop)
    health = Health(process)
    kafka = open_log(settings, client_id=f"crisis-{process}")
    port = PORTS[process] if settings.ops_port is None else settings.ops_port
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(health.serve(settings.ops_host, port, stop, tls=settings.ops_tls))
            group.create_task(_until_stopped(work(settings, stop, kafka, health), stop))
    except ExceptionGroup as group_of_errors:
        raise _reason(group_of_errors) from group_of_errors
    finally:
        await kafka.aclose()


def _reason(group: ExceptionGroup) -> Exception:
    """Return the error that says most: what is configured wrongly, what is ours, else the first."""
    errors = list(_leaves(group))
    kinds = (ConfigurationError, BrokerError, Exception)
    return next(error for kind in kinds for error in errors if isinstance(error, kind))


def _leaves(group: ExceptionGroup) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _until_stopped(work: Awaitable[None], stop: asyncio.Event) -> None:
    try:
        await work
    finally:
        stop.set()


def _begin_stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    stop.set()
    # A library that hangs on a dead broker must not keep us: everything that counts is durable.
    loop.call_later(STOP_S, os._exit, HARD_EXIT)
