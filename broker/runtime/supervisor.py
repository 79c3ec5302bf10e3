"""
Runs all processes of one machine: starts them, starts again what falls over, stops them in order.

Each child is a process of its own with its own ops port and dies with its parent; what they are
is written to `up.json` in the state folder, so that other commands find them.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

STOP_S: Final = 20.0
RESTART_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_S: Final = 60.0
"""A child that ran this long has recovered: its next restart waits the least again."""

PR_SET_PDEATHSIG: Final = 1
CONFIGURATION_EXIT: Final = 2


@dataclass(slots=True, kw_only=True)
class Child:
    """
    One process to keep running.

    Attributes:
        name: e.g. ``deliver northvale-crisis``.
        arguments: After ``crisis-broker``.
        environment: On top of ours.
        ops_port: Where it answers /metrics, /healthz and /readyz.
        ops_host: By which name this machine reaches that port.
        is_secured: Whether that port speaks TLS.
    """

    name: str
    arguments: Sequence[str]
    ops_port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    ops_host: str = "127.0.0.1"
    is_secured: bool = False
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0

    @property
    def ops_url(self) -> str:
        """Return the address of its ops port."""
        host = f"[{self.ops_host}]" if ":" in self.ops_host else self.ops_host
        return f"{'https' if self.is_secured else 'http'}://{host}:{self.ops_port}"


class Supervisor:
    """Keeps children running until told to stop."""

    def __init__(self, children: Sequence[Child], *, state_file: Path) -> None:
        self.children = tuple(children)
        self._state_file = state_file

    async def run(self, stop: asyncio.Event) -> None:
        """Start all, keep them up until *stop*, then stop all within `STOP_S`."""
        keepers = [asyncio.create_task(self._keep(child, stop)) for child in self.children]
        try:
            await stop.wait()
        finally:
            stop.set()
            await asyncio.gather(*keepers)
            self._state_file.unlink(missing_ok=True)

    async def _keep(self, child: Child, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not stop.is_set():
            begun = loop.time()
            child.process = await self._start(child)
            self._write_state()
            ended = asyncio.create_task(child.process.wait())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if stop.is_set():
                await _stop(child.process, ended)
                return
            code = ended.result()
            failures = 0 if loop.time() - begun > STEADY_S else failures
            pause = RESTART_S[min(failures, len(RESTART_S) - 1)]
            if code == CONFIGURATION_EXIT:
                pause = RESTART_S[-1]  # somebody has to mend it first
            log.error("process ended, starting it again", name=child.name, exit_code=code)
            failures += 1
            child.restarts += 1
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "broker.commands.main",
            *child.arguments,
            env={**os.environ, **child.environment, "CRISIS_OPS_PORT": str(child.ops_port)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,  # Ctrl-C is ours to pass on, in order
            preexec_fn=_die_with_parent,
        )

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "processes": [
                {
                    "name": child.name,
                    "pid": child.process.pid if child.process else None,
                    "ops": child.ops_url,
                    "restarts": child.restarts,
                }
                for child in self.children
            ],
        }
        beside = self._state_file.with_suffix(".part")
        beside.write_text(json.dumps(state, indent=2) + "\n", "utf-8")
        beside.replace(self._state_file)


async def _stop(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    done, _ = await asyncio.wait((ended,), timeout=STOP_S)
    if not done:
        process.kill()
        await ended


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
