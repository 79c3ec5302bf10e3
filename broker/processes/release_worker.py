"""
One partition of `crisis.events`, released by the protocol of the design.

Take over (which fences whoever was here before and settles their transaction), read back the
state, then batch after batch: decide and encode everything, and only then one transaction for
views, disclosures and offset. After any error the outcome is unknown: throw the producer away
and take over again. Nothing is aborted by hand and nothing is reused.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

import structlog

from broker.domain.errors import FencedError, InputError, TransportError, UnwritableError
from broker.domain.streams import Log, Partition, Reader, Record, TransactionalProducer
from broker.processes.release_batch import Batch, Frames
from broker.processes.release_decider import Decided, Decider, LanesMissing
from broker.processes.release_lanes import Lanes
from broker.processes.release_refusals import Refusals
from broker.processes.release_state import PartitionState, RouteKey, recover
from broker.runtime import metrics
from broker.runtime.clock import Clock
from broker.runtime.settings import ReleaseSettings
from broker.runtime.topics import events_topic, release_topic
from broker.runtime.waiting import wait_or_stop

log = structlog.get_logger()

FETCH_S = 0.5
"""How long a fetch waits when there is nothing; bounds how late a stop or a held retry is seen."""

BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Between take-overs after failures in a row."""

FENCED_S = 1.0
"""After somebody took over: long enough for the group to say whose the partition is, and short
enough that a partition which is ours after all does not stand still."""

SETTLED = frozenset({"needs-person", "suspended", "no-agreement", "environment", "oversize"})
"""Why a route is held for as long as this process lives: asking again gives the same answer."""

MOST_SEEN = 500_000
"""Event ids a worker remembers at the most: far beyond the window at any volume of a county."""


class EventsLostError(TransportError):
    """Kafka has lost events that were not released, or the offsets of those that were."""

    code = "events-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all workers of one process share."""

    log: Log
    decider: Decider
    lanes: Lanes
    frames: Frames
    namespace: str
    cluster: str
    secret: bytes
    settings: ReleaseSettings
    clock: Clock

    @property
    def group(self) -> str:
        """Consumer group whose offsets say how far each partition has been released."""
        return f"{self.namespace}.release"


class PartitionWorker:
    """Releases one partition until told to stop."""

    def __init__(self, site: Site, number: int, *, is_owned: Callable[[], bool]) -> None:
        self._site = site
        self._number = number
        self._is_owned = is_owned
        self._events = Partition(events_topic(site.namespace), number)
        self._state = PartitionState()
        self._producer: TransactionalProducer | None = None
        self._reader: Reader | None = None
        self._refusals = Refusals(site.clock)
        self._settled: set[RouteKey] = set()
        self._next_held_try = site.clock()
        self.position = -1
        self.working = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop*; failures are taken over from, never given up on."""
        failures = 0
        cause = "assigned"
        while not stop.is_set():
            try:
                await self._take_over(cause)
                self.working = True
                while not stop.is_set():
                    await self._step()
                    failures = 0
            except FencedError:
                # Somebody else owns the partition now. Taking it back at once would fight them;
                # the group tells us soon whether it is ours after all.
                cause = "fenced"
                failures += 1
                await wait_or_stop(stop, FENCED_S)
            except TransportError as error:
                cause = error.code
                log.warning("release interrupted", partition=self._number, code=error.code)
                await wait_or_stop(stop, BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1
            finally:
                self.working = False
                await self._let_go()
            if not self._is_owned():
                return

    async def _take_over(self, cause: str) -> None:
        site = self._site
        metrics.TAKEOVERS.labels(cause).inc()
        self._producer = await site.log.open_transactional_producer(
            f"release-{site.cluster}-{site.namespace}-{self._number}"
        )
        # INVARIANT: read only now. Before the line above an old owner could still commit.
        committed = await site.log.committed(site.group, self._events)
        self._state = await recover(
            site.log,
            site.namespace,
            self._number,
            now=site.clock(),
            window=site.settings.dedupe_window,
        )
        self._reader = await site.log.open_reader([self._events])
        if committed is not None:
            await self._check_nothing_is_lost(committed)
            self._reader.seek(self._events, committed)
            self.position = committed
        metrics.HELD_ROUTES.labels(str(self._number)).set(self._state.held_count())

    async def _check_nothing_is_lost(self, committed: int) -> None:
        beginning, end = await self._bounds()
        is_lost = not beginning <= committed <= end
        metrics.EVENTS_LOST.labels(str(self._number)).set(is_lost)
        if not is_lost:
            return
        # Kafka no longer has what we have not read, or has less than we have read: going on would
        # lose referrals without a word. A person decides; until then every look says so again.
        log.critical(
            "events are missing from Kafka",
            topic=self._events.topic,
            partition=self._number,
            committed=committed,
            beginning=beginning,
            end=end,
        )
        raise EventsLostError(f"offset out of range @ {self._events.topic}/{self._number}")

    async def _bounds(self) -> tuple[int, int]:
        if self._reader is None:
            raise TransportError("the partition has not been taken over")
        beginning = await self._reader.beginning(self._events)
        return beginning, await self._reader.end(self._events)

    async def _let_go(self) -> None:
        producer, reader = self._producer, self._reader
        self._producer = self._reader = None
        if producer is not None:
            await producer.aclose()
        if reader is not None:
            await reader.aclose()

    async def _step(self) -> None:
        if self._reader is None:
            raise TransportError("the partition has not been taken over")
        records = await self._reader.fetch(FETCH_S, self._site.settings.max_batch)
        if records:
            await self._release(records)
        if self._state.held and self._site.clock() >= self._next_held_try:
            await self._retry_held()

    async def _release(self, records: Sequence[Record]) -> None:
        decided = [(record, await self._decide(record.value)) for record in records]
        batch = self._batch()
        refused = {each for each in self._refusals.standing() if isinstance(each, str)}
        for record, result in decided:
            try:
                if isinstance(result, InputError):
                    raise result
                if batch.is_repeat(result):
                    batch.counts.append(("", "", "repeated"))
                else:
                    batch.add(record, result, refused)
            except InputError as error:
                log.error(
                    "record dead-lettered",
                    topic=self._events.topic,
                    partition=self._number,
                    offset=record.offset,
                    code=error.code,
                )
                batch.add_dead_letter(record, error)
        try:
            await self._commit(batch, {self._events: records[-1].offset + 1})
        except UnwritableError as error:
            self._refuse(error.topic)
            raise
        self.position = records[-1].offset + 1

    async def _decide(self, value: bytes) -> Decided | InputError:
        while True:
            try:
                return self._site.decider.decide(value)
            except LanesMissing as missing:
                for key in missing.keys:
                    await self._site.lanes.make(key)
            except InputError as error:
                return error

    async def _retry_held(self) -> None:
        """Try every held route again, in order, one transaction each: one refusal stops no other."""
        self._next_held_try = self._site.clock() + timedelta(
            seconds=self._site.settings.held_retry_s
        )
        self._site.lanes.forget_held()
        written: set[str] = set()
        standing = self._refusals.standing()
        # Those that were refused before come last, so that they stop no other once more.
        for key in sorted(self._state.held, key=lambda key: key in self._refusals):
            topic = release_topic(self._site.namespace, key[1], key[2])
            if key in self._settled or not standing.isdisjoint((topic, key)):
                continue
            await asyncio.sleep(0)  # many held routes must not keep a new referral waiting
            try:
                if await self._redrive(key):
                    written.add(topic)
            except UnwritableError as error:
                if error.topic == topic:
                    self._refuse_route(key, topic_is_written=topic in written)
                raise

    async def _redrive(self, key: RouteKey) -> bool:
        _, recipient, purpose = key
        batch = self._batch()
        for held in self._state.held[key].values():
            decided = await self._decide(held["event"])
            if isinstance(decided, InputError):
                break
            result = next(
                (
                    route
                    for route in decided.routes
                    if (route.recipient, route.purpose) == (recipient, purpose)
                ),
                None,
            )
            if result is None or result.outcome == "held":
                if result is None or result.reason in SETTLED:
                    self._settled.add(key)
                break
            batch.add_redriven(held, decided, result)
        if batch.outputs:
            await self._commit(batch, {})
            self._refusals.forget(key)
        return bool(batch.outputs)

    def _batch(self) -> Batch:
        return Batch(
            namespace=self._site.namespace,
            number=self._number,
            secret=self._site.secret,
            frames=self._site.frames,
            now=self._site.clock(),
            state=self._state,
        )

    async def _commit(self, batch: Batch, offsets: dict[Partition, int]) -> None:
        if self._producer is None:
            raise TransportError("the partition has not been taken over")
        await self._producer.commit(batch.outputs, offsets, self._site.group)
        if self._refusals:
            for topic in {output.partition.topic for output in batch.outputs}:
                self._refusals.forget(topic)
        batch.commit_to(self._state)
        self._forget_old()
        self._count(batch)

    def _refuse(self, topic: str) -> None:
        if ".release." not in topic:
            return  # our own records cannot be written: that is back-pressure, not a route's fault
        self._refusals.add(topic)
        log.error("route unwritable, holding its views", topic=topic, partition=self._number)

    def _refuse_route(self, key: RouteKey, *, topic_is_written: bool) -> None:
        _, recipient, purpose = key
        self._refusals.add(key)
        # The others of its lane have waited long enough: they are tried next.
        self._next_held_try = self._site.clock()
        if not topic_is_written and not self._refusals.is_alone(key):
            self._refuse(release_topic(self._site.namespace, recipient, purpose))
        log.error("held route unwritable", referral_id=key[0], recipient=recipient,
                  purpose=purpose, partition=self._number)  # fmt: skip

    def _forget_old(self) -> None:
        # Insertion order is time order: what is beyond any repeat falls off the front.
        for _ in range(len(self._state.seen) - MOST_SEEN):
            del self._state.seen[next(iter(self._state.seen))]

    def _count(self, batch: Batch) -> None:
        for (recipient, purpose, outcome), group in groupby(sorted(batch.counts)):
            number = len(list(group))
            metrics.DECISIONS.labels(recipient, purpose, outcome).inc(number)
            if outcome == "envelope_only":
                metrics.ENVELOPE_ONLY.labels(recipient, purpose).inc(number)
        for code in batch.dead:
            metrics.DEAD_LETTERS.labels("release", code).inc()
        for recipient, purpose in batch.safety:
            metrics.WITHHELD_SAFETY.labels(recipient, purpose).inc()
        metrics.HELD_ROUTES.labels(str(self._number)).set(self._state.held_count())
        now = self._site.clock()
        for recorded in batch.recorded:
            metrics.RELEASE_SECONDS.observe(max(0.0, (now - recorded).total_seconds()))
