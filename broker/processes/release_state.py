"""
What a release worker knows of its partition, all of it read back from Kafka at a take-over.

* the head of the disclosure chain, which the next record seals in;
* the ids of recent events, so that a repeat makes no second view;
* what is held, so that a later event of that referral does not overtake it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from broker.codec.disclosures import GENESIS, chain_of, read_disclosure, read_held
from broker.domain.errors import TransportError
from broker.domain.streams import Log, Partition, Reader, Record
from broker.runtime.topics import disclosures_topic, held_topic

RouteKey = tuple[str, str, str]
"""Referral id, recipient, purpose."""

READ_S = 0.2
"""How long one fetch waits while reading back."""

PATIENCE_S = 30.0
"""How long reading back may bring nothing before the partition counts as unreadable."""


@dataclass(slots=True)
class PartitionState:
    """Chain head, recent event ids and held routes of one partition."""

    chain: bytes = GENESIS
    seen: dict[str, bytes] = field(default_factory=dict)
    held: dict[RouteKey, dict[str, Any]] = field(default_factory=dict)

    def take_held(self, record: dict[str, Any]) -> None:
        """Apply one record of `held`: held ones join in order, resolved ones leave."""
        key = (record["referral_id"], record["recipient"], record["purpose"])
        waiting = self.held.setdefault(key, {})
        if record["kind"] == "held":
            waiting[record["release_id"]] = record
        else:
            waiting.pop(record["release_id"], None)
        if not waiting:
            del self.held[key]

    def held_count(self) -> int:
        """Return how many (event, route) pairs wait."""
        return sum(map(len, self.held.values()))


async def recover(
    log: Log, namespace: str, number: int, *, now: datetime, window: timedelta
) -> PartitionState:
    """
    Read back the state of partition *number*.

    Call it only when earlier owners are fenced and their transactions resolved: from then on
    nobody else adds to these partitions.

    Raises:
        TransportError: The log does not answer; take over again.
    """
    disclosures = Partition(disclosures_topic(namespace), number)
    held = Partition(held_topic(namespace), number)
    state = PartitionState()
    reader = await log.open_reader([disclosures])
    try:
        since = int((now - window).timestamp() * 1000)
        async for record in _recent(reader, disclosures, since):
            found = read_disclosure(record.value)
            state.chain = chain_of(record.value)
            state.seen[found["event_id"]] = found["content_digest"]
    finally:
        await reader.aclose()
    reader = await log.open_reader([held])
    try:
        async for record in read_range(reader, held, await reader.beginning(held)):
            state.take_held(dict(read_held(record.value)))
    finally:
        await reader.aclose()
    return state


async def _recent(reader: Reader, partition: Partition, since_ms: int) -> AsyncIterator[Record]:
    beginning, end = await reader.beginning(partition), await reader.end(partition)
    start = await reader.offset_at(partition, since_ms)
    found_recent = False
    if start is not None and start < end:
        async for record in read_range(reader, partition, start):
            found_recent = True
            yield record
    if found_recent:
        return
    # Nothing recent, or only what was aborted: the chain's head stands further back, behind
    # offsets that hold no committed record.
    stride = 4
    while end > beginning:
        start = max(beginning, end - stride)
        found = [record async for record in read_range(reader, partition, start)]
        if found or start == beginning:
            for record in found:
                yield record
            return
        stride *= 8


async def read_range(reader: Reader, partition: Partition, start: int) -> AsyncIterator[Record]:
    """Yield the committed records from *start* to where the end is now."""
    end = await reader.end(partition)
    reader.seek(partition, start)
    idle_s = 0.0
    while start < end and await reader.position(partition) < end:
        records = await reader.fetch(READ_S)
        idle_s = 0.0 if records else idle_s + READ_S
        if idle_s > PATIENCE_S:
            raise TransportError(f"reading back stands still @ {partition.topic}")
        for record in records:
            if record.offset < end:
                yield record
