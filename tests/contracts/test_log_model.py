"""Random histories of owners that come, write, die and take over, told to both logs and to a model."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.domain.errors import FencedError, TransportError
from broker.domain.streams import Log, Partition, TransactionalProducer
from tests.contracts.logs import PARTITIONS, PATIENCE_S, Subject, kafka_subject, memory_subject

IDS = ("red", "blue")
GROUP = "group"


@dataclass(frozen=True)
class Open:
    """Somebody takes over an id."""

    who: str


@dataclass(frozen=True)
class Send:
    """Somebody writes one record outside transactions."""

    number: int


@dataclass(frozen=True)
class Commit:
    """The owner number *owner* of an id, old or new, commits one output per partition named."""

    who: str
    owner: int
    numbers: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Die:
    """Somebody takes over an id, writes one output per partition named, and dies."""

    who: str
    numbers: tuple[int, ...]


Step = Open | Send | Commit | Die

ids = st.sampled_from(IDS)
numbers = st.integers(0, PARTITIONS - 1)
some_numbers = st.lists(numbers, max_size=4).map(tuple)
steps = st.one_of(
    st.builds(Open, ids),
    st.builds(Send, numbers),
    st.builds(Commit, ids, st.integers(0, 3), some_numbers, st.integers(0, 99)),
    st.builds(Die, ids, some_numbers),
)
histories = st.lists(steps, max_size=25)


@dataclass
class Model:
    """The slow, obvious log: each entry is a value and how its transaction stands."""

    entries: dict[int, list[list[bytes | str]]] = field(
        default_factory=lambda: {n: [] for n in range(PARTITIONS)}
    )
    committed: int | None = None
    owners: dict[str, int] = field(default_factory=lambda: dict.fromkeys(IDS, 0))

    def write(self, number: int, value: bytes, state: str) -> None:
        """Add an entry."""
        self.entries[number].append([value, state])

    def take_over(self, who: str) -> None:
        """Count one more owner, and abort what the last one left open."""
        self.owners[who] += 1
        for entries in self.entries.values():
            for entry in entries:
                if entry[1] == f"open {who}":
                    entry[1] = "aborted"

    def visible(self) -> dict[int, list[bytes]]:
        """What a reader gets: what is committed, up to the first that is open."""
        return {number: list(self._visible(number)) for number in self.entries}

    def _visible(self, number: int) -> Sequence[bytes]:
        seen = []
        for value, state in self.entries[number]:
            if str(state).startswith("open"):
                break
            if state == "committed":
                seen.append(value)
        return seen


class Player:
    """Plays a history to a log and to the model, step by step."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.model = Model()
        self._owners: dict[str, list[TransactionalProducer]] = {who: [] for who in IDS}
        self._values = 0

    async def play(self, step: Step) -> None:
        """Do one step; where the model expects fencing, the log must fence."""
        match step:
            case Open(who):
                await self._open(who)
            case Send(number):
                producer = await self.subject.log.open_producer()
                await producer.send(self.subject.output(self._write(number, "committed"), number))
                await producer.aclose()
            case Commit(who, owner, some, offset) if owner < len(self._owners[who]):
                await self._commit(who, owner, some, offset)
            case Die(who, some) if some:
                self.model.take_over(who)
                await self._close(who)
                state = f"open {who}"
                outputs = [self.subject.output(self._write(n, state), n) for n in some]
                await self.subject.leave_open(self._id(who), outputs)

    async def resolve(self) -> None:
        """Take over every id, so that nothing is open any more."""
        for who in IDS:
            await self._open(who)
            await self._close(who)

    def _id(self, who: str) -> str:
        return f"{self.subject.topic}-{who}"

    def _write(self, number: int, state: str) -> bytes:
        self._values += 1
        value = b"%d" % self._values
        self.model.write(number, value, state)
        return value

    async def _open(self, who: str) -> None:
        self.model.take_over(who)
        self._owners[who].append(await self.subject.log.open_transactional_producer(self._id(who)))

    async def _close(self, who: str) -> None:
        for owner in self._owners[who]:
            await owner.aclose()
        self._owners[who].clear()

    async def _commit(self, who: str, owner: int, some: tuple[int, ...], offset: int) -> None:
        producer = self._owners[who][owner]
        moved = {self.subject.partition(): offset}
        if owner == len(self._owners[who]) - 1:
            outputs = [self.subject.output(self._write(n, "committed"), n) for n in some]
            await producer.commit(outputs, moved, GROUP + self.subject.topic)
            self.model.committed = offset
        else:
            outputs = [self.subject.output(b"stale", n) for n in some]
            # Fenced the first time, spent from then on.
            with suppress(FencedError, TransportError):
                await producer.commit(outputs, moved, GROUP + self.subject.topic)
                pytest.fail("an old owner committed")


async def seen(log: Log, subject: Subject, counts: dict[int, int]) -> dict[int, list[bytes]]:
    """What a new reader gets of each partition, up to the stable end."""
    partitions = [subject.partition(n) for n in counts]
    reader = await log.open_reader(partitions)
    found: dict[Partition, list[bytes]] = {p: [] for p in partitions}
    async with asyncio.timeout(PATIENCE_S):
        while sum(map(len, found.values())) < sum(counts.values()):
            for record in await reader.fetch(1.0, max_records=3):
                found[record.partition].append(record.value)
    for record in await reader.fetch(0):
        found[record.partition].append(record.value)
    await reader.aclose()
    return {partition.number: values for partition, values in found.items()}


async def compare(player: Player) -> None:
    """The log shows what the model shows, and no more."""
    subject, expected = player.subject, player.model.visible()

    actual = await seen(subject.log, subject, {n: len(v) for n, v in expected.items()})

    group = GROUP + subject.topic
    assert actual == expected
    # Kafka shows a committed offset a moment after it has answered the commit.
    async with asyncio.timeout(10):
        while await subject.log.committed(group, subject.partition()) != player.model.committed:  # noqa: ASYNC110 - Kafka tells nobody
            await asyncio.sleep(0.01)


@settings(max_examples=200, deadline=None)
@given(histories)
def test_the_log_in_memory_is_the_model(history: list[Step]) -> None:
    """After every step of any history a reader of the memory log sees what the model says."""

    async def run() -> None:
        async with memory_subject() as subject:
            player = Player(subject)
            for step in history:
                await player.play(step)
                await compare(player)

    asyncio.run(run())


@pytest.mark.kafka
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(histories)
def test_kafka_is_the_model_too(kafka_bootstrap: str, history: list[Step]) -> None:
    """At the end of any history Kafka shows what the model says, and so what memory shows."""

    async def run() -> None:
        async with kafka_subject(kafka_bootstrap, f"t-{token_hex(6)}") as subject:
            player = Player(subject)
            for step in history:
                await player.play(step)
            await player.resolve()
            # Whatever should not be there would stand before these.
            for number in range(PARTITIONS):
                await player.play(Send(number))
            await compare(player)

    asyncio.run(run())
