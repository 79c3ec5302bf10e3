"""The whole process: what got a receipt survives it, and it starts and stops by itself."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.codec import wire
from broker.codec.registry import schema_id, subject_name
from broker.domain.errors import ConfigurationError
from broker.domain.streams import Partition
from broker.processes.intake import run
from broker.runtime.health import Health
from broker.runtime.keys import issue
from broker.runtime.memory import MemoryLog
from broker.runtime.outbox import Outbox
from broker.runtime.registry import DirectoryRegistry
from broker.runtime.settings import Settings
from broker.runtime.topics import disclosures_topic, events_topic
from tests.broker.processes.intake_site import CATALOGUE, referral

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PARTITIONS = 12
EVENTS, DISCLOSURES = events_topic("crisis"), disclosures_topic("crisis")


async def install(folder: Path, **intake: Any) -> tuple[Settings, str]:
    """Set an installation up in *folder*; return its settings and a key of the police."""
    settings = Settings(
        state_dir=folder,
        site_secret="s" * 32,  # type: ignore[arg-type]
        intake={"port": 0, **intake},  # type: ignore[arg-type]
    )
    registry = DirectoryRegistry(folder / "registry")
    for event in CATALOGUE.events.values():
        await registry.register(subject_name(EVENTS, event.fullname), event.schema)
    return settings, issue(settings.keys_file(), "midshire-police", NOW)


@asynccontextmanager
async def running(
    settings: Settings, key: str, log: MemoryLog
) -> AsyncIterator[tuple[httpx.AsyncClient, Health]]:
    """Run intake until the end of the block; yields a client and what is wrong."""
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    health = Health("intake")
    task = asyncio.create_task(run(settings, stop, log, health, started))
    done, _ = await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    if task in done:
        await task
    url = f"http://127.0.0.1:{started.result()}"
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            yield client, health
    finally:
        stop.set()
        await task


async def events_in(log: MemoryLog, count: int) -> list[bytes]:
    """Return the values of *count* events once they are in the log."""
    reader = await log.open_reader([Partition(EVENTS, number) for number in range(PARTITIONS)])
    values: list[bytes] = []
    while len(values) < count:
        values += [record.value for record in await reader.fetch(5.0)]
    await reader.aclose()
    return values


async def test_a_referral_goes_from_http_to_the_log(tmp_path: Path) -> None:
    """The process takes, stores and forwards, and says that it is ready."""
    settings, key = await install(tmp_path)
    log = MemoryLog({EVENTS: PARTITIONS, DISCLOSURES: PARTITIONS})
    async with running(settings, key, log) as (client, health):
        response = await client.post("/v1/referrals", json=referral())
        (value,) = await events_in(log, 1)
        receipt = await client.get(response.headers["Location"])

        assert response.status_code == 202
        assert wire.unframe(value)[0] == schema_id(CATALOGUE.event("referral_made").schema)
        assert receipt.json()["event_id"] == response.json()["event_id"]
        assert health.failing() == {}


async def test_without_kafka_it_is_ready_and_accepts(tmp_path: Path) -> None:
    """An outage of Kafka never reaches the caller, nor takes intake out of service."""
    settings, key = await install(tmp_path)
    nothing = MemoryLog({})
    async with running(settings, key, nothing) as (client, health):
        response = await client.post("/v1/referrals", json=referral())
        failing = health.failing()
    log = MemoryLog({EVENTS: PARTITIONS, DISCLOSURES: PARTITIONS})
    async with running(settings, key, log) as (client, _):
        values = await events_in(log, 1)
        again = await client.post("/v1/referrals", json=referral())

    assert (response.status_code, response.json()["state"]) == (202, "stored here")
    assert failing == {}
    assert len(values) == 1
    assert again.json()["event_id"] == response.json()["event_id"]


async def test_plain_http_stays_on_this_machine(tmp_path: Path) -> None:
    """Beyond loopback there is no listener without a certificate."""
    settings, key = await install(tmp_path, host="0.0.0.0")

    with pytest.raises(ConfigurationError, match="certificate"):
        async with running(settings, key, MemoryLog({})):
            pass


async def test_two_intakes_cannot_share_a_state_folder(tmp_path: Path) -> None:
    """Two forwarders of one outbox would break its order."""
    settings, key = await install(tmp_path)
    async with running(settings, key, MemoryLog({})):
        with pytest.raises(ConfigurationError, match="another process"):
            async with running(settings, key, MemoryLog({})):
                pass


async def test_every_receipt_survives_kill_9(tmp_path: Path) -> None:
    """With Kafka away and the process killed in mid-flight, no event with a receipt is lost."""
    settings, key = await install(tmp_path)
    process = await start_process(tmp_path)
    try:
        port = await port_of(process)
        receipts: list[str] = []
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}
        ) as client:
            posts = [asyncio.create_task(post(client, number, receipts)) for number in range(200)]
            while len(receipts) < 40:
                await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED, timeout=0.01)
            process.send_signal(signal.SIGKILL)
            await asyncio.gather(*posts)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    outbox = Outbox(settings.state_dir / "intake" / "outbox.db")
    stored = {waiting.event_id for waiting in await outbox.waiting()}
    await outbox.aclose()

    assert len(receipts) >= 40
    assert set(receipts) <= stored


async def post(client: httpx.AsyncClient, number: int, receipts: list[str]) -> None:
    """Send one referral; note its receipt if one came."""
    try:
        response = await client.post("/v1/referrals", json=referral(reference=f"MP-{number}"))
    except httpx.HTTPError:
        return
    if response.status_code == 202:
        receipts.append(response.json()["event_id"])


async def start_process(folder: Path) -> asyncio.subprocess.Process:
    """Start intake as a process of its own, with a Kafka that is not there."""
    settings = {
        "CRISIS_STATE_DIR": str(folder),
        "CRISIS_SITE_SECRET": "s" * 32,
        "CRISIS_INTAKE__PORT": "0",
        "CRISIS_INTAKE__RATE_PER_MINUTE": "100000",
        "CRISIS_OPS_PORT": "0",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "broker.commands.main",
        "run",
        "intake",
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **settings},
    )


async def port_of(process: asyncio.subprocess.Process) -> int:
    """Read the port from the process's log."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        async for line in process.stderr:
            entry = json.loads(line)
            if entry["event"] == "intake takes messages":
                return int(entry["port"])
    raise AssertionError("intake did not start")
