"""
Writing to Kafka, with and without transactions.

Neither producer ever flushes, aborts or stops as aiokafka would: those hang while a broker is away.
One that failed is cut off and replaced.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import aiokafka.errors as kafka
import aiokafka.producer.sender
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from broker.domain.errors import OutcomeUnknownError, TransportError, UnwritableError
from broker.domain.streams import Output, Partition
from broker.runtime.deadlines import within
from broker.runtime.kafka_batches import MAX_BATCH_BYTES, build_batches, send_all
from broker.runtime.kafka_connection import RETRY_BACKOFF_MS, KafkaAddress, cut
from broker.runtime.kafka_errors import FOREIGN, write_error
from broker.runtime.kafka_lookup import partition_count

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""Key, value and headers together. Each topic sets its own, lower limit, and refuses by it."""

TRANSACTION_TIMEOUT_MS = 10_000
COMMIT_S = 8.0
"""Less than the transaction timeout: past that one, our own lateness would look like fencing."""

OPEN_S = 20.0
SEND_S = 8.0
TOPIC_S = 1.0
"""How long a topic that does not exist is asked for again: a new one takes a moment to be known."""

# Kafka answers a commit before its markers are written; a transaction begun within those few
# milliseconds is told to come back, and aiokafka does so after 20 ms, which is most of a commit.
aiokafka.producer.sender.BACKOFF_OVERRIDE = 0.002


async def start_producer(address: KafkaAddress, **options: Any) -> AIOKafkaProducer:
    """
    Return a started idempotent producer.

    Raises:
        TransportError: Kafka did not answer, or not well, within `OPEN_S`.
    """
    producer = AIOKafkaProducer(
        **address.options(),
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        compression_type=None,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_RECORD_BYTES + 1024,
        **options,
    )
    try:
        await within(OPEN_S, producer.start(), "opening a producer")
    except FOREIGN as error:
        await cut_producer(producer)
        raise write_error(error, "opening a producer") from error
    except BaseException:
        await cut_producer(producer)
        raise
    return producer


async def cut_producer(producer: AIOKafkaProducer) -> None:
    """End *producer* within a bounded time, whatever it is waiting for; nothing is flushed."""
    producer._closed = True  # noqa: SLF001 (its destructor would complain)
    transaction, accumulator = producer._txn_manager, producer._message_accumulator  # noqa: SLF001
    await cut(producer.client, producer._sender, accumulator)  # noqa: SLF001
    # Whoever still waits for a record hears of it now; asyncio logs exceptions that nobody took.
    accumulator.fail_all(kafka.ProducerClosed())
    batches = chain(accumulator._pending_batches, *accumulator._batches.values())  # noqa: SLF001
    waited = [f for batch in batches for f in (batch.future, batch._drain_waiter)]  # noqa: SLF001
    for future in (*waited, transaction._transaction_waiter):  # noqa: SLF001
        if future and future.done() and not future.cancelled():
            future.exception()


async def check_writable(producer: AIOKafkaProducer, outputs: Sequence[Output]) -> None:
    """
    Refuse what Kafka would refuse for sure, before any of it is sent.

    aiokafka would wait 5 s for a missing topic, ask the broker to make it, and blame the topic
    while the broker is away.

    Raises:
        UnwritableError: A topic or partition does not exist, or a record is too large.
        OutcomeUnknownError: No broker says anything.
    """
    for output in outputs:
        if record_bytes(output) > MAX_RECORD_BYTES:
            raise UnwritableError(output.partition.topic, "record too large")
    for partition in dict.fromkeys(output.partition for output in outputs):
        if not _is_known(producer, partition):
            await _look_up(producer, partition)


def record_bytes(output: Output) -> int:
    """Return how many bytes of key, value and headers a record holds."""
    headers = sum(len(name) + len(value) for name, value in output.headers)
    return len(output.key or b"") + len(output.value) + headers


def _is_known(producer: AIOKafkaProducer, partition: Partition) -> bool:
    known = producer.client.cluster.partitions_for_topic(partition.topic)
    return known is not None and partition.number in known


async def _look_up(producer: AIOKafkaProducer, partition: Partition) -> None:
    topic, loop = partition.topic, asyncio.get_running_loop()
    give_up = loop.time() + TOPIC_S
    while not _is_known(producer, partition):
        try:
            count = await partition_count(producer.client, topic)
        except FOREIGN as error:
            raise write_error(error, f"topic {topic}", topic) from error
        if count > partition.number:
            producer.client.add_topic(topic)
            await producer.client.force_metadata_update()
        elif loop.time() > give_up:
            raise UnwritableError(topic, "no such topic or partition")
        else:
            await asyncio.sleep(RETRY_BACKOFF_MS / 1000)


class KafkaProducer:
    """
    Writes idempotently; opens a new connection of its own accord after any doubt.

    aiokafka's own producer retries an idempotent send for ever, and after one lost sequence number
    refuses everything until it is rebuilt.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self) -> None:
        """Connect now rather than at the first send."""
        await self._connected()

    async def send(self, output: Output) -> int:
        """Write one record durably (acks=all) and return its offset."""
        producer = await self._connected()
        place = f"send to {output.partition.topic}"
        try:
            await within(SEND_S, check_writable(producer, [output]), place)
        except OutcomeUnknownError:
            await self._discard(producer)
            raise
        try:
            return await within(SEND_S, _deliver(producer, output), place)
        except TransportError:
            # Even if the broker merely refused: the record took a sequence number with it, and
            # the broker would hold that gap against the next one.
            await self._discard(producer)
            raise

    async def aclose(self) -> None:
        """Let go within a bounded time."""
        self._closed = True
        if self._producer:
            await self._discard(self._producer)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._closed:
                raise TransportError("this producer is closed @ send")
            if self._producer is None:
                self._producer = await start_producer(self._address)
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
            await cut_producer(producer)


async def _deliver(producer: AIOKafkaProducer, output: Output) -> int:
    topic, number = output.partition
    try:
        future = await producer.send(
            topic, output.value, output.key, number, headers=list(output.headers)
        )
        return int((await future).offset)
    except FOREIGN as error:
        raise write_error(error, f"send to {topic}", topic) from error


class KafkaTransactionalProducer:
    """
    Commits outputs and offsets together; spent after the first error.

    Opening has fenced every earlier owner: `start_producer` returns after InitProducerId answered,
    which it does only once the old owner's transaction is resolved.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._spent = False

    async def commit(
        self, outputs: Sequence[Output], offsets: Mapping[Partition, int], group: str
    ) -> None:
        """Write all outputs and move the group's offsets, all or nothing."""
        if self._spent:
            raise TransportError("this producer is spent, open another @ commit")
        self._spent = True
        await within(COMMIT_S, self._transact(outputs, offsets, group), "commit")
        self._spent = False

    async def aclose(self) -> None:
        """Let go within a bounded time; an open transaction is left to the next owner."""
        self._spent = True
        await cut_producer(self._producer)

    async def _transact(
        self, outputs: Sequence[Output], offsets: Mapping[Partition, int], group: str
    ) -> None:
        await check_writable(self._producer, outputs)
        batches = build_batches(self._producer, outputs)
        try:
            await self._producer.begin_transaction()
            # Every single result: aiokafka commits a transaction in which a send failed.
            await send_all(self._producer, batches)
            if offsets:
                moved = {TopicPartition(*p): offset for p, offset in offsets.items()}
                await self._producer.send_offsets_to_transaction(moved, group)
            await self._producer.commit_transaction()
        except FOREIGN as error:
            raise write_error(error, "commit") from error


async def open_transactional(
    address: KafkaAddress, transactional_id: str
) -> KafkaTransactionalProducer:
    """
    Take over *transactional_id*.

    Raises:
        TransportError: Kafka did not answer within `OPEN_S`.
    """
    producer = await start_producer(
        address,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
    )
    return KafkaTransactionalProducer(producer)
