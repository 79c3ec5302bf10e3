"""A whole installation whose processes can be started, killed and suspended one by one."""

import asyncio
import json
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import TransportError
from broker.processes.provisioning import register_all, topic_plan
from broker.runtime import topics
from broker.runtime.http_client import HttpClient
from broker.runtime.kafka import KafkaLog
from broker.runtime.kafka_admin import apply
from broker.simulation.cast import ROLES
from broker.simulation.stage import Stage, free_port, set_the_stage, write_parties
from tests.faults.load import Load
from tests.support.agency import Got, Reply, StandIn, stand_in

POLICE, CRISIS, AMBULANCE = "midshire-police", "northvale-crisis", "midshire-ambulance"
PARTITIONS = 2
PATIENCE_S = 120
"""Outermost deadline of every wait: a test that reaches it has failed, however slow the machine."""

LOOK_S = 0.1
PROGRAM = Path(__file__).with_name("process.py")


async def until(done: Callable[[], Awaitable[bool]], what: str | Callable[[], str]) -> None:
    """Look again and again until *done*; another process tells us nothing by itself."""
    # Not by cancelling: libraries turn a cancellation into errors of their own, or swallow it.
    loop = asyncio.get_running_loop()
    give_up = loop.time() + PATIENCE_S
    while not await done():
        if loop.time() > give_up:
            raise AssertionError(f"never came true: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(LOOK_S)


@dataclass(slots=True)
class Running:
    """One process; `name` is also that of its log file."""

    name: str
    process: asyncio.subprocess.Process
    ops: HttpClient
    log_file: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it at whatever instruction it stands."""
        self.signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        if self.process.returncode is None:
            self.signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)

    async def has_killed_itself(self) -> bool:
        """Wait until it has ended, and tell whether that was its trap."""
        try:
            code = await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        except TimeoutError:
            return False
        return code == -signal.SIGKILL

    async def is_suspended(self) -> bool:
        """Tell whether it stands still by SIGSTOP."""
        said = Path(f"/proc/{self.pid}/stat").read_text("utf-8")  # noqa: ASYNC240 (no disk)
        return said.rpartition(")")[2].split()[0] in "Tt"

    async def is_ready(self) -> bool:
        """Tell whether it says that it is ready; a release also has to own something."""
        if self.process.returncode is not None:
            last = self.log_file.read_text("utf-8", "replace").splitlines()[-5:]
            raise AssertionError(f"{self.name} has ended: {last}")
        try:
            answer = await self.ops.exchange("GET", "/readyz")
        except TransportError:
            return False
        return answer.status == 200

    async def metrics(self) -> dict[str, float]:
        """Return what it tells Prometheus, by name with labels."""
        lines = (await self.ops.exchange("GET", "/metrics")).body.decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def owns(self) -> int:
        """Return how many partitions a release works on."""
        try:
            return int((await self.metrics()).get("crisis_release_partitions_owned", 0))
        except TransportError:
            return 0


@dataclass(slots=True)
class Agencies:
    """Every party's system: takes all, and knows what it has."""

    server: StandIn
    received: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    times: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def answer(self, got: Got) -> Reply:
        """Take a message; one that comes again is a duplicate by the rules of its format."""
        if len(got.body) != int(got.headers.get("content-length", "0")):
            return Reply(status=400)  # cut off in the middle of the request: nothing was taken
        party = got.path.split("/")[2]
        request_id = got.headers.get("webhook-id") or got.headers["x-request-id"]
        echo = {
            name: value
            for name, value in got.headers.items()
            if name in ("x-request-id", "x-correlation-id")
        }
        known = self.times[party, request_id]
        self.times[party, request_id] += 1
        self.received.setdefault(party, []).append((request_id, got.body))
        if known:
            outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "duplicate"}]}
            return Reply(status=409, headers=echo, body=orjson.dumps(outcome))
        return Reply(status=200, headers=echo)


@dataclass(slots=True)
class Installation:
    """
    One installation on one Kafka.

    Attributes:
        stage: Its folder, settings and keys.
        bootstrap: Of its Kafka.
        agencies: What its recipients have got.
        log: For whoever wants to read.
        running: Its processes by name.
        served: Recipients that have a deliver.
        intakes: Addresses of its intakes.
    """

    stage: Stage
    bootstrap: str
    agencies: Agencies
    log: KafkaLog
    running: dict[str, Running] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    intakes: dict[str, HttpClient] = field(default_factory=dict)
    second: dict[str, str] = field(default_factory=dict)
    starts: int = 0

    @property
    def lanes(self) -> frozenset[tuple[str, str]]:
        """Return recipient and purpose of every lane."""
        settings = self.stage.settings
        return load_book(settings.agreements_dir, load_catalogue()).lanes()

    def release_topics(self) -> dict[tuple[str, str], str]:
        """Return the release topic of every lane."""
        space = self.stage.settings.namespace
        return {lane: topics.release_topic(space, *lane) for lane in sorted(self.lanes)}

    def topics(self) -> list[str]:
        """Return every topic, what comes later in the flow before what it comes from."""
        space = self.stage.settings.namespace
        return [
            *self.release_topics().values(),
            topics.held_topic(space),
            topics.disclosures_topic(space),
            topics.dead_letters_topic(space),
            topics.events_topic(space),
        ]

    async def start(
        self,
        name: str,
        *arguments: str,
        trap: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> Running:
        """Start one process, with a trap if one is given, and wait until it is ready."""
        self.starts += 1
        port = free_port()
        path = self.stage.logs / f"{self.starts:03d}-{name}.log"
        with path.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(PROGRAM), json.dumps(trap or {})),
                *("run", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={
                    **self.stage.environment(),
                    "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
                    "CRISIS_OPS_PORT": str(port),
                    "CRISIS_LOG_LEVEL": "DEBUG",
                    "CRISIS_RELEASE__HELD_RETRY_S": "1",
                    **(environment or {}),
                },
            )
        ops = HttpClient(f"http://127.0.0.1:{port}", timeout_s=10.0)
        started = Running(name, process, ops, path)
        if name in self.running:
            await self.running[name].ops.aclose()
        self.running[name] = started
        if ready:
            await until(started.is_ready, f"{name} is ready")
        return started

    async def intake(self, **options: Any) -> Running:
        """Start the intake."""
        return await self.start("intake", "intake", **options)

    async def release(self, name: str = "release", **options: Any) -> Running:
        """Start a release and wait until it works on something."""
        started = await self.start(name, "release", **options)
        if options.get("ready", True):
            await until(lambda: _positive(started), f"{name} owns partitions")
        return started

    async def deliver(self, recipient: str, **options: Any) -> Running:
        """Start the deliver of one recipient."""
        if recipient not in self.served:
            self.served.append(recipient)
        name = f"deliver-{recipient}"
        return await self.start(name, "deliver", "--recipient", recipient, **options)

    async def start_all(self) -> None:
        """Start one intake, one release, and a deliver each for a crisis team and the police."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.intake())
            group.create_task(self.release())
            for recipient in (CRISIS, POLICE):
                group.create_task(self.deliver(recipient))

    async def second_intake(self) -> Running:
        """Start another intake with an outbox of its own, as on another machine."""
        state = self.stage.settings.state_dir.with_name("state-2")
        shutil.copytree(
            self.stage.settings.state_dir, state, ignore=shutil.ignore_patterns("intake", "deliver")
        )
        port = free_port()
        self.intakes["intake-2"] = HttpClient(f"http://127.0.0.1:{port}", timeout_s=30.0)
        self.second = {"CRISIS_STATE_DIR": str(state), "CRISIS_INTAKE__PORT": str(port)}
        return await self.restart_second_intake()

    async def restart_second_intake(self) -> Running:
        """Start the other intake again, with what it has on disk."""
        return await self.start("intake-2", "intake", environment=self.second)

    def load(self) -> Load:
        """Return a control room that sends to every intake."""
        key = self.stage.keys[POLICE].read_text("utf-8").strip()
        return Load(list(self.intakes.values()), key)

    def logs(self) -> dict[str, str]:
        """Return everything the processes have written, by file name."""
        return {
            path.name: path.read_text("utf-8", "replace")
            for path in sorted(self.stage.logs.glob("*.log"))
        }

    async def aclose(self) -> None:
        """End what still runs."""
        for each in self.running.values():
            if each.process.returncode is None:
                each.signal(signal.SIGKILL)
                await each.process.wait()
            await each.ops.aclose()
        for client in self.intakes.values():
            await client.aclose()
        await self.log.aclose()


async def _positive(release: Running) -> bool:
    return await release.owns() > 0


@asynccontextmanager
async def installation(folder: Path, bootstrap: str, namespace: str) -> AsyncIterator[Installation]:
    """Set up an installation with topics and schemas; nothing of it runs yet but the agencies."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stand_in())
        agencies = Agencies(server)
        server.answer = agencies.answer
        stage = set_the_stage(
            folder, bootstrap=bootstrap, namespace=namespace, partitions=PARTITIONS
        )
        write_parties(stage, {party: f"{server.url}/{party}" for party in ROLES})
        await _provision(stage, bootstrap)
        made = Installation(stage, bootstrap, agencies, KafkaLog(bootstrap, client_id="faults"))
        made.intakes["intake"] = HttpClient(stage.intake_url, timeout_s=30.0)
        stack.push_async_callback(made.aclose)
        yield made


async def _provision(stage: Stage, bootstrap: str) -> None:
    catalogue = load_catalogue()
    book = load_book(stage.settings.agreements_dir, catalogue)
    await apply(bootstrap, topic_plan(stage.settings, book))
    async for _ in register_all(stage.settings, catalogue, book):
        pass
