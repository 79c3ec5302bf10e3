"""
What Kafka knows about topics and groups, asked by one plain client: no consumer, no group, no task.

It never makes a topic: aiokafka's own metadata requests ask a broker to auto-create what is
missing, ours forbid it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiokafka.errors as kafka
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from broker.domain.errors import TransportError
from broker.domain.streams import Partition
from broker.runtime.deadlines import within
from broker.runtime.kafka_connection import RETRY_BACKOFF_MS, KafkaAddress, cut
from broker.runtime.kafka_errors import FOREIGN, read_error

LOOKUP_S = 10.0

T = TypeVar("T")
Question = Callable[[AIOKafkaClient], Awaitable[T]]

_GONE = (kafka.UnknownTopicOrPartitionError, kafka.InvalidTopicError)


async def partition_count(client: AIOKafkaClient, topic: str) -> int:
    """
    Ask one broker how many partitions *topic* has; 0 if it has none or does not exist.

    Raises:
        aiokafka.errors.KafkaError: No broker answered, or the topic may not be described.
    """
    request = MetadataRequest([topic], allow_auto_topic_creation=False)
    node = client.get_random_node()
    if node is None:
        raise kafka.NoBrokersAvailable
    response = await client.send(node, request)
    ((code, _, _, partitions),) = response.topics
    error = kafka.for_code(code)
    if error in _GONE:
        return 0
    if error is not kafka.NoError:
        raise error(topic)
    return len(partitions)


class KafkaLookup:
    """Metadata and committed offsets; connects when first asked, and anew after any error."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._client: AIOKafkaClient | None = None
        self._one_at_a_time = asyncio.Lock()

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions; 0 if the topic does not exist."""
        return await self._ask(lambda client: partition_count(client, topic), f"topic {topic}")

    async def committed(self, group: str, partition: Partition) -> int | None:
        """
        Return the group's committed offset; None if it never committed.

        To be asked only after the take-over. aiokafka's OffsetFetch is version 3, which cannot ask
        for stable offsets: the answer leaves out what an open transaction is about to move. Once
        InitProducerId has answered the new owner there is no such transaction: the coordinator
        answers CONCURRENT_TRANSACTIONS until every marker of the old one, that of the offsets
        partition included, is written, and no later one of the old owner can begin.
        """
        return await self._ask(
            lambda client: _committed(client, group, partition),
            f"offsets of group {group} @ {partition.topic}/{partition.number}",
        )

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client:
            await cut(client)

    async def _ask(self, question: Question[T], place: str) -> T:
        async with self._one_at_a_time:
            try:
                return await within(LOOKUP_S, self._answer(question), place)
            except FOREIGN as error:
                await self.aclose()
                raise read_error(error, place) from error
            except TransportError:
                await self.aclose()
                raise

    async def _answer(self, question: Question[T]) -> T:
        if self._client is None:
            self._client = AIOKafkaClient(**self._address.options())
            await self._client.bootstrap()
        return await question(self._client)


async def _committed(client: AIOKafkaClient, group: str, partition: Partition) -> int | None:
    request = OffsetFetchRequest(group, [(partition.topic, [partition.number])])
    while True:
        try:
            node = await client.coordinator_lookup(CoordinationType.GROUP, group)
            response = await client.send(node, request, group=ConnectionGroup.COORDINATION)
            return _offset_in(response)
        except kafka.KafkaError as error:
            # An unknown partition may also be one that we may not see: taken for "never
            # committed", as aiokafka's own consumer does, it would send everything once more.
            if not error.retriable or isinstance(error, kafka.UnknownTopicOrPartitionError):
                raise
            await client.force_metadata_update()
            await asyncio.sleep(RETRY_BACKOFF_MS / 1000)


def _offset_in(response: Any) -> int | None:
    if code := getattr(response, "error_code", 0):
        raise kafka.for_code(code)
    ((_, ((_, offset, _, code),)),) = response.topics
    if code:
        raise kafka.for_code(code)
    return int(offset) if offset >= 0 else None
