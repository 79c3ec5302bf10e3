"""Both logs behind one face, and what the contract needs to do to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from broker.domain.streams import Log, Output, Partition, Reader, Record
from broker.runtime import kafka_producer
from broker.runtime.kafka import KafkaLog
from broker.runtime.kafka_batches import build_batches, send_all
from broker.runtime.kafka_connection import KafkaAddress
from broker.runtime.memory import MemoryLog

PARTITIONS = 3
PATIENCE_S = 60
"""Only ever waited out by a test that fails."""


@dataclass(kw_only=True)
class Subject:
    """
    A log under test with one topic of its own.

    Attributes:
        leave_open: Opens a transactional id, writes outputs and dies before the commit.
    """

    log: Log
    topic: str
    leave_open: Callable[[str, Sequence[Output]], Awaitable[None]]

    @property
    def name(self) -> str:
        """Fit for a group or a transactional id of this test alone."""
        return f"{self.topic}-one"

    async def committed(self, partition: Partition) -> int | None:
        """
        Take the transactional id over, then ask: the one order in which the answer is sure.

        Kafka answers a commit before its markers are written; a take-over waits for them.
        """
        producer = await self.log.open_transactional_producer(self.name)
        await producer.aclose()
        return await self.log.committed(self.name, partition)

    def partition(self, number: int = 0) -> Partition:
        """One partition of the topic."""
        return Partition(self.topic, number)

    def output(self, value: bytes, number: int = 0, key: bytes | None = b"k") -> Output:
        """A record for the topic."""
        return Output(partition=self.partition(number), key=key, value=value)


@asynccontextmanager
async def memory_subject() -> AsyncIterator[Subject]:
    """The log in memory."""
    log = MemoryLog({"events": PARTITIONS})

    async def leave_open(transactional_id: str, outputs: Sequence[Output]) -> None:
        producer = await log.open_transactional_producer(transactional_id)
        commit = asyncio.ensure_future(producer.commit(outputs, {}, "nobody"))
        while not producer._ownership.written:  # noqa: ASYNC110 (a commit tells nobody)
            await asyncio.sleep(0)
        commit.cancel()
        await producer.aclose()

    yield Subject(log=log, topic="events", leave_open=leave_open)


@asynccontextmanager
async def kafka_subject(bootstrap: str, namespace: str) -> AsyncIterator[Subject]:
    """The log in Kafka."""
    log = KafkaLog(bootstrap, client_id=namespace)
    topic = await make_topic(bootstrap, f"{namespace}.events")

    async def leave_open(transactional_id: str, outputs: Sequence[Output]) -> None:
        address = KafkaAddress(bootstrap=bootstrap, client_id=namespace)
        producer = await kafka_producer.start_producer(address, transactional_id=transactional_id)
        await kafka_producer.check_writable(producer, outputs)
        await producer.begin_transaction()
        await send_all(producer, build_batches(producer, outputs))
        await kafka_producer.cut_producer(producer)

    yield Subject(log=log, topic=topic, leave_open=leave_open)
    await log.aclose()


async def make_topic(bootstrap: str, topic: str, **config: str) -> str:
    """Make a topic and wait until the broker tells of it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=config)])
    finally:
        await admin.close()
    log = KafkaLog(bootstrap, client_id="make-topic")
    async with asyncio.timeout(PATIENCE_S):
        while await log.partitions(topic) != PARTITIONS:  # noqa: ASYNC110 (nor does a broker)
            await asyncio.sleep(0.01)
    await log.aclose()
    return topic


async def read(reader: Reader, count: int) -> list[Record]:
    """Fetch until there are at least *count* records."""
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(records) < count:
            records += await reader.fetch(1.0)
    return records


@dataclass
class Holder:
    """A callback of a member that remembers what it holds, and raises *error* if it has one."""

    error: Exception | None = None
    calls: list[frozenset[Partition]] = field(default_factory=list)
    _called: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, partitions: frozenset[Partition]) -> None:
        """Take what one is told."""
        self.calls.append(partitions)
        self._called.set()
        if self.error and partitions:
            raise self.error

    async def holds(self, count: int) -> frozenset[Partition]:
        """Wait until it holds exactly so many partitions."""
        return await self._until(lambda held: len(held) == count)

    async def shares(self) -> frozenset[Partition]:
        """Wait until it holds some partitions, but not all."""
        return await self._until(lambda held: 0 < len(held) < PARTITIONS)

    async def _until(self, fits: Callable[[frozenset[Partition]], bool]) -> frozenset[Partition]:
        async with asyncio.timeout(PATIENCE_S):
            while not (self.calls and fits(self.calls[-1])):
                self._called.clear()
                await self._called.wait()
        return self.calls[-1]
