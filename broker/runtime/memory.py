"""
The log as one process's memory keeps it, for one event loop: demo, tests and simulation.

It keeps order, transactions, fencing and groups as Kafka does, and forgets everything with the
process. It invents no faults: whoever wants some puts them around it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from broker.domain.errors import TransportError
from broker.domain.streams import Assigned, Partition
from broker.runtime.memory_group import MemoryGroup, MemoryMembership
from broker.runtime.memory_producer import MemoryProducer, MemoryTransactionalProducer
from broker.runtime.memory_reader import MemoryReader
from broker.runtime.memory_store import MAX_RECORD_BYTES, MemoryStore, wall_ms


class MemoryLog:
    """A partitioned log in memory."""

    def __init__(
        self,
        topics: Mapping[str, int] | None = None,
        *,
        max_record_bytes: int = MAX_RECORD_BYTES,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """
        Start empty.

        Args:
            topics: Partitions by topic; None means that every topic exists, with
                `memory_store.DEFAULT_PARTITIONS`.
            max_record_bytes: Larger records are refused; key, value and headers together.
            now_ms: Where timestamps come from.
        """
        self._store = MemoryStore(topics, max_record_bytes, now_ms)
        self._groups: dict[tuple[str, str], MemoryGroup] = {}

    def add_topic(self, topic: str, partitions: int) -> None:
        """Make a topic, where the topics were given."""
        self._store.add_topic(topic, partitions)

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions; 0 if the topic does not exist."""
        await asyncio.sleep(0)
        return self._store.count(topic)

    async def open_producer(self) -> MemoryProducer:
        """Open a producer."""
        await asyncio.sleep(0)
        return MemoryProducer(self._store)

    async def open_transactional_producer(
        self, transactional_id: str
    ) -> MemoryTransactionalProducer:
        """Take over *transactional_id*: when this returns, no earlier owner can commit any more."""
        await asyncio.sleep(0)
        ownership = self._store.take_over(transactional_id)
        return MemoryTransactionalProducer(self._store, transactional_id, ownership)

    async def open_reader(self, partitions: Sequence[Partition]) -> MemoryReader:
        """Open a reader of exactly these partitions."""
        await asyncio.sleep(0)
        for partition in partitions:
            if not self._store.exists(partition):
                raise TransportError(f"no such topic or partition @ {partition.topic}")
        return MemoryReader({p: self._store.partition(p) for p in partitions})

    async def committed(self, group: str, partition: Partition) -> int | None:
        """Return the group's committed offset; None if it never committed."""
        await asyncio.sleep(0)
        return self._store.committed(group, partition)

    async def join(self, group: str, topic: str, assigned: Assigned) -> MemoryMembership:
        """Join *group* for the partitions of *topic*; *assigned* is awaited on every change."""
        count = await self.partitions(topic)
        if not count:
            raise TransportError(f"no such topic @ {topic}")
        if (group, topic) not in self._groups:
            partitions = tuple(Partition(topic, n) for n in range(count))
            self._groups[group, topic] = MemoryGroup(group, partitions)
        return self._groups[group, topic].join(assigned)

    async def aclose(self) -> None:
        """Keep everything: the log ends with its last reference."""
