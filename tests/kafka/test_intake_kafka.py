"""Intake and a real Kafka: killed in mid-flight, every receipt arrives, in order, under one id."""

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

from broker.codec import avro, wire
from broker.codec.catalogue import load_catalogue
from broker.codec.registry import schema_id, subject_name
from broker.domain.partitioning import partition_of
from broker.domain.streams import Partition
from broker.processes.intake_models import EXAMPLE
from broker.runtime import kafka_admin, topics
from broker.runtime.kafka import KafkaLog
from broker.runtime.keys import issue
from broker.runtime.registry import DirectoryRegistry
from broker.runtime.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

ROOT = Path(__file__).parents[2]
CATALOGUE = load_catalogue()
SCHEMAS = {schema_id(event.schema): event.schema for event in CATALOGUE.events.values()}
PARTITIONS = 3
REFERRALS = 30
UPDATES = 4


async def install(folder: Path, bootstrap: str, namespace: str) -> dict[str, str]:
    """Provision an installation; return the environment of its processes."""
    await kafka_admin.apply(bootstrap, topics.plan(namespace, (), PARTITIONS, 1))
    registry = DirectoryRegistry(folder / "registry")
    for event in CATALOGUE.events.values():
        subject = subject_name(topics.events_topic(namespace), event.fullname)
        await registry.register(subject, event.schema)
    return {
        "CRISIS_STATE_DIR": str(folder),
        "CRISIS_NAMESPACE": namespace,
        "CRISIS_PARTITIONS": str(PARTITIONS),
        "CRISIS_SITE_SECRET": "s" * 32,
        "CRISIS_INTAKE__PORT": "0",
        "CRISIS_INTAKE__RATE_PER_MINUTE": "100000",
        "CRISIS_OPS_PORT": "0",
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
    }


@asynccontextmanager
async def intake(environment: dict[str, str], key: str) -> AsyncIterator[tuple[Any, Any]]:
    """Run intake as a process of its own; yields the process and a client."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "broker.commands.main",
        "run",
        "intake",
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    drain = None
    try:
        port = await port_of(process)
        assert process.stderr is not None
        drain = asyncio.create_task(process.stderr.read())
        url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if drain:
            await drain


async def port_of(process: asyncio.subprocess.Process) -> int:
    """Read the port from the process's log."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        async for line in process.stderr:
            entry = json.loads(line)
            if entry["event"] == "intake takes messages":
                return int(entry["port"])
    raise AssertionError("intake did not start")


async def send_referral(client: httpx.AsyncClient, number: int, receipts: set[str]) -> None:
    """Send a referral and its updates one after the other; note every receipt."""
    for sequence in range(1, UPDATES + 2):
        document = {
            **EXAMPLE,
            "event_type": "referral_made" if sequence == 1 else "referral_updated",
            "reference": f"MP-{number}",
            "sequence": sequence,
        }
        try:
            response = await client.post("/v1/referrals", json=document)
        except httpx.HTTPError:
            return
        if response.status_code != 202:
            return
        receipts.add(response.json()["event_id"])


async def read_events(bootstrap: str, topic: str, wanted: set[str]) -> list[dict[str, Any]]:
    """Read the topic until every wanted event was there, in the order of each partition."""
    log = KafkaLog(bootstrap, client_id="test")
    reader = await log.open_reader([Partition(topic, number) for number in range(PARTITIONS)])
    events: list[dict[str, Any]] = []
    missing = set(wanted)
    async with asyncio.timeout(60):
        while missing:
            for record in await reader.fetch(1.0):
                event = decode(record.value)
                events.append({**event["envelope"], "partition": record.partition.number})
                missing.discard(event["envelope"]["event_id"])
    await reader.aclose()
    await log.aclose()
    return events


def decode(value: bytes) -> dict[str, Any]:
    """Decode an event by the schema that its frame names."""
    found, position = wire.unframe(value)
    event: dict[str, Any] = avro.decode(SCHEMAS[found], value[position:])
    return event


async def test_killed_in_mid_flight_every_receipt_arrives_in_order(
    kafka_bootstrap: str, namespace: str, tmp_path: Path
) -> None:
    """After kill -9 and a restart each event with a receipt is in Kafka; first copies are in order."""
    environment = await install(tmp_path, kafka_bootstrap, namespace)
    settings = Settings(state_dir=tmp_path)
    key = issue(settings.keys_file(), "midshire-police", datetime.now(UTC))
    receipts: set[str] = set()
    async with intake(environment, key) as (process, client):
        posts = [
            asyncio.create_task(send_referral(client, number, receipts))
            for number in range(REFERRALS)
        ]
        while len(receipts) < REFERRALS:
            await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED, timeout=0.01)
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(*posts)
    async with intake(environment, key):
        events = await read_events(kafka_bootstrap, topics.events_topic(namespace), set(receipts))
    first: dict[str, dict[str, Any]] = {}
    for event in events:
        first.setdefault(event["event_id"], event)

    assert receipts <= first.keys()
    for event in first.values():
        assert event["partition"] == partition_of(event["referral_id"], PARTITIONS)
    for referral_id in {event["referral_id"] for event in events}:
        sequences = [e["sequence"] for e in first.values() if e["referral_id"] == referral_id]
        assert sequences == sorted(sequences)
