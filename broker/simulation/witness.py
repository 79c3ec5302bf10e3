"""
Reads every topic of an installation and writes the chronicle of it, committed records only.

An outage of Kafka is waited out: the reading goes on where it stood.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from broker.codec import avro, wire
from broker.codec.catalogue import Catalogue
from broker.codec.disclosures import held_schema, read_disclosure
from broker.codec.registry import SchemaRegistry, schema_id
from broker.domain.errors import TransportError
from broker.domain.streams import Log, Partition, Record
from broker.runtime import topics
from broker.simulation.chronicle import Chronicle, Event, ViewSeen

FETCH_S: Final = 0.25
AGAIN_S: Final = 0.5
MANY: Final = 2000


class Witness:
    """
    Follows the topics of one namespace.

    Attributes:
        chronicle: What has been read so far.
        changed: Set whenever something was read.
    """

    def __init__(
        self,
        log: Log,
        *,
        namespace: str,
        lanes: Iterable[tuple[str, str]],
        catalogue: Catalogue,
        registry: SchemaRegistry,
    ) -> None:
        self.chronicle = Chronicle()
        self.changed = asyncio.Event()
        self._log = log
        self._namespace = namespace
        self._registry = registry
        self._lanes = {topics.release_topic(namespace, *lane): lane for lane in lanes}
        self._events = {schema_id(each.schema): each.schema for each in catalogue.events.values()}
        self._next: dict[Partition, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Read until *stop*."""
        while not stop.is_set():
            try:
                await self._follow(stop)
            except TransportError:
                await asyncio.sleep(AGAIN_S)

    async def until(self, done: Callable[[Chronicle], bool], timeout_s: float) -> bool:
        """Wait until the chronicle satisfies *done*; False if it did not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not done(self.chronicle):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True

    async def lag(self) -> int:
        """Return how many committed offsets have not been read yet."""
        reader = await self._log.open_reader(await self._partitions())
        try:
            ends = {each: await reader.end(each) for each in await self._partitions()}
        finally:
            await reader.aclose()
        return sum(max(0, end - self._next.get(each, 0)) for each, end in ends.items())

    async def _follow(self, stop: asyncio.Event) -> None:
        partitions = await self._partitions()
        reader = await self._log.open_reader(partitions)
        try:
            for partition, offset in self._next.items():
                reader.seek(partition, offset)
            while not stop.is_set():
                for record in await reader.fetch(FETCH_S, MANY):
                    await self._take(record)
                for partition in partitions:
                    self._next[partition] = await reader.position(partition)
                self.changed.set()
        finally:
            await reader.aclose()

    async def _partitions(self) -> list[Partition]:
        names = (
            topics.events_topic(self._namespace),
            topics.disclosures_topic(self._namespace),
            topics.held_topic(self._namespace),
            topics.dead_letters_topic(self._namespace),
            *self._lanes,
        )
        counts = {name: await self._log.partitions(name) for name in names}
        return [
            Partition(name, number) for name, count in counts.items() for number in range(count)
        ]

    async def _take(self, record: Record) -> None:
        topic, chronicle = record.partition.topic, self.chronicle
        if topic in self._lanes:
            chronicle.views.append(await self._view(record, *self._lanes[topic]))
        elif topic == topics.events_topic(self._namespace):
            chronicle.add_event(self._event(record))
        elif topic == topics.disclosures_topic(self._namespace):
            chronicle.disclosures.append(read_disclosure(record.value))
        elif topic == topics.held_topic(self._namespace):
            _, start = wire.unframe(record.value)
            chronicle.held.append(avro.decode(held_schema(), record.value[start:]))
        else:
            chronicle.dead.append(dict(record.headers))
        # After every record, not every batch: an outage in between must not show one twice.
        self._next[record.partition] = record.offset + 1

    def _event(self, record: Record) -> Event:
        number, start = wire.unframe(record.value)
        native: Mapping[str, Any] = avro.decode(self._events[number], record.value[start:])
        return Event(
            place=(record.partition.number, record.offset),
            native=native,
            size_bytes=len(record.value),
            seen_at_ms=record.timestamp_ms,
        )

    async def _view(self, record: Record, recipient: str, purpose: str) -> ViewSeen:
        number, start = wire.unframe(record.value)
        schema = await self._registry.schema(number)
        return ViewSeen(
            recipient=recipient,
            purpose=purpose,
            release_id=dict(record.headers)["release-id"].decode(),
            native=avro.decode(schema, record.value[start:]),
            schema=schema,
            value=record.value,
            seen_at_ms=record.timestamp_ms,
        )
