"""The outbox reaches Kafka: once it can, in order, and never at the price of another referral."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.domain.errors import OutcomeUnknownError, TransportError, UnwritableError
from broker.domain.streams import Output
from broker.processes.intake_forwarder import Forwarder, Pace
from broker.runtime.outbox import Entry, Outbox, Receipt, State

NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
PACE = Pace(in_flight=4, kept_free=1, first_pause_s=1.0, longest_pause_s=8.0, parked_s=0.0)


class FakeLog:
    """A log whose producers do what the test says; remembers what it took."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.sending = 0
        self.most_sending = 0
        self.opened = 0
        self.closed = 0
        self.away = 0
        self.trouble: Callable[[bytes], Exception | None] = lambda value: None
        self.changed = asyncio.Condition()

    async def open_producer(self) -> "FakeLog":
        """Open, unless the log is away."""
        if self.away:
            self.away -= 1
            raise TransportError("kafka is away")
        self.opened += 1
        return self

    async def send(self, output: Output) -> int:
        """Take one record or raise what the test wants."""
        self.sending += 1
        self.most_sending = max(self.most_sending, self.sending)
        await asyncio.sleep(0)
        self.sending -= 1
        if error := self.trouble(output.value):
            raise error
        async with self.changed:
            self.taken.append(output.value)
            self.changed.notify_all()
        return len(self.taken)

    async def aclose(self) -> None:
        """Count closed producers."""
        self.closed += 1

    async def until(self, count: int) -> list[bytes]:
        """Wait until so many records were taken."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.taken) >= count)
        return self.taken


class Rig:
    """One outbox, one fake log, one forwarder at work."""

    def __init__(self, folder: Path) -> None:
        self.outbox = Outbox(folder / "outbox.db")
        self.log = FakeLog()
        self.pauses: list[float] = []
        self.stop = asyncio.Event()
        self.forwarder = Forwarder(
            self.outbox, self.log, clock=lambda: NOW, pace=PACE, pause=self.pause
        )
        self.task: asyncio.Task[None] | None = None

    async def pause(self, _stop: asyncio.Event, seconds: float) -> None:
        """Note the pause and go on at once."""
        self.pauses.append(seconds)

    def start(self) -> None:
        """Let the forwarder work."""
        self.task = asyncio.create_task(self.forwarder.run(self.stop))

    async def accept(self, *entries: Entry) -> None:
        """Accept entries and tell the forwarder."""
        await self.outbox.accept(entries)
        self.forwarder.notify()

    async def states(self, *numbers: int) -> list[State]:
        """Return how far events have come once the forwarder has stopped."""
        self.stop.set()
        if self.task:
            await self.task
        receipts = [await self.outbox.receipt("midshire-police", f"{n:032x}") for n in numbers]
        return [receipt.state for receipt in receipts if isinstance(receipt, Receipt)]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """One rig; its forwarder is stopped at the end."""
    rig = Rig(tmp_path)
    yield rig
    rig.stop.set()
    if rig.task:
        await rig.task
    await rig.outbox.aclose()


def entry(number: int, referral: int = 0, priority: int = 4) -> Entry:
    """Return one entry; without a referral each is its own."""
    return Entry(
        event_id=f"{number:032x}",
        event_type="referral_made",
        referral_id=f"{referral or number:032x}",
        party="midshire-police",
        digest=bytes(32),
        topic="crisis.events",
        partition=0,
        priority=priority,
        key=b"key",
        value=b"%d" % number,
        accepted_at=NOW,
    )


async def test_what_is_accepted_gets_to_kafka_and_is_marked(rig: Rig) -> None:
    """An accepted event is written, and its receipt says handed over."""
    rig.start()
    await rig.accept(entry(1))

    assert await rig.log.until(1) == [b"1"]
    assert await rig.states(1) == [State.HANDED_OVER]


async def test_what_waited_before_the_start_goes_first_by_urgency(rig: Rig) -> None:
    """After a restart everything left is sent, the urgent ones first."""
    await rig.accept(entry(1, priority=4), entry(2, priority=4), entry(3, priority=0))
    rig.start()

    assert (await rig.log.until(3))[0] == b"3"


async def test_events_of_one_referral_keep_their_order(rig: Rig) -> None:
    """One referral has one event in flight, others run beside it."""
    await rig.accept(*(entry(number, referral=number % 3 + 1) for number in range(1, 31)))
    rig.start()
    taken = [int(value) for value in await rig.log.until(30)]

    for referral in range(3):
        mine = [number for number in taken if number % 3 == referral]
        assert mine == sorted(mine)
    assert 1 < rig.log.most_sending <= 3


async def test_after_a_doubt_a_new_producer_sends_the_same_again(rig: Rig) -> None:
    """An unknown outcome costs the producer, never the event, and the order stays."""
    failures = iter([OutcomeUnknownError("deadline passed")])
    rig.log.trouble = lambda value: next(failures, None) if value == b"1" else None
    await rig.accept(entry(1, referral=9), entry(2, referral=9))
    rig.start()

    assert await rig.log.until(2) == [b"1", b"2"]
    assert await rig.states(1, 2) == [State.HANDED_OVER] * 2
    assert (rig.log.opened, rig.log.closed) == (2, 2)


async def test_kafka_away_is_waited_for_with_growing_pauses(rig: Rig) -> None:
    """The pauses double up to a limit; nothing is lost and nothing is refused meanwhile."""
    rig.log.away = 6
    rig.start()
    await rig.accept(entry(1))

    assert await rig.log.until(1) == [b"1"]
    assert rig.pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert rig.forwarder.trouble() is None


async def test_while_kafka_is_away_the_process_says_so(rig: Rig) -> None:
    """Readiness names the trouble before and while Kafka is away."""
    assert rig.forwarder.trouble() == "kafka is away; events are kept here"


async def test_a_refused_event_delays_its_own_referral_only(rig: Rig) -> None:
    """What Kafka refuses is parked; other referrals go on, its own later events wait behind it."""
    refused = 0

    def refuse(value: bytes) -> Exception | None:
        nonlocal refused
        refused += value == b"1"
        return UnwritableError("crisis.events", "refused") if value == b"1" else None

    rig.log.trouble = refuse
    await rig.accept(entry(1, referral=9), entry(2, referral=9), entry(3), entry(4))
    rig.start()
    taken = list(await rig.log.until(2))
    rig.log.trouble = lambda value: None

    assert sorted(taken) == [b"3", b"4"]
    assert refused > 0
    assert (await rig.log.until(4))[2:] == [b"1", b"2"]
    assert rig.log.opened == 1


async def test_the_measured_backlog_is_what_waits(rig: Rig) -> None:
    """Prometheus gets the number of entries and the age of the oldest."""
    from broker.runtime import metrics

    await rig.accept(entry(1), entry(2))
    await rig.forwarder._refill()
    rig.forwarder.measure()

    assert metrics.OUTBOX_ENTRIES._value.get() == 2
    assert metrics.OUTBOX_OLDEST_SECONDS._value.get() == 0.0
