"""What broker.domain.streams promises, held against both logs."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import pairwise

import pytest

from broker.domain.errors import FencedError, TransportError, UnwritableError
from broker.domain.streams import (
    Output,
    Partition,
    Producer,
    Reader,
    Record,
    TransactionalProducer,
)
from tests.contracts.logs import (
    PARTITIONS,
    PATIENCE_S,
    Holder,
    Subject,
    kafka_subject,
    memory_subject,
    read,
)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def subject(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[Subject]:
    """Each log in turn."""
    if request.param == "memory":
        async with memory_subject() as made:
            yield made
    else:
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        async with kafka_subject(bootstrap, namespace) as made:
            yield made


@pytest.fixture
async def reader(subject: Subject) -> AsyncIterator[Reader]:
    """A reader of partition 0."""
    opened = await subject.log.open_reader([subject.partition()])
    yield opened
    await opened.aclose()


@pytest.fixture
async def producer(subject: Subject) -> AsyncIterator[Producer]:
    """A producer without transactions."""
    opened = await subject.log.open_producer()
    yield opened
    await opened.aclose()


@pytest.fixture
async def owner(subject: Subject) -> AsyncIterator[TransactionalProducer]:
    """The owner of the transactional id of this test."""
    opened = await subject.log.open_transactional_producer(subject.name)
    yield opened
    await opened.aclose()


def values(records: Iterable[Record]) -> list[bytes]:
    """The values alone."""
    return [record.value for record in records]


# --- topics and partitions


async def test_a_topic_has_its_partitions(subject: Subject) -> None:
    """The number of partitions is what the topic was made with."""
    assert await subject.log.partitions(subject.topic) == PARTITIONS


async def test_a_missing_topic_has_no_partitions(subject: Subject) -> None:
    """A topic that does not exist has none, and asking does not make it."""
    assert await subject.log.partitions(f"{subject.topic}.missing") == 0
    assert await subject.log.partitions(f"{subject.topic}.missing") == 0


async def test_a_missing_topic_cannot_be_read(subject: Subject) -> None:
    """Reading what does not exist is an error now, not silence later."""
    with pytest.raises(TransportError):
        await subject.log.open_reader([Partition(f"{subject.topic}.missing", 0)])


async def test_a_missing_topic_cannot_be_joined(subject: Subject) -> None:
    """A member of nothing would wait for ever."""
    with pytest.raises(TransportError):
        await subject.log.join(subject.name, f"{subject.topic}.missing", Holder())


# --- writing one record


async def test_records_of_a_partition_keep_their_order(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """What was sent first is read first, at growing offsets."""
    sent = [await producer.send(subject.output(b"%d" % n)) for n in range(20)]

    records = await read(reader, 20)

    assert values(records) == [b"%d" % n for n in range(20)]
    assert [record.offset for record in records] == sent == sorted(sent)


async def test_the_stated_partition_is_honoured(subject: Subject, producer: Producer) -> None:
    """Equal keys go where the output says, not where a hash says."""
    for number in range(PARTITIONS):
        await producer.send(subject.output(b"to %d" % number, number))
    reader = await subject.log.open_reader([subject.partition(n) for n in range(PARTITIONS)])

    records = await read(reader, PARTITIONS)

    assert {r.partition: r.value for r in records} == {
        subject.partition(n): b"to %d" % n for n in range(PARTITIONS)
    }
    await reader.aclose()


@pytest.mark.parametrize("key", [None, b"", b"key"])
async def test_keys_and_headers_come_back_as_they_went(
    subject: Subject, producer: Producer, reader: Reader, key: bytes | None
) -> None:
    """No key is not an empty key; headers keep order, repeats and bytes."""
    headers = (("a", b"\x00\xff"), ("b", b""), ("a", "é".encode()))
    output = Output(partition=subject.partition(), key=key, value=b"v", headers=headers)
    await producer.send(output)

    (record,) = await read(reader, 1)

    assert (record.key, record.value, record.headers) == (key, b"v", headers)
    assert record.partition == subject.partition()
    assert isinstance(record.partition, Partition)


async def test_a_missing_topic_is_unwritable(subject: Subject, producer: Producer) -> None:
    """The error names the topic, and the producer goes on."""
    missing = f"{subject.topic}.missing"
    with pytest.raises(UnwritableError) as caught:
        await producer.send(Output(partition=Partition(missing, 0), key=None, value=b"v"))

    assert caught.value.topic == missing
    assert await producer.send(subject.output(b"next")) == 0


async def test_a_missing_partition_is_unwritable(subject: Subject, producer: Producer) -> None:
    """A partition beyond the last is refused, not moved."""
    with pytest.raises(UnwritableError):
        await producer.send(subject.output(b"v", PARTITIONS))


async def test_a_record_too_large_is_unwritable(subject: Subject, producer: Producer) -> None:
    """Size is refused at once, for this record only."""
    with pytest.raises(UnwritableError):
        await producer.send(subject.output(b"x" * (4 * 1024 * 1024 + 1)))

    assert await producer.send(subject.output(b"next")) == 0


# --- transactions


async def test_outputs_and_offsets_appear_together(
    subject: Subject, owner: TransactionalProducer, reader: Reader
) -> None:
    """After a commit both are there, before it neither."""
    position = subject.partition(2)
    assert await subject.log.committed(subject.name, position) is None

    await owner.commit([subject.output(b"a"), subject.output(b"b")], {position: 5}, subject.name)

    assert await subject.committed(position) == 5
    assert values(await read(reader, 2)) == [b"a", b"b"]


async def test_one_group_knows_nothing_of_another(
    subject: Subject, owner: TransactionalProducer
) -> None:
    """Committed offsets belong to a group and a partition."""
    await owner.commit([], {subject.partition(1): 3}, subject.name)

    assert await subject.committed(subject.partition(1)) == 3
    assert await subject.log.committed(subject.name, subject.partition(2)) is None
    assert await subject.log.committed(f"{subject.name}-other", subject.partition(1)) is None


async def test_a_commit_of_nothing_is_a_commit(
    subject: Subject, owner: TransactionalProducer, reader: Reader
) -> None:
    """Neither outputs nor offsets: nothing happens, and the producer is still good."""
    await owner.commit([], {}, subject.name)
    await owner.commit([subject.output(b"a")], {}, subject.name)

    assert values(await read(reader, 1)) == [b"a"]


async def test_a_large_commit_keeps_order_in_every_partition(
    subject: Subject, owner: TransactionalProducer
) -> None:
    """More than one batch per partition, and still in order."""
    outputs = [subject.output(b"%06d" % n + b"x" * 2_000, n % PARTITIONS) for n in range(600)]
    await owner.commit(outputs, {}, subject.name)
    reader = await subject.log.open_reader([subject.partition(n) for n in range(PARTITIONS)])

    records = await read(reader, 600)

    for number in range(PARTITIONS):
        own = [r.value for r in records if r.partition.number == number]
        assert own == [o.value for o in outputs if o.partition.number == number]
    await reader.aclose()


async def test_an_open_transaction_is_invisible(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """Neither its records nor any after them are read, and the end stays before them."""
    await producer.send(subject.output(b"before"))
    await subject.leave_open(subject.name, [subject.output(b"open")])
    await producer.send(subject.output(b"after"))

    assert values(await read(reader, 1)) == [b"before"]
    assert await reader.fetch(0.05) == []
    assert await reader.end(subject.partition()) == 1


async def test_opening_resolves_the_transaction_of_a_dead_owner(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """When the take-over returns, what the dead owner wrote is gone and all else shows."""
    await subject.leave_open(subject.name, [subject.output(b"open")])
    await producer.send(subject.output(b"after"))

    owner = await subject.log.open_transactional_producer(subject.name)

    end = await reader.end(subject.partition())
    (after,) = await read(reader, 1)
    assert after.value == b"after"
    assert end > after.offset
    await owner.aclose()


async def test_offsets_are_never_counted_on_to_be_dense(
    subject: Subject, owner: TransactionalProducer, reader: Reader
) -> None:
    """The end of a transaction takes an offset too: the last record is not at `end` - 1."""
    await owner.commit([subject.output(b"a")], {}, subject.name)
    await owner.commit([subject.output(b"b")], {}, subject.name)

    records = await read(reader, 2)

    assert [record.offset for record in records] == [0, 2]
    assert await reader.end(subject.partition()) == 4


async def test_a_fenced_owner_commits_nothing(
    subject: Subject, owner: TransactionalProducer, reader: Reader
) -> None:
    """After a take-over the old owner is told so, and nothing of it appears."""
    await owner.commit([subject.output(b"mine")], {subject.partition(1): 1}, subject.name)
    heir = await subject.log.open_transactional_producer(subject.name)

    with pytest.raises(FencedError):
        await owner.commit([subject.output(b"stale")], {subject.partition(1): 9}, subject.name)
    await heir.commit([subject.output(b"heir's")], {}, subject.name)

    assert values(await read(reader, 2)) == [b"mine", b"heir's"]
    assert await subject.committed(subject.partition(1)) == 1
    await heir.aclose()


async def test_an_owner_is_fenced_even_if_it_never_wrote(
    subject: Subject, owner: TransactionalProducer
) -> None:
    """Fencing is by opening, not by writing."""
    heir = await subject.log.open_transactional_producer(subject.name)

    with pytest.raises(FencedError):
        await owner.commit([subject.output(b"stale")], {}, subject.name)
    await heir.aclose()


async def test_other_transactional_ids_are_not_fenced(
    subject: Subject, owner: TransactionalProducer, reader: Reader
) -> None:
    """Only the same id is taken over."""
    other = await subject.log.open_transactional_producer(f"{subject.name}-other")

    await owner.commit([subject.output(b"a")], {}, subject.name)

    assert values(await read(reader, 1)) == [b"a"]
    await other.aclose()


async def test_one_unwritable_topic_commits_nothing(
    subject: Subject, owner: TransactionalProducer, reader: Reader
) -> None:
    """The error names the topic that refused; the others' outputs and the offsets do not appear."""
    missing = f"{subject.topic}.missing"
    outputs = [
        subject.output(b"good"),
        Output(partition=Partition(missing, 0), key=None, value=b"x"),
    ]

    with pytest.raises(UnwritableError) as caught:
        await owner.commit(outputs, {subject.partition(1): 4}, subject.name)

    assert caught.value.topic == missing
    heir = await subject.log.open_transactional_producer(subject.name)
    await heir.commit([subject.output(b"next")], {}, subject.name)
    assert values(await read(reader, 1)) == [b"next"]
    assert await subject.log.committed(subject.name, subject.partition(1)) is None
    await heir.aclose()


async def test_a_producer_is_spent_after_an_error(
    subject: Subject, owner: TransactionalProducer
) -> None:
    """Nobody carries on with a transaction in doubt."""
    with pytest.raises(UnwritableError):
        await owner.commit([subject.output(b"v", PARTITIONS)], {}, subject.name)

    with pytest.raises(TransportError):
        await owner.commit([subject.output(b"v")], {}, subject.name)


async def test_a_cancelled_commit_is_all_or_nothing(
    subject: Subject, owner: TransactionalProducer, reader: Reader
) -> None:
    """Whatever became of it, the next owner sees outputs and offset, or neither."""
    outputs = [subject.output(b"a"), subject.output(b"b")]
    commit = asyncio.ensure_future(owner.commit(outputs, {subject.partition(1): 2}, subject.name))
    await asyncio.sleep(0)
    commit.cancel()
    await asyncio.wait([commit])
    heir = await subject.log.open_transactional_producer(subject.name)
    await heir.commit([subject.output(b"last")], {}, subject.name)

    seen = []
    while b"last" not in seen:
        seen += values(await read(reader, 1))

    committed = await subject.log.committed(subject.name, subject.partition(1))
    assert (seen, committed) in [([b"last"], None), ([b"a", b"b", b"last"], 2)]
    await heir.aclose()


# --- reading


async def test_a_reader_begins_at_the_beginning(subject: Subject, producer: Producer) -> None:
    """Without a seek a new reader misses nothing."""
    await producer.send(subject.output(b"old"))
    reader = await subject.log.open_reader([subject.partition()])

    assert values(await read(reader, 1)) == [b"old"]
    await reader.aclose()


async def test_an_open_reader_sees_what_is_written_later(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """A fetch that waits returns when the first record arrives."""
    fetch = asyncio.ensure_future(reader.fetch(PATIENCE_S))
    await asyncio.sleep(0)
    await producer.send(subject.output(b"later"))

    assert values(await fetch) == [b"later"]


async def test_a_fetch_of_nothing_returns_nothing(subject: Subject, reader: Reader) -> None:
    """When the time is up there is an empty list, not an error."""
    assert await reader.fetch(0.02) == []
    assert await reader.fetch(0) == []


async def test_polling_without_waiting_gets_there(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """Fetches that do not wait at all return records in the end."""
    await producer.send(subject.output(b"v"))

    records = []
    async with asyncio.timeout(PATIENCE_S):
        while not records:
            records = await reader.fetch(0)
            await asyncio.sleep(0)

    assert values(records) == [b"v"]


async def test_max_records_loses_nothing(subject: Subject, producer: Producer) -> None:
    """Small helpings over several partitions add up to the whole, in order."""
    reader = await subject.log.open_reader([subject.partition(n) for n in range(PARTITIONS)])
    for n in range(30):
        await producer.send(subject.output(b"%02d" % n, n % PARTITIONS))

    helpings = []
    async with asyncio.timeout(PATIENCE_S):
        while sum(map(len, helpings)) < 30:
            helpings.append(await reader.fetch(1.0, max_records=4))

    assert max(map(len, helpings)) <= 4
    records = [record for helping in helpings for record in helping]
    for number in range(PARTITIONS):
        own = [r.value for r in records if r.partition.number == number]
        assert own == [b"%02d" % n for n in range(number, 30, PARTITIONS)]
    await reader.aclose()


async def test_seek_goes_back_and_forth(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """After a seek the next record is the one at that offset, also amid unread ones."""
    for n in range(10):
        await producer.send(subject.output(b"%d" % n))

    first = await reader.fetch(PATIENCE_S, max_records=1)
    reader.seek(subject.partition(), 8)
    later = await read(reader, 2)
    reader.seek(subject.partition(), 3)
    again = await reader.fetch(PATIENCE_S, max_records=2)

    assert values(first) == [b"0"]
    assert values(later) == [b"8", b"9"]
    assert values(again) == [b"3", b"4"]


async def test_seeking_the_end_waits_for_the_next(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """At the end there is nothing yet, and then exactly what comes."""
    await producer.send(subject.output(b"old"))
    reader.seek(subject.partition(), await reader.end(subject.partition()))

    fetch = asyncio.ensure_future(reader.fetch(PATIENCE_S))
    await producer.send(subject.output(b"new"))

    assert values(await fetch) == [b"new"]


async def test_an_offset_that_does_not_exist_is_an_error(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """The reader does not jump elsewhere, and is spent."""
    await producer.send(subject.output(b"v"))
    reader.seek(subject.partition(), 1_000)

    with pytest.raises(TransportError):
        await read(reader, 1)
    with pytest.raises(TransportError):
        await reader.fetch(0)


async def test_seeking_what_is_not_read_is_a_bug(subject: Subject, reader: Reader) -> None:
    """Only partitions of the reader can be placed, and never before 0."""
    with pytest.raises(KeyError):
        reader.seek(subject.partition(1), 0)
    with pytest.raises(ValueError, match=r"[Oo]ffset"):
        reader.seek(subject.partition(), -1)


async def test_beginning_and_end_of_an_empty_partition(subject: Subject, reader: Reader) -> None:
    """Both are 0 before anything was written."""
    assert await reader.beginning(subject.partition()) == 0
    assert await reader.end(subject.partition()) == 0


async def test_the_end_follows_the_last_record(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """Outside transactions the end is one past the last offset."""
    last = [await producer.send(subject.output(b"v")) for _ in range(3)][-1]

    assert await reader.beginning(subject.partition()) == 0
    assert await reader.end(subject.partition()) == last + 1


async def test_a_time_finds_its_offset(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """From the offset for a time on, records are no older; after the last there is none."""
    for n in range(5):
        await producer.send(subject.output(b"%d" % n))
    records = await read(reader, 5)
    wanted = records[3].timestamp_ms

    offset = await reader.offset_at(subject.partition(), wanted)

    expected = next(r.offset for r in records if r.timestamp_ms >= wanted)
    assert offset == expected
    assert await reader.offset_at(subject.partition(), 0) == 0
    assert await reader.offset_at(subject.partition(), records[-1].timestamp_ms + 60_000) is None


async def test_a_cancelled_fetch_loses_nothing(
    subject: Subject, producer: Producer, reader: Reader
) -> None:
    """Giving up on a fetch is not an error of the reader."""
    fetch = asyncio.ensure_future(reader.fetch(PATIENCE_S))
    await asyncio.sleep(0)
    fetch.cancel()
    await asyncio.wait([fetch])
    await producer.send(subject.output(b"v"))

    assert values(await read(reader, 1)) == [b"v"]


async def test_what_is_closed_is_closed(subject: Subject) -> None:
    """Closing twice is fine, using it after that is not."""
    reader = await subject.log.open_reader([subject.partition()])
    producer = await subject.log.open_producer()
    owner = await subject.log.open_transactional_producer(subject.name)
    for closable in (reader, producer, owner, reader, producer, owner):
        await closable.aclose()

    with pytest.raises(TransportError):
        await reader.fetch(0)
    with pytest.raises(TransportError):
        await producer.send(subject.output(b"v"))
    with pytest.raises(TransportError):
        await owner.commit([], {}, subject.name)


# --- groups


async def test_a_single_member_holds_everything(subject: Subject) -> None:
    """One member gets all partitions, and is well."""
    holder = Holder()
    member = await subject.log.join(subject.name, subject.topic, holder)

    held = await holder.holds(PARTITIONS)

    assert held == {subject.partition(n) for n in range(PARTITIONS)}
    assert all(isinstance(partition, Partition) for partition in held)
    assert member.healthy
    await member.aclose()


async def test_members_share_and_give_back(subject: Subject) -> None:
    """Two members hold disjoint parts; when one leaves the other holds all again."""
    first, second = Holder(), Holder()
    staying = await subject.log.join(subject.name, subject.topic, first)
    await first.holds(PARTITIONS)
    leaving = await subject.log.join(subject.name, subject.topic, second)
    one, two = await first.shares(), await second.shares()

    assert one | two == {subject.partition(n) for n in range(PARTITIONS)}
    assert not one & two
    await leaving.aclose()
    assert len(await first.holds(PARTITIONS)) == PARTITIONS
    await staying.aclose()


async def test_partitions_are_taken_back_before_they_are_given(subject: Subject) -> None:
    """Between two holdings of a member there is an empty one."""
    first, second = Holder(), Holder()
    staying = await subject.log.join(subject.name, subject.topic, first)
    await first.holds(PARTITIONS)
    joining = await subject.log.join(subject.name, subject.topic, second)
    await first.shares()

    full = [n for n, call in enumerate(first.calls) if call]
    assert all(frozenset() in first.calls[a:b] for a, b in pairwise(full))
    await joining.aclose()
    await staying.aclose()


async def test_a_failing_callback_shows_in_health(subject: Subject) -> None:
    """An exception in the callback does not end the membership, but it is not well."""
    failing = Holder(error=ValueError("a bug"))
    member = await subject.log.join(subject.name, subject.topic, failing)

    await failing.holds(PARTITIONS)

    assert not member.healthy
    await member.aclose()


async def test_a_member_that_left_is_not_called(subject: Subject) -> None:
    """After leaving there are no more changes to hear of."""
    holder = Holder()
    member = await subject.log.join(subject.name, subject.topic, holder)
    await holder.holds(PARTITIONS)
    await member.aclose()
    calls = len(holder.calls)
    other = Holder()
    heir = await subject.log.join(subject.name, subject.topic, other)
    await other.holds(PARTITIONS)

    assert len(holder.calls) == calls
    await heir.aclose()
