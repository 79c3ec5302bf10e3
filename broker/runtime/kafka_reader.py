"""Reading given partitions of Kafka: committed records only, and only from where one said."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from broker.domain.errors import TransportError
from broker.domain.streams import Partition, Record
from broker.runtime.deadlines import within
from broker.runtime.kafka_connection import KafkaAddress, cut
from broker.runtime.kafka_errors import FOREIGN, read_error

OPEN_S = 10.0
CALL_S = 8.0
GRACE_S = 5.0
SILENCE_S = 10.0
"""How long a fetch may wait without any answer before the log counts as away; aiokafka would wait
for ever. An idle partition answers every `LONG_POLL_MS`."""

LONG_POLL_MS = 500

T = TypeVar("T")


class KafkaReader:
    """
    Reads its partitions with one consumer outside any group; spent after the first error.

    After a fetch that found something it fetches no further until asked again, so that a `seek`
    never waits for a long poll at the old place.
    """

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Sequence[Partition]) -> None:
        self._consumer = consumer
        self._topic_partitions = {p: TopicPartition(*p) for p in partitions}
        self._answered_at: dict[TopicPartition, int | None] = {}
        self._silence_s = dict.fromkeys(self._topic_partitions.values(), 0.0)
        self._spent = False

    def seek(self, partition: Partition, offset: int) -> None:
        """Continue this partition at *offset*; takes effect on the next `fetch`."""
        self._consumer.seek(self._topic_partitions[partition], offset)

    async def fetch(self, timeout_s: float, max_records: int = 500) -> list[Record]:
        """Return what is there, at most *max_records*; wait up to *timeout_s* for the first."""
        if self._spent:
            raise TransportError("this reader is spent, open another @ fetch")
        try:
            found = await self._fetch(timeout_s, max_records)
        except Exception:
            self._spent = True
            raise
        return [_record(record) for records in found.values() for record in records]

    async def position(self, partition: Partition) -> int:
        """Return the offset the next `fetch` continues at; markers that were read are passed."""
        tp = self._topic_partitions[partition]
        return int(await self._ask(self._consumer.position(tp), tp))

    async def beginning(self, partition: Partition) -> int:
        """Return the first offset that still exists."""
        tp = self._topic_partitions[partition]
        return int((await self._ask(self._consumer.beginning_offsets([tp]), tp))[tp])

    async def end(self, partition: Partition) -> int:
        """Return the last stable offset: aiokafka asks at the isolation level of its consumer."""
        tp = self._topic_partitions[partition]
        return int((await self._ask(self._consumer.end_offsets([tp]), tp))[tp])

    async def offset_at(self, partition: Partition, timestamp_ms: int) -> int | None:
        """Return the first offset at or after a time; None if there is none."""
        tp = self._topic_partitions[partition]
        question = self._consumer.offsets_for_times({tp: max(0, timestamp_ms)})
        found = (await self._ask(question, tp))[tp]
        return None if found is None else int(found.offset)

    async def aclose(self) -> None:
        """Let go, within a bounded time, whatever state the connection is in."""
        self._spent = True
        await cut_consumer(self._consumer)

    async def _fetch(self, timeout_s: float, max_records: int) -> dict[TopicPartition, Any]:
        tps = self._topic_partitions.values()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self._consumer.resume(*tps)
        try:
            # In this task, unlike `within`: records handed to a task that nobody awaits any more
            # would be lost, and the position is past them.
            async with asyncio.timeout(timeout_s + GRACE_S):
                found: dict[TopicPartition, Any] = await self._consumer.getmany(
                    timeout_ms=int(timeout_s * 1000), max_records=max_records
                )
        except FOREIGN as error:
            raise read_error(error, "fetch") from error
        if found:
            self._consumer.pause(*tps)
        self._listen(found, loop.time() - begun)
        return found

    def _listen(self, found: dict[TopicPartition, Any], waited_s: float) -> None:
        for tp in self._silence_s:
            answered_at = self._consumer.last_poll_timestamp(tp)
            quiet = tp not in found and answered_at == self._answered_at.get(tp)
            self._silence_s[tp] = self._silence_s[tp] + waited_s if quiet else 0.0
            self._answered_at[tp] = answered_at
            if self._silence_s[tp] > SILENCE_S:
                raise TransportError(f"no answer from the log @ {tp.topic}/{tp.partition}")

    async def _ask(self, question: Coroutine[Any, Any, T], tp: TopicPartition) -> T:
        place = f"offsets @ {tp.topic}/{tp.partition}"
        try:
            return await within(CALL_S, question, place)
        except FOREIGN as error:
            raise read_error(error, place) from error


def _record(record: ConsumerRecord) -> Record:
    return Record(
        partition=Partition(record.topic, record.partition),
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        # We write no tombstones; somebody else's is a record that fits no format.
        value=record.value or b"",
        headers=record.headers,
    )


async def open_reader(address: KafkaAddress, partitions: Sequence[Partition]) -> KafkaReader:
    """
    Open a reader of exactly these partitions, each at its beginning.

    Raises:
        TransportError: Kafka did not answer, or a partition does not exist.
    """
    consumer = AIOKafkaConsumer(
        **address.options(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        check_crcs=True,
        fetch_min_bytes=1,
        fetch_max_wait_ms=LONG_POLL_MS,
    )
    try:
        await within(OPEN_S, _start(consumer, partitions), "opening a reader")
    except FOREIGN as error:
        await cut_consumer(consumer)
        raise read_error(error, "opening a reader") from error
    except BaseException:
        await cut_consumer(consumer)
        raise
    return KafkaReader(consumer, partitions)


async def _start(consumer: AIOKafkaConsumer, partitions: Sequence[Partition]) -> None:
    tps = [TopicPartition(*p) for p in partitions]
    consumer.assign(tps)
    await consumer.start()
    consumer.pause(*tps)
    if not await consumer.seek_to_beginning(*tps):
        raise kafka.KafkaTimeoutError


async def cut_consumer(consumer: AIOKafkaConsumer) -> None:
    """End *consumer* within a bounded time; nothing is committed and no group is left."""
    consumer._closed = True  # noqa: SLF001 (its destructor would complain)
    parts = (consumer._client, consumer._fetcher, consumer._coordinator)  # noqa: SLF001
    await cut(*parts)
