"""
From the inbox to the agency: urgent first, one in flight for each referral, several at once.

A view that fails comes back later and holds up its own referral only. Whatever passes its deadline
is parked and paged once, and is tried slowly until a person resolves it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from broker.domain.errors import BrokerError, OutcomeUnknownError, TransportError
from broker.processes.deliver_agency import Agency, Answer
from broker.processes.deliver_lock import OverSharedError
from broker.processes.deliver_views import CANARY, ViewOpener
from broker.runtime import metrics
from broker.runtime.clock import Clock
from broker.runtime.inbox import Inbox
from broker.runtime.inbox_rows import Due, Failure, Parked
from broker.runtime.retry import Chance, next_attempt, retry_after_s
from broker.runtime.waiting import wait_for_any, wait_or_stop
from connectors.contract import Verdict

log = structlog.get_logger()

RECEIPT_FOR: Final = frozenset({"referral_made", "referral_updated", "referral_withdrawn"})
"""Only what goes towards the recipient is receipted: a receipt of a receipt would never end."""

IDLE_S: Final = 5.0
"""Longest nap: a defect in a wake-up costs this much and no more."""

STORE_AGAIN_S: Final = 1.0

Page = Callable[[Parked], Awaitable[None]]
"""Told of each view that needs a person, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """
    How many views are in flight at once.

    Attributes:
        all: In all.
        kept_for_urgent: Of these, never used by views that are not urgent (P10).
    """

    all: int = 16
    kept_for_urgent: int = 4

    @property
    def for_others(self) -> int:
        """At most this many that are not urgent; never none, however few there are in all."""
        return max(1, self.all - self.kept_for_urgent)


class Dispatcher:
    """Delivers to one recipient until told to stop."""

    def __init__(  # noqa: PLR0913 - everything it works with, named
        self,
        *,
        inbox: Inbox,
        agency: Agency,
        opener: ViewOpener,
        page: Page,
        clock: Clock,
        slots: Slots,
        delivered: Callable[[], None] = lambda: None,
        with_receipts: bool = True,
        chance: Chance = random.random,
    ) -> None:
        self._inbox = inbox
        self._agency = agency
        self._opener = opener
        self._page = page
        self._clock = clock
        self._slots = slots
        self._delivered = delivered
        self._with_receipts = with_receipts
        self._chance = chance
        self._recipient = agency.target.recipient
        self._urgent: set[asyncio.Task[None]] = set()
        self._others: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._stop = asyncio.Event()
        self._pause_s = IDLE_S
        self.closed: dict[str, str] = {}

    def wake(self) -> None:
        """Look at the inbox now: something came, or something changed."""
        self._awake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until *stop*; what is in flight then may finish within its own deadline."""
        self._stop = stop
        await self._keep(self._inbox.recover)
        try:
            while not stop.is_set():
                self._awake.clear()
                await self._keep(self.step)
                await wait_for_any(self._pause_s, stop, self._awake)
        finally:
            await self.settled()

    async def step(self) -> None:
        """Start what is due, page for what is overdue, and see when there is more to do."""
        now = self._clock()
        self.closed = await self._inbox.lanes.all()
        free = self._slots.all - len(self._urgent) - len(self._others)
        for_others = self._slots.for_others - len(self._others)
        for due in await self._inbox.claim(now, urgent=free, others=for_others, closed=self.closed):
            self._start(due)
        await self._call(now)
        next_at = await self._inbox.next_due(now)
        until = IDLE_S if next_at is None else (next_at - now).total_seconds()
        self._pause_s = max(0.0, min(IDLE_S, until))
        await self._measure(now)

    async def settled(self) -> None:
        """Wait until nothing is in flight."""
        while in_flight := self._urgent | self._others:
            await asyncio.wait(in_flight)

    def _start(self, due: Due) -> None:
        kind = self._urgent if due.is_urgent else self._others
        task = asyncio.create_task(self._deliver(due), name=f"deliver-{due.number}")
        kind.add(task)

        def finished(task: asyncio.Task[None]) -> None:
            kind.discard(task)
            self.wake()

        task.add_done_callback(finished)

    async def _deliver(self, due: Due) -> None:
        try:
            answer = await self._attempt(due)
        except OverSharedError as error:
            await self._stop_lane(due, error)
        except OutcomeUnknownError as error:
            await self._put_back(due, error.code, reached=True)
        except TransportError as error:
            await self._put_back(due, error.code, reached=False)
        except BrokerError as error:
            await self._put_back(due, error.code, reached=False, park=True)
        except Exception:
            # A defect in a connector must stop neither this lane nor the others: a person looks.
            log.exception("delivery failed by a defect", **_place(due, self._recipient))
            await self._put_back(due, "defect", reached=True, park=True)
        else:
            await self._judge(due, answer)

    async def _stop_lane(self, due: Due, error: OverSharedError) -> None:
        log.error("lane closed", code=error.code, rule=str(error), **_place(due, self._recipient))
        now = self._clock()
        await self._keep(lambda: self._inbox.lanes.close(due.purpose, OverSharedError.code, now))
        await self._put_back(due, error.code, reached=False, park=True)

    async def _attempt(self, due: Due) -> Answer:
        view = await self._opener.open(due)
        if view.envelope["environment"] == CANARY:
            # A canary proves the lane up to our edge; the agency never sees it (P12).
            return Answer(verdict=Verdict.DELIVERED)
        return await self._agency.send(view, now=self._clock(), request_id=due.request_id)

    async def _judge(self, due: Due, answer: Answer) -> None:
        metrics.DELIVERY_ATTEMPTS.labels(self._recipient, answer.verdict).inc()
        if answer.verdict is Verdict.DELIVERED:
            await self._close(due, answer)
        elif answer.verdict is Verdict.REFUSED:
            await self._put_back(due, "refused", reached=True, park=True)
        else:
            asked = retry_after_s(answer.retry_after, self._clock())
            await self._put_back(due, "try-later", reached=True, asked_s=asked)

    async def _close(self, due: Due, answer: Answer) -> None:
        now = self._clock()
        with_receipt = (
            self._with_receipts and due.event_type in RECEIPT_FOR and due.environment != CANARY
        )
        await self._keep(lambda: self._inbox.delivered(due, now, with_receipt=with_receipt))
        metrics.DELIVERED.labels(self._recipient, "yes" if answer.is_repeat else "no").inc()
        metrics.DELIVERY_SECONDS.labels(self._recipient).observe(
            max(0.0, (now - due.taken_at).total_seconds())
        )
        log.info("view delivered", attempts=due.attempts, **_place(due, self._recipient))
        self._delivered()

    async def _put_back(
        self, due: Due, reason: str, *, reached: bool, park: bool = False, asked_s: float = 0.0
    ) -> None:
        now = self._clock()
        again_at = next_attempt(
            rank=due.rank,
            attempts=due.attempts,
            now=now,
            due=now if park else due.deadline,
            chance=self._chance,
            retry_after_s=asked_s,
        )
        failure = Failure(again_at=again_at, reason=reason, reached=reached, park=park)
        log.warning("view not delivered", code=reason, attempts=due.attempts,
                    **_place(due, self._recipient))  # fmt: skip
        await self._keep(lambda: self._inbox.failed(due, failure, now))
        await self._keep(lambda: self._call(now))

    async def _call(self, now: datetime) -> None:
        for parked in await self._inbox.pages.new(now, self.closed):
            await self._page(parked)

    async def _keep(self, work: Callable[[], Awaitable[object]]) -> None:
        # A full disk must not lose what has happened: the same again until it is written. After a
        # stop the row stays in flight, and the next start sends the same id again.
        while True:
            try:
                await work()
            except TransportError as error:
                log.error("inbox cannot be used", code=error.code, recipient=self._recipient)
                if self._stop.is_set():
                    return
                await wait_or_stop(self._stop, STORE_AGAIN_S)
            else:
                return

    async def _measure(self, now: datetime) -> None:
        standing = await self._inbox.standing()
        oldest_at = standing.oldest_at or now
        metrics.LANE_CLOSED.labels(self._recipient).set(bool(self.closed))
        metrics.INBOX_WAITING.labels(self._recipient).set(standing.waiting)
        metrics.PARKED.labels(self._recipient).set(standing.parked)
        metrics.INBOX_OLDEST_SECONDS.labels(self._recipient).set(
            max(0.0, (now - oldest_at).total_seconds())
        )


def _place(due: Due, recipient: str) -> dict[str, str]:
    return {
        "event_id": due.event_id,
        "request_id": due.request_id,
        "recipient": recipient,
        "purpose": due.purpose,
    }
