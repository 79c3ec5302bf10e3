"""
One partition in memory: entries in order, of which the committed ones up to the first open one show.

As in Kafka, the end of a transaction takes an offset of its own: nobody may count on dense offsets.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

from broker.domain.errors import TransportError
from broker.domain.streams import Output, Partition, Record


class Outcome(Enum):
    """What became of a transaction."""

    OPEN = auto()
    COMMITTED = auto()
    ABORTED = auto()


@dataclass(slots=True, eq=False)
class Transaction:
    """What its owner has written so far; all entries of it share its outcome."""

    outcome: Outcome = Outcome.OPEN


COMMITTED = Transaction(Outcome.COMMITTED)
"""Of everything written outside a transaction."""


@dataclass(frozen=True, slots=True)
class _Entry:
    record: Record | None  # None: the end of a transaction
    transaction: Transaction


class MemoryPartition:
    """Entries, their stable end, and who waits for more."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._entries: list[_Entry] = []
        self._stable_end = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def append(self, output: Output, timestamp_ms: int, transaction: Transaction) -> int:
        """Add a record and return its offset; it shows when its transaction is committed."""
        offset = len(self._entries)
        record = Record(
            partition=self._partition,
            offset=offset,
            timestamp_ms=timestamp_ms,
            key=output.key,
            value=output.value,
            headers=output.headers,
        )
        self._entries.append(_Entry(record, transaction))
        self._wake()
        return offset

    def mark_end(self, transaction: Transaction) -> None:
        """Add the entry that ends a transaction, whose outcome is decided by now."""
        self._entries.append(_Entry(None, transaction))
        self._wake()

    def stable_end(self) -> int:
        """Return the offset of the first open entry, else the one after the last."""
        for entry in self._entries[self._stable_end :]:
            if entry.transaction.outcome is Outcome.OPEN:
                break
            self._stable_end += 1
        return self._stable_end

    def read(self, position: int, max_records: int) -> tuple[list[Record], int]:
        """
        Return committed records from *position* on, and the position after them.

        Raises:
            TransportError: There is no such position.
        """
        if position > len(self._entries):
            place = f"{self._partition.topic}/{self._partition.number}"
            raise TransportError(f"offset out of range @ {place}")
        records: list[Record] = []
        end = self.stable_end()
        while position < end and len(records) < max_records:
            entry = self._entries[position]
            position += 1
            if entry.record and entry.transaction.outcome is Outcome.COMMITTED:
                records.append(entry.record)
        return records, position

    def offset_at(self, timestamp_ms: int) -> int | None:
        """Return the first offset at or after a time; as in Kafka, aborted records count."""
        stable = (entry.record for entry in self._entries[: self.stable_end()] if entry.record)
        return next((r.offset for r in stable if r.timestamp_ms >= timestamp_ms), None)

    def wait(self) -> "asyncio.Future[None]":
        """Return a future that is done when something is added; cancel it when no longer needed."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
