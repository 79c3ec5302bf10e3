"""
From the release topics into the inbox.

Every partition of every lane is read by this one instance, from where the inbox says. A record
that cannot be opened takes its place in the inbox like any other, parked: nothing is skipped.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from broker.domain import ids
from broker.domain.errors import InputError, TransportError
from broker.domain.streams import Log, Partition, Reader, Record
from broker.processes.deliver_lock import OverSharedError
from broker.processes.deliver_views import ViewOpener
from broker.runtime import metrics
from broker.runtime.clock import Clock
from broker.runtime.inbox import Inbox
from broker.runtime.inbox_rows import NewView
from broker.runtime.log_marks import mark_of, replaced
from broker.runtime.retry import deadline
from broker.runtime.waiting import wait_or_stop

log = structlog.get_logger()

FETCH_S: Final = 0.5
"""How long a fetch waits for the first record; bounds how late a stop is seen."""

MAX_RECORDS: Final = 200
RELEASE_ID: Final = "release-id"
"""Header with the id of a release; believed only where the view itself cannot be read."""

UNKNOWN: Final = "unknown"
AGAIN_S: Final = (0.2, 1.0, 2.0, 5.0)
TOPICS_S: Final = 30.0
"""How often lanes that did not exist are looked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """
    Whose views are read, and from which topics.

    Attributes:
        recipient: Party id.
        purposes: Purpose of each topic.
        secret: Site secret: the request ids are derived with it.
    """

    recipient: str
    purposes: Mapping[str, str]
    secret: bytes


class LaneReader:
    """Reads until told to stop; `problem` says why nothing is read, or None."""

    def __init__(
        self,
        *,
        kafka: Log,
        lanes: Lanes,
        opener: ViewOpener,
        inbox: Inbox,
        clock: Clock,
        taken: Callable[[], None],
    ) -> None:
        self._kafka = kafka
        self._lanes = lanes
        self._opener = opener
        self._inbox = inbox
        self._clock = clock
        self._taken = taken
        self.problem: str | None = "nothing was read yet"

    async def run(self, stop: asyncio.Event) -> None:
        """Read until *stop*; after any trouble begin again from the inbox's positions."""
        failures = 0
        while not stop.is_set():
            try:
                await self._follow(stop)
                failures = 0
            except TransportError as error:
                self.problem = "release topics cannot be read"
                log.warning("reading again", code=error.code, recipient=self._lanes.recipient)
                await wait_or_stop(stop, AGAIN_S[min(failures, len(AGAIN_S) - 1)])
                failures += 1

    async def _follow(self, stop: asyncio.Event) -> None:
        partitions, complete = await self._partitions()
        if not partitions:
            self.problem = "no release topic exists yet"
            await wait_or_stop(stop, AGAIN_S[-1])
            return
        reader = await self._kafka.open_reader(partitions)
        try:
            await self._seek(reader, partitions)
            self.problem = None
            await self._read(reader, stop, None if complete else self._now_s() + TOPICS_S)
        finally:
            await reader.aclose()

    async def _read(self, reader: Reader, stop: asyncio.Event, until_s: float | None) -> None:
        while not stop.is_set() and (until_s is None or self._now_s() < until_s):
            records = await reader.fetch(FETCH_S, MAX_RECORDS)
            if records:
                await self.take(records)

    async def take(self, records: Sequence[Record]) -> None:
        """Store views and positions in one commit, then tell that something is there."""
        now = self._clock()
        views = [await self._view(record, now) for record in records]
        positions = {record.partition: record.offset + 1 for record in records}
        marks = {record.partition: mark_of(record, self._lanes.secret) for record in records}
        await self._inbox.take(views, positions, now, marks=marks)
        self._taken()

    async def _partitions(self) -> tuple[list[Partition], bool]:
        counts = {topic: await self._kafka.partitions(topic) for topic in self._lanes.purposes}
        found = [Partition(topic, n) for topic, count in counts.items() for n in range(count)]
        return found, all(counts.values())

    async def _seek(self, reader: Reader, partitions: Sequence[Partition]) -> None:
        for partition in await self._replaced(reader, partitions):
            await self._inbox.rewind(partition)
            self._call_a_person(partition)
        positions = await self._inbox.positions()
        for partition in partitions:
            beginning = await reader.beginning(partition)
            position = positions.get(partition, beginning)
            if position < beginning:
                # Retention ran over views that nobody took: this must never pass in silence.
                metrics.VIEWS_LOST.labels(self._lanes.recipient).inc(beginning - position)
                log.error("views were deleted before they were read", topic=partition.topic,
                          partition=partition.number, offset=position)  # fmt: skip
            reader.seek(partition, max(position, beginning))

    async def _replaced(
        self, reader: Reader, partitions: Sequence[Partition]
    ) -> frozenset[Partition]:
        marks = await self._inbox.marks()
        ours = {partition: marks[partition] for partition in partitions if partition in marks}
        return await replaced(reader, ours, self._lanes.secret)

    def _call_a_person(self, partition: Partition) -> None:
        # What comes twice is dropped by its event id or goes out under the same request id; what
        # stood in the old log and was never taken is gone, and only people can find out what.
        metrics.LOG_REPLACED.labels(self._lanes.recipient).inc()
        metrics.PAGES.labels(self._lanes.recipient, "log-replaced").inc()
        log.error("release topic is not the one that was read before: views may be lost, compare"
                  " disclosures with what the recipient has", topic=partition.topic,
                  partition=partition.number, recipient=self._lanes.recipient)  # fmt: skip

    async def _view(self, record: Record, now: datetime) -> NewView:
        purpose = self._lanes.purposes[record.partition.topic]
        try:
            decoded = await self._opener.decode(record.value)
        except InputError as error:
            _report(record, error)
            return self._unreadable(record, purpose, now)
        due_by = None
        try:
            self._opener.check(decoded, purpose)
        except OverSharedError as error:
            await self._close(purpose, error, now)
        except InputError as error:
            _report(record, error)
            due_by = now
        return self._readable(record, purpose, decoded.native, due_by)

    def _readable(
        self, record: Record, purpose: str, native: Mapping[str, Any], due_by: datetime | None
    ) -> NewView:
        envelope = native["envelope"]
        rank, accepted_at = envelope["urgency"]["rank"], envelope["recorded_at"]
        return NewView(
            partition=record.partition,
            offset=record.offset,
            event_id=envelope["event_id"],
            purpose=purpose,
            version=native["manifest"]["agreement_version"],
            referral_id=envelope["referral_id"],
            event_type=envelope["event_type"],
            environment=envelope["environment"],
            rank=rank,
            request_id=self._request_id(envelope["event_id"], purpose),
            accepted_at=accepted_at,
            deadline=due_by or deadline(rank, accepted_at),
            value=record.value,
        )

    def _unreadable(self, record: Record, purpose: str, now: datetime) -> NewView:
        # Known by its place and bytes only, and overdue from the start: a person is paged at once.
        digest = mark_of(record, self._lanes.secret).digest.hex()
        place = f"{record.partition.topic}/{record.partition.number}/{record.offset}/{digest}"
        stand_in = ids.event_id(self._lanes.secret, self._lanes.recipient, place)
        stated = dict(record.headers).get(RELEASE_ID)
        return NewView(
            partition=record.partition,
            offset=record.offset,
            event_id=stand_in,
            purpose=purpose,
            version=0,
            referral_id=_id_in(record.key) or stand_in,
            event_type=UNKNOWN,
            environment=UNKNOWN,
            rank=UNKNOWN,
            request_id=_id_in(stated) or self._request_id(stand_in, purpose),
            accepted_at=now,
            deadline=now,
            value=record.value,
        )

    async def _close(self, purpose: str, error: OverSharedError, now: datetime) -> None:
        await self._inbox.lanes.close(purpose, error.code, now)
        metrics.LANE_CLOSED.labels(self._lanes.recipient).set(1)
        log.error("lane closed", code=error.code, rule=str(error),
                  recipient=self._lanes.recipient, purpose=purpose)  # fmt: skip

    def _request_id(self, event_id: str, purpose: str) -> str:
        return ids.release_id(self._lanes.secret, event_id, self._lanes.recipient, purpose)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _report(record: Record, error: InputError) -> None:
    place = record.partition
    log.error("view cannot be delivered as it stands", code=error.code, topic=place.topic,
              partition=place.number, offset=record.offset)  # fmt: skip


def _id_in(raw: bytes | None) -> str | None:
    text = (raw or b"").decode("ascii", "replace")
    is_id = len(text) == ids.ID_HEX_DIGITS and all(char in "0123456789abcdef" for char in text)
    return text if is_id else None
