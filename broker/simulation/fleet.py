"""
The broker itself, as the demo runs it: as processes on Kafka, or as parts of this one in memory.
"""

import asyncio
import contextlib
import json
import signal
import sys
from typing import Final

import orjson

from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import BrokerError, ConfigurationError, TransportError
from broker.processes.deliver import run as run_deliver
from broker.processes.intake import run as run_intake
from broker.processes.provisioning import register_all, topic_plan
from broker.processes.release import run as run_release
from broker.runtime.health import Health
from broker.runtime.http_client import HttpClient
from broker.runtime.memory import MemoryLog
from broker.runtime.open_log import open_log
from broker.runtime.parties import load_parties
from broker.simulation.stage import Stage, free_port

START_S: Final = 180.0
STOP_S: Final = 20.0
LOOK_S: Final = 0.1


class ProcessFleet:
    """`crisis-broker up`: intake, release and a deliver per recipient, each a process."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._process: asyncio.subprocess.Process | None = None
        self._state_file = stage.settings.state_dir / "up.json"
        self.log = open_log(stage.settings, client_id="crisis-demo")
        self.ops: dict[str, str] = {}

    async def start(self) -> None:
        """Start the supervisor; raises ConfigurationError if it gives up or takes too long."""
        with (self._stage.logs / "broker.log").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "broker.commands.main", "up", "--ops-base", "0"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._stage.environment(),
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
            )
        try:
            async with asyncio.timeout(START_S):
                while not await self._is_ready():  # noqa: ASYNC110 - another process tells us nothing
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise self._gave_up("is not ready in time") from error

    async def aclose(self) -> None:
        """Ask the supervisor to stop its children in order."""
        await self.log.aclose()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _is_ready(self) -> bool:
        if self._process is not None and self._process.returncode is not None:
            raise self._gave_up("has ended")
        try:
            state = json.loads(self._state_file.read_text("utf-8"))
        except (OSError, ValueError):
            return False
        self.ops = {each["name"]: each["ops"] for each in state["processes"]}
        expected = 2 + len(load_parties(self._stage.settings.parties_file).recipients())
        if len(self.ops) < expected or any(each["pid"] is None for each in state["processes"]):
            return False
        ready = await asyncio.gather(*(_answers_ready(url) for url in self.ops.values()))
        return all(ready)

    def _gave_up(self, what: str) -> ConfigurationError:
        lines = (self._stage.logs / "broker.log").read_text("utf-8", "replace").splitlines()
        last = "".join(f"\n  {line}" for line in lines[-8:])
        return ConfigurationError(f"the broker {what}; its last words:{last}")


class MemoryFleet:
    """All parts in this process and loop, on a log in memory."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.log = MemoryLog({})
        self.ops: dict[str, str] = {}

    async def start(self) -> None:
        """Make topics and schemas, then run every part; raises ConfigurationError if one cannot."""
        settings = self._stage.settings
        catalogue = load_catalogue(settings.schemas_dir)
        book = load_book(settings.agreements_dir, catalogue)
        for topic in topic_plan(settings, book):
            self.log.add_topic(topic.name, topic.partitions)
        async for _ in register_all(settings, catalogue, book):
            pass
        port = free_port()
        self.ops = {"all parts": f"http://127.0.0.1:{port}"}
        self._task = asyncio.create_task(self._run(port))
        await self._until_ready()

    async def aclose(self) -> None:
        """Stop every part."""
        self._stop.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError, BrokerError, BaseExceptionGroup):
                await asyncio.wait_for(self._task, STOP_S)

    async def _run(self, port: int) -> None:
        settings, stop = self._stage.settings, self._stop
        health = Health("demo")
        recipients = load_parties(settings.parties_file).recipients()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(health.serve("127.0.0.1", port, stop))
                group.create_task(run_intake(settings, stop, self.log, health))
                group.create_task(run_release(settings, stop, self.log, Health("release")))
                for party in recipients:
                    own = settings.model_copy(update={"recipient": party})
                    group.create_task(run_deliver(own, stop, self.log, Health("deliver")))
        finally:
            stop.set()

    async def _until_ready(self) -> None:
        assert self._task is not None
        try:
            async with asyncio.timeout(START_S):
                while not await _answers_ready(self._stage.intake_url, "/docs"):
                    if self._task.done():
                        break
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise ConfigurationError("the broker is not ready in time") from error
        if self._task.done():
            raise ConfigurationError(f"the broker has ended: {_cause(self._task.exception())}")


Fleet = ProcessFleet | MemoryFleet
"""A running broker."""


async def scrape(url: str) -> str:
    """Return what a process tells Prometheus."""
    async with HttpClient(url, timeout_s=5.0) as client:
        return (await client.exchange("GET", "/metrics")).body.decode()


def _cause(error: BaseException | None) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    # Only our own errors are written to be read; of others the text may hold a value.
    return str(error) if isinstance(error, BrokerError) else type(error).__name__


async def _answers_ready(url: str, path: str = "/readyz") -> bool:
    try:
        async with HttpClient(url, timeout_s=2.0) as client:
            answer = await client.exchange("GET", path)
    except TransportError:
        return False
    return answer.status == 200 and (path != "/readyz" or orjson.loads(answer.body)["ready"])
