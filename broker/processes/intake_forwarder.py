"""
Hands the outbox over to Kafka.

An entry is marked only after Kafka has confirmed it. After any doubt the producer is thrown away
and the same entries are sent again: a repeat is dropped later by its event id, a loss would not
be noticed. Kafka being away never reaches the caller of intake.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from broker.domain.errors import TransportError, UnwritableError
from broker.domain.streams import Log, Output, Partition, Producer
from broker.processes.intake_queue import ForwardQueue
from broker.runtime import metrics
from broker.runtime.clock import Clock, utc_now
from broker.runtime.outbox import Outbox, Waiting
from broker.runtime.retry import priority
from broker.runtime.waiting import wait_or_stop

URGENT = priority("urgent")
log = structlog.get_logger()

Pause = Callable[[asyncio.Event, float], Awaitable[None]]
"""Waits a number of seconds, or until the stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How fast and how patient the forwarder is.

    Attributes:
        in_flight: Referrals sent at the same time.
        kept_free: Of these, places that only urgent ones may take.
        first_pause_s: Pause after the first failure of a producer; doubles.
        longest_pause_s: The longest pause.
        parked_s: How long a refused entry waits before it is tried again.
    """

    in_flight: int = 32
    kept_free: int = 4
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0
    parked_s: float = 30.0


class Forwarder:
    """
    Sends what waits in *outbox* to *kafka*, until stopped.

    Args:
        outbox: Where accepted events wait.
        kafka: Where they go.
        clock: What time it is, for the mark of the hand-over.
        pace: How fast and how patient.
        pause: Waits after a failure; tests pass their own.
    """

    def __init__(
        self,
        outbox: Outbox,
        kafka: Log,
        *,
        clock: Clock = utc_now,
        pace: Pace | None = None,
        pause: Pause = wait_or_stop,
    ) -> None:
        self._outbox = outbox
        self._log = kafka
        self._clock = clock
        self._pace = pace or Pace()
        self._pause = pause
        self._queue = ForwardQueue()
        self._news = asyncio.Event()
        self._connected = False

    def notify(self) -> None:
        """Look into the outbox: something has been accepted."""
        self._news.set()

    def trouble(self) -> str | None:
        """Return why events do not get to Kafka now; None while they do."""
        if self._queue.parked():
            return "kafka refuses some events"
        return None if self._connected else "kafka is away; events are kept here"

    def measure(self) -> None:
        """Tell Prometheus how much waits and for how long."""
        metrics.OUTBOX_ENTRIES.set(len(self._queue))
        metrics.OUTBOX_PARKED.set(self._queue.parked())
        oldest = self._queue.oldest()
        age_s = (self._clock() - oldest).total_seconds() if oldest else 0.0
        metrics.OUTBOX_OLDEST_SECONDS.set(max(0.0, age_s))

    async def run(self, stop: asyncio.Event) -> None:
        """Forward until *stop*; what is in flight then is finished first."""
        failures = 0
        while not stop.is_set():
            try:
                await self._refill()
                producer = await self._log.open_producer()
            except TransportError as error:
                self._note(error)
            else:
                self._connected = True
                failures = 0 if await self._forward(producer, stop) else failures
            if not stop.is_set():
                failures += 1
                await self._pause(stop, self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        longest = self._pace.longest_pause_s
        return float(min(longest, self._pace.first_pause_s * 2 ** min(failures - 1, 20)))

    def _note(self, error: TransportError) -> None:
        self._connected = False
        metrics.FORWARD_FAILURES.labels(error.code).inc()
        log.warning("events stay in the outbox", code=error.code, waiting=len(self._queue))

    async def _refill(self) -> None:
        self._news.clear()
        self._queue.extend(await self._outbox.waiting(after=self._queue.last_place))

    async def _forward(self, producer: Producer, stop: asyncio.Event) -> bool:
        # Returns whether anything got through before the producer failed or the stop came.
        running: set[asyncio.Task[None]] = set()
        got_through = False
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._refill()
                self._start(producer, running)
                await self._wait(running, stopping)
                got_through = _collect(running) or got_through
        except TransportError as error:
            self._note(error)
        finally:
            stopping.cancel()
            await _finished(running)
            await producer.aclose()
        return got_through

    def _start(self, producer: Producer, running: set[asyncio.Task[None]]) -> None:
        now = asyncio.get_running_loop().time()
        while len(running) < self._pace.in_flight:
            is_scarce = len(running) >= self._pace.in_flight - self._pace.kept_free
            entry = self._queue.take(now, worst_priority=URGENT if is_scarce else None)
            if entry is None:
                return
            running.add(asyncio.create_task(self._send(producer, entry)))

    async def _wait(self, running: set[asyncio.Task[None]], stopping: asyncio.Task[bool]) -> None:
        news = asyncio.create_task(self._news.wait())
        next_time = self._queue.next_time()
        timeout_s = None
        if next_time is not None:
            timeout_s = max(0.0, next_time - asyncio.get_running_loop().time())
        try:
            await asyncio.wait(
                {*running, stopping, news},
                timeout=timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            news.cancel()

    async def _send(self, producer: Producer, entry: Waiting) -> None:
        try:
            payload = await self._outbox.payload(entry.place)
            partition = Partition(payload.topic, payload.partition)
            await producer.send(Output(partition=partition, key=payload.key, value=payload.value))
        except UnwritableError as error:
            self._park(entry, error)
        except BaseException:
            self._queue.put_back(entry)
            raise
        else:
            await self._mark(entry)

    async def _mark(self, entry: Waiting) -> None:
        try:
            await self._outbox.hand_over(entry.event_id, self._clock())
        except BaseException:
            # Sent but not marked: it goes again, and its event id tells that it is a repeat.
            self._queue.put_back(entry)
            raise
        self._queue.finish(entry)

    def _park(self, entry: Waiting, error: UnwritableError) -> None:
        until = asyncio.get_running_loop().time() + self._pace.parked_s
        self._queue.park(entry, until)
        metrics.FORWARD_FAILURES.labels(error.code).inc()
        log.error(
            "kafka refuses an event", event_id=entry.event_id, topic=error.topic, code=error.code
        )


def _collect(running: set[asyncio.Task[None]]) -> bool:
    done = {task for task in running if task.done()}
    running -= done
    for task in done:
        task.result()
    return bool(done)


async def _finished(running: set[asyncio.Task[None]]) -> None:
    # All sends end by themselves: the log gives each a deadline.
    if running:
        await asyncio.wait(running)
        for task in running:
            if not task.cancelled():
                task.exception()
