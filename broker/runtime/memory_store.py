"""What a log in memory keeps: topics, partitions, owners of transactional ids, committed offsets."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from broker.domain.errors import FencedError, UnwritableError
from broker.domain.streams import Output, Partition
from broker.runtime.memory_partition import COMMITTED, MemoryPartition, Outcome, Transaction

DEFAULT_PARTITIONS = 12
MAX_RECORD_BYTES = 4 * 1024 * 1024


def wall_ms() -> int:
    """Return the milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True, eq=False)
class Ownership:
    """The latest opening of a transactional id, and what its open transaction has touched."""

    transaction: Transaction | None = None
    written: dict[Partition, None] = field(default_factory=dict)
    offsets: dict[tuple[str, Partition], int] = field(default_factory=dict)


class MemoryStore:
    """The state that producers and readers share; every method happens at once."""

    def __init__(
        self, topics: Mapping[str, int] | None, max_record_bytes: int, now_ms: Callable[[], int]
    ) -> None:
        self._topics = None if topics is None else dict(topics)
        self._max_record_bytes = max_record_bytes
        self._now_ms = now_ms
        self._partitions: dict[Partition, MemoryPartition] = {}
        self._owners: dict[str, Ownership] = {}
        self._committed: dict[tuple[str, Partition], int] = {}

    def add_topic(self, topic: str, partitions: int) -> None:
        """Make a topic, where topics are listed at all and it is not."""
        if self._topics is not None:
            self._topics.setdefault(topic, partitions)

    def count(self, topic: str) -> int:
        """Return the number of partitions; 0 if the topic does not exist."""
        return DEFAULT_PARTITIONS if self._topics is None else self._topics.get(topic, 0)

    def exists(self, partition: Partition) -> bool:
        """Return whether the topic has this partition."""
        return 0 <= partition.number < self.count(partition.topic)

    def partition(self, partition: Partition) -> MemoryPartition:
        """Return where a partition is kept."""
        if partition not in self._partitions:
            self._partitions[partition] = MemoryPartition(partition)
        return self._partitions[partition]

    def committed(self, group: str, partition: Partition) -> int | None:
        """Return the group's committed offset; None if it never committed."""
        return self._committed.get((group, partition))

    def check_writable(self, outputs: Iterable[Output]) -> None:
        """Refuse what Kafka would refuse."""
        for output in outputs:
            if not self.exists(output.partition):
                raise UnwritableError(output.partition.topic, "no such topic or partition")
            headers = sum(len(name) + len(value) for name, value in output.headers)
            if len(output.key or b"") + len(output.value) + headers > self._max_record_bytes:
                raise UnwritableError(output.partition.topic, "record too large")

    def append(self, output: Output, transaction: Transaction = COMMITTED) -> int:
        """Add a record to its partition and return its offset."""
        return self.partition(output.partition).append(output, self._now_ms(), transaction)

    def take_over(self, transactional_id: str) -> Ownership:
        """Abort the open transaction of the last owner and fence it."""
        if previous := self._owners.get(transactional_id):
            self.end(previous, Outcome.ABORTED)
        self._owners[transactional_id] = Ownership()
        return self._owners[transactional_id]

    def require_owner(self, transactional_id: str, ownership: Ownership) -> None:
        """Refuse whoever is not the last to have opened *transactional_id*."""
        if self._owners.get(transactional_id) is not ownership:
            raise FencedError(f"another instance owns this transactional id @ {transactional_id}")

    def end(self, ownership: Ownership, outcome: Outcome) -> None:
        """Decide an owner's open transaction, if it has one: outputs and offsets together."""
        if ownership.transaction is None:
            return
        ownership.transaction.outcome = outcome
        for partition in ownership.written:
            self.partition(partition).mark_end(ownership.transaction)
        if outcome is Outcome.COMMITTED:
            self._committed.update(ownership.offsets)
        ownership.transaction = None
        ownership.written.clear()
        ownership.offsets.clear()
