"""
Latency at 50 referrals a second, and memory of the whole installation.

Ours is the time from a referral being accepted (stamped by intake, before the fsync) to its view
being readable with read_committed on the release topic. Against it stands a plain aiokafka
producer and consumer on the same Kafka at the same rate, acks=all, measured before and after.
Intake and release run as processes of their own; nobody delivers meanwhile, since the figure ends
where a recipient could read. Memory is measured with everything running, agencies included, after
a minute's worth of referrals at a lower rate: two cores do not carry all of it at 50 a second.
"""

import asyncio
import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from broker.codec import avro, wire
from broker.codec.catalogue import load_catalogue
from broker.domain.streams import Partition
from broker.processes.release_decider import public_part
from broker.runtime import local_kafka, topics
from broker.runtime.http_client import HttpClient
from broker.runtime.kafka import KafkaLog
from broker.runtime.kafka_admin import apply
from broker.runtime.topics import TopicSpec
from broker.simulation.fleet import ProcessFleet
from broker.simulation.load import Message, as_json, percentile, post_all
from broker.simulation.stage import Stage, set_the_stage, write_parties
from broker.simulation.standins import Standins
from broker.simulation.traffic import SENDER, referrals

RATE = 50
SECONDS = 20
WARM_UP = 150
PARTITIONS = 12
MEGABYTE = 1_000_000
LIMIT_MB = 150
PATIENCE_S = 120
MEMORY_REFERRALS = 400
LANE = ("northvale-crisis", "crisis-response")


def rows() -> list[dict[str, Any]]:
    """Measure on a Kafka of our own."""
    with tempfile.TemporaryDirectory(prefix="crisis-bench-") as name:
        folder = Path(name)
        kafka = local_kafka.up(folder / "kafka")
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(measure(kafka.bootstrap, folder / "site"))
        finally:
            local_kafka.down(folder / "kafka")


async def measure(bootstrap: str, folder: Path) -> list[dict[str, Any]]:
    """Return the rows of latency and memory."""
    before = await plain(bootstrap, "before")
    ours = await latency(bootstrap, folder / "two")
    after = await plain(bootstrap, "after")
    return [
        *latency_rows(ours, before + after),
        *memory_rows(await memory(bootstrap, folder / "all")),
    ]


async def latency(bootstrap: str, folder: Path) -> list[float]:
    """Return seconds from accepted to readable, with intake and release alone."""
    stage = set_the_stage(folder, bootstrap=bootstrap, namespace="two", partitions=PARTITIONS)
    write_parties(stage, {})
    fleet = ProcessFleet(stage)
    try:
        await fleet.start()
        return await through_the_broker(stage, bootstrap)
    finally:
        await fleet.aclose()


async def memory(bootstrap: str, folder: Path) -> dict[str, float]:
    """Return resident megabytes of every process after they have all had work to do."""
    stage = set_the_stage(folder, bootstrap=bootstrap, namespace="all", partitions=PARTITIONS)
    standins, fleet = Standins(stage), ProcessFleet(stage)
    try:
        await standins.start()
        write_parties(stage, standins.addresses())
        await fleet.start()
        await post(stage, [as_json(each) for each in islice(referrals(1), MEMORY_REFERRALS)], 10)
        return resident_mb(stage.settings.state_dir / "up.json")
    finally:
        await fleet.aclose()
        await standins.aclose()


async def post(stage: Stage, messages: list[Message], rate: float) -> None:
    """Post all of it to intake; every one must be accepted."""
    client = HttpClient(stage.intake_url, timeout_s=30.0)
    key = stage.keys[SENDER].read_text("utf-8").strip()
    tally = await post_all(client, key, messages, rate=rate, told=lambda _tally: None)
    await client.aclose()
    if tally.accepted != len(messages):
        raise RuntimeError(f"only {tally.accepted} of {len(messages)} were accepted")


async def plain(bootstrap: str, name: str) -> list[float]:
    """Return seconds from produce to consume of a plain loop at the same rate."""
    topic = f"plain-{name}"
    spec = TopicSpec(name=topic, partitions=PARTITIONS, replication=1, config={})
    await apply(bootstrap, [spec])
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    total = WARM_UP + RATE * SECONDS
    took: list[float] = []

    async def consume() -> None:
        while len(took) < total:
            found = await consumer.getmany(timeout_ms=500)
            now = time.time()
            took.extend(now - float(r.value[:32]) for rs in found.values() for r in rs)

    async def produce(number: int) -> None:
        stamp = f"{time.time():<32.6f}".encode()
        await producer.send_and_wait(topic, stamp + bytes(1400), partition=number % PARTITIONS)

    reading = asyncio.create_task(consume())
    await open_loop(total, produce)
    await reading
    await producer.stop()
    await consumer.stop()
    return took[WARM_UP:]


async def open_loop(total: int, work: Any) -> None:
    """Begin *work* `RATE` times a second whether the one before has ended or not."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(total):
            await asyncio.sleep(max(0.0, begun + number / RATE - loop.time()))
            group.create_task(work(number))


async def through_the_broker(stage: Stage, bootstrap: str) -> list[float]:
    """Return seconds from accepted to readable for every view of the lane that is watched."""
    log = KafkaLog(bootstrap, client_id="bench")
    topic = topics.release_topic(stage.settings.namespace, *LANE)
    reader = await log.open_reader([Partition(topic, n) for n in range(PARTITIONS)])
    envelope = public_part(load_catalogue().type_schema("crisis.types.Envelope"))
    took: list[float] = []
    total = WARM_UP + RATE * SECONDS

    async def watch() -> None:
        while len(took) < total:
            records = await reader.fetch(0.5)
            now = time.time()
            for record in records:
                _, start = wire.unframe(record.value)
                found = avro.peek(envelope, record.value, start)
                took.append(now - found["recorded_at"].timestamp())

    watching = asyncio.create_task(watch())
    route = [{"recipient": LANE[0], "purpose": LANE[1]}]
    invented = islice(referrals(1), total)
    documents = [{**each, "environment": "test", "routes": route} for each in invented]
    await post(stage, [as_json(each) for each in documents], RATE)
    await asyncio.wait_for(watching, PATIENCE_S)
    await reader.aclose()
    await log.aclose()
    return took[WARM_UP:]


def resident_mb(state_file: Path) -> dict[str, float]:
    """Return the resident memory of every process of the broker."""
    found = {}
    for each in json.loads(state_file.read_text("utf-8"))["processes"]:
        status = Path(f"/proc/{each['pid']}/status").read_text("utf-8")
        kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[
            1
        ]
        found[each["name"]] = int(kilobytes) * 1024 / MEGABYTE
    return found


def latency_rows(ours: list[float], raw: list[float]) -> list[dict[str, Any]]:
    """Return p99 of ours over p99 of plain, and ours alone."""
    our_p99, raw_p99 = percentile(ours, 0.99) or 0.0, percentile(raw, 0.99) or 1.0
    our_p50, raw_p50 = percentile(ours, 0.5), percentile(raw, 0.5)
    ratio = our_p99 / raw_p99
    return [
        {
            "figure": f"accept to readable p99 / plain p99 (p50 {our_p50} and {raw_p50} ms)",
            "value": round(ratio, 2),
            "goal": "<= 5",
            "met": ratio <= 5,
        },
        {
            "figure": f"accept to readable p99, ms (plain: {raw_p99} ms)",
            "value": our_p99,
            "goal": "< 100",
            "met": our_p99 < 100,
        },
    ]


def memory_rows(memory: dict[str, float]) -> list[dict[str, Any]]:
    """Return one row for each process."""
    return [
        {
            "figure": f"resident memory of {name}, MB",
            "value": round(megabytes),
            "goal": f"< {LIMIT_MB}",
            "met": megabytes < LIMIT_MB,
        }
        for name, megabytes in memory.items()
    ]
