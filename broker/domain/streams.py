"""
What the broker needs of a log: partitions, order, transactions, fencing.

Two logs keep these promises: Apache Kafka (`broker.runtime.kafka`) and one process's memory
(`broker.runtime.memory`). The contract suite in tests/contracts holds both to them.

A reader never joins a group by itself: whoever reads a partition says so (`Log.open_reader`) and
says from where. Group membership only tells *which* partitions are one's own (`Log.join`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as it stands in the log; `timestamp_ms` is UTC since the epoch."""

    partition: Partition
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One record to be written to an explicit partition."""

    partition: Partition
    key: bytes | None
    value: bytes
    headers: Headers = ()


class Reader(Protocol):
    """
    Reads given partitions, committed records only, in offset order per partition.

    A partition without a `seek` starts at its beginning.
    """

    def seek(self, partition: Partition, offset: int) -> None:
        """Continue this partition at *offset*; takes effect on the next `fetch`."""
        ...

    async def fetch(self, timeout_s: float, max_records: int = 500) -> list[Record]:
        """
        Return what is there, at most *max_records*; wait up to *timeout_s* for the first record.

        Raises:
            TransportError: The log is away or an offset no longer exists; open a new reader.
        """
        ...

    async def position(self, partition: Partition) -> int:
        """
        Return the offset the next `fetch` continues at.

        Passes over transaction markers: it reaches `end` once everything before has been fetched,
        though the last offsets before it hold no record.
        """
        ...

    async def beginning(self, partition: Partition) -> int:
        """Return the first offset that still exists."""
        ...

    async def end(self, partition: Partition) -> int:
        """Return the offset after the last committed record (the last stable offset)."""
        ...

    async def offset_at(self, partition: Partition, timestamp_ms: int) -> int | None:
        """Return the first offset at or after a time; None if there is none."""
        ...

    async def aclose(self) -> None:
        """Let go, within a bounded time, whatever state the connection is in."""
        ...


class Producer(Protocol):
    """Writes idempotently; a record's success is known before `send` returns."""

    async def send(self, output: Output) -> int:
        """
        Write one record durably (acks=all) and return its offset.

        Raises:
            UnwritableError: This topic refuses this record for good.
            OutcomeUnknownError: The deadline passed; it may arrive yet. Send the same again.
        """
        ...

    async def aclose(self) -> None:
        """Let go within a bounded time."""
        ...


class TransactionalProducer(Protocol):
    """Owns one transactional id; opening it fences every earlier owner and ends its transaction."""

    async def commit(
        self, outputs: Sequence[Output], offsets: Mapping[Partition, int], group: str
    ) -> None:
        """
        Write all outputs and move the group's offsets, all or nothing.

        After any error this producer is spent: close it and open another. Nothing is aborted by
        hand; the next owner's opening resolves what is in doubt.

        Raises:
            FencedError: Another instance owns the transactional id now.
            UnwritableError: One topic refused its record; nothing was committed.
            OutcomeUnknownError: It may or may not have been committed.
        """
        ...

    async def aclose(self) -> None:
        """Let go within a bounded time."""
        ...


Assigned = Callable[[frozenset[Partition]], Awaitable[None]]
"""Told the full set of one's partitions after every change; empty while a change is under way."""


class Membership(Protocol):
    """A place in a consumer group; keeps itself alive until closed."""

    @property
    def healthy(self) -> bool:
        """Whether the group has heard of us recently."""
        ...

    async def aclose(self) -> None:
        """Leave the group."""
        ...


class Log(Protocol):
    """A partitioned log."""

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions; 0 if the topic does not exist."""
        ...

    async def open_producer(self) -> Producer:
        """Open an idempotent producer."""
        ...

    async def open_transactional_producer(self, transactional_id: str) -> TransactionalProducer:
        """Take over *transactional_id*: when this returns, no earlier owner can commit any more."""
        ...

    async def open_reader(self, partitions: Sequence[Partition]) -> Reader:
        """Open a reader of exactly these partitions."""
        ...

    async def committed(self, group: str, partition: Partition) -> int | None:
        """
        Return the group's committed offset; None if it never committed.

        Sure only after `open_transactional_producer` has taken over from whoever committed: a log
        may answer a commit a moment before it shows.
        """
        ...

    async def join(self, group: str, topic: str, assigned: Assigned) -> Membership:
        """Join *group* for the partitions of *topic*; *assigned* is awaited on every change."""
        ...

    async def aclose(self) -> None:
        """Close whatever the log itself keeps open."""
        ...
