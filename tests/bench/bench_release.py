"""
Release throughput against a plain aiokafka loop.

Both read the same topic and write the same number of records and bytes (a view and a disclosure
for each event) with the same transactions and batch sizes. The plain loop decides nothing: its
outputs are ready made, so the ratio shows what deciding, filtering and sealing cost.
"""

import asyncio
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from broker.domain.streams import Partition
from broker.processes.audit import read_all
from broker.processes.provisioning import topic_plan
from broker.runtime import local_kafka, topics
from broker.runtime.kafka import KafkaLog
from broker.runtime.kafka_admin import apply
from broker.runtime.kafka_batches import MAX_BATCH_BYTES
from tests.support.site import Bench, bench, example, route, test_settings

EVENTS = 6000
BATCH = 500
ROUNDS = 3
EXAMPLE = "referral_made.unknown_man_on_bridge"


def rows() -> list[dict[str, Any]]:
    """Measure on a Kafka of our own."""
    with tempfile.TemporaryDirectory(prefix="crisis-bench-") as folder:
        kafka = local_kafka.up(Path(folder) / "kafka")
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                ratio, ours, plain = runner.run(measure(kafka.bootstrap, Path(folder) / "state"))
        finally:
            local_kafka.down(Path(folder) / "kafka")
    return [
        {
            "figure": f"release throughput / plain loop ({ours:.0f} and {plain:.0f} events/s)",
            "value": round(ratio, 2),
            "goal": ">= 0.7",
            "met": ratio >= 0.7,
        }
    ]


async def measure(bootstrap: str, state: Path) -> tuple[float, float, float]:
    """Return the median ratio of rounds that alternate, and both median rates."""
    pairs = []
    for number in range(ROUNDS):
        settings = test_settings(state / str(number), f"b-{token_hex(4)}", reference_check=False)
        log = KafkaLog(bootstrap, client_id="bench")
        async with bench(settings, log) as site:
            await apply(bootstrap, topic_plan(settings, site.book))
            await fill(site)
            ours = await release(site)
            plain = await plain_loop(bootstrap, site)
            pairs.append((ours, plain))
        await log.aclose()
    ratio = statistics.median(ours / plain for ours, plain in pairs)
    return ratio, *(statistics.median(column) for column in zip(*pairs, strict=True))


async def fill(site: Bench) -> None:
    """Write the events before the clock runs."""
    document = example(EXAMPLE, routes=[route()])
    producer = await site.log.open_transactional_producer(f"fill-{site.namespace}")
    events = [
        site.event({**document, "reference": f"R-{number}"}, key=str(number))
        for number in range(EVENTS)
    ]
    for start in range(0, EVENTS, BATCH):
        await producer.commit(events[start : start + BATCH], {}, "fill")
    await producer.aclose()


async def release(site: Bench) -> float:
    """Return events per second of our worker, from taken over to the last one committed."""
    worker = site.worker()
    worker._site = replace(
        site.site, settings=site.site.settings.model_copy(update={"max_batch": BATCH})
    )
    await worker._take_over("bench")
    await (
        worker._step()
    )  # compiles the lane and warms the connections, as the plain loop's first batch does
    done = worker.position
    begun = time.perf_counter()
    while worker.position < EVENTS:
        await worker._step()
    seconds = time.perf_counter() - begun
    await worker._let_go()
    return (worker.position - done) / seconds


async def plain_loop(bootstrap: str, site: Bench) -> float:
    """Return events per second of a loop that reads the same and writes the same, deciding nothing."""
    lane = topics.release_topic(site.namespace, "northvale-crisis", "crisis-response")
    view = await first(site, lane)
    record = topics.disclosures_topic(site.namespace)
    disclosure = await first(site, record)
    source = TopicPartition(topics.events_topic(site.namespace), 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        transactional_id=f"plain-{site.namespace}",
        acks="all",
        max_batch_size=MAX_BATCH_BYTES,
    )
    await consumer.start()
    await producer.start()
    consumer.assign([source])
    consumer.seek(source, 0)
    position, done, begun = 0, 0, 0.0
    while position < EVENTS:
        found = await consumer.getmany(timeout_ms=500, max_records=BATCH)
        records = found.get(source, [])
        if not records:
            continue
        async with producer.transaction():
            sends = []
            for event in records:
                headers = [
                    ("event-type", b"referral_made"),
                    ("rank", b"immediate"),
                    ("release-id", b"0" * 32),
                ]
                sends.append(
                    await producer.send(lane, view, key=event.key, partition=0, headers=headers)
                )
                sends.append(await producer.send(record, disclosure, key=event.key, partition=0))
            await asyncio.gather(*sends)
            await producer.send_offsets_to_transaction({source: records[-1].offset + 1}, "plain")
        position = records[-1].offset + 1
        if not begun:
            begun, done = time.perf_counter(), position
    seconds = time.perf_counter() - begun
    await consumer.stop()
    await producer.stop()
    return (position - done) / seconds


async def first(site: Bench, topic: str) -> bytes:
    """Return the first value of a topic's only partition."""
    async for record in read_all(site.log, Partition(topic, 0)):
        return record.value
    raise LookupError(topic)
