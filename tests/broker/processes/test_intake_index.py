"""The index of disclosures follows the log, remembers where it was, and knows what it does not know."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.codec import wire
from broker.codec.disclosures import GENESIS, Head, disclosure_schema, encode_plan, seal
from broker.codec.registry import schema_id
from broker.domain.errors import TransportError
from broker.domain.partitioning import partition_of
from broker.domain.streams import Output, Partition
from broker.processes.intake_index import Disclosed, DisclosureIndex
from broker.runtime.memory import MemoryLog

TOPIC = "crisis.disclosures"
PARTITIONS = 3
REFERRAL = "0000000d" + "0" * 24
TEAM = Disclosed(
    "midshire-police", "northvale-crisis", "crisis-response", "referral_made", "released"
)


def record(row: Disclosed, referral_id: str = REFERRAL) -> bytes:
    """Return one encoded disclosure."""
    head = Head(
        event_id="e" * 32,
        referral_id=referral_id,
        event_type=row.event_type,
        sender=row.sender,
        recipient=row.recipient,
        purpose=row.purpose,
        outcome=row.outcome,
        reason="",
        decided_at=datetime(2026, 11, 22, tzinfo=UTC),
        source_partition=0,
        source_offset=0,
        release_id="f" * 32,
        supersedes="",
        content_digest=bytes(32),
        event_digest=bytes(32),
        view_digest=bytes(32),
    )
    sealed = seal(GENESIS, head, encode_plan(None))
    return wire.frame(schema_id(disclosure_schema())) + sealed.record


@pytest.fixture
async def log() -> AsyncIterator[MemoryLog]:
    """One log with an empty topic of disclosures."""
    log = MemoryLog({TOPIC: PARTITIONS})
    yield log
    await log.aclose()


async def write(log: MemoryLog, *values: bytes, referral_id: str = REFERRAL) -> None:
    """Commit disclosures as release does, in one transaction."""
    partition = Partition(TOPIC, partition_of(referral_id, PARTITIONS))
    producer = await log.open_transactional_producer("release")
    outputs = [Output(partition=partition, key=None, value=value) for value in values]
    await producer.commit(outputs, {}, "release")
    await producer.aclose()


@asynccontextmanager
async def following(log: MemoryLog, path: Path) -> AsyncIterator[DisclosureIndex]:
    """Follow the log until the end of the block."""
    index = DisclosureIndex(path, log, TOPIC, PARTITIONS)
    stop = asyncio.Event()
    task = asyncio.create_task(index.run(stop))
    try:
        yield index
    finally:
        stop.set()
        await task
        await index.aclose()


async def test_what_was_disclosed_is_known_once_it_is_read(log: MemoryLog, tmp_path: Path) -> None:
    """Asking for the present waits for exactly what had been disclosed when it was asked."""
    async with following(log, tmp_path / "index.db") as index:
        await write(log, record(TEAM))

        assert await index.fresh_of(REFERRAL, 10.0) == {TEAM}
        assert await index.fresh_of("1" * 32, 10.0) == set()


async def test_a_restart_goes_on_where_it_stopped(log: MemoryLog, tmp_path: Path) -> None:
    """What was known stays known, and what came meanwhile is read."""
    other = TEAM._replace(recipient="northvale-liaison")
    await write(log, record(TEAM))
    async with following(log, tmp_path / "index.db") as index:
        await index.fresh_of(REFERRAL, 10.0)
    await write(log, record(other))
    async with following(log, tmp_path / "index.db") as index:
        assert await index.fresh_of(REFERRAL, 10.0) == {TEAM, other}


async def test_a_topic_made_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A position behind the end cannot be right."""
    old, new = MemoryLog({TOPIC: PARTITIONS}), MemoryLog({TOPIC: PARTITIONS})
    await write(old, *[record(TEAM)] * 5)
    async with following(old, tmp_path / "index.db") as index:
        await index.fresh_of(REFERRAL, 10.0)
    other = TEAM._replace(recipient="northvale-liaison")
    await write(new, record(other))
    async with following(new, tmp_path / "index.db") as index:
        assert other in await index.fresh_of(REFERRAL, 10.0)


async def test_a_record_that_cannot_be_read_is_passed_over(log: MemoryLog, tmp_path: Path) -> None:
    """One bad record must not close the door for every answer after it."""
    async with following(log, tmp_path / "index.db") as index:
        await write(log, b"nonsense", record(TEAM))

        assert await index.fresh_of(REFERRAL, 10.0) == {TEAM}


async def test_without_the_log_the_present_is_not_known(tmp_path: Path) -> None:
    """Nobody can say what was disclosed until now, so nobody is turned away either."""
    index = DisclosureIndex(tmp_path / "index.db", MemoryLog({}), TOPIC, PARTITIONS)
    with pytest.raises(TransportError):
        await index.fresh_of(REFERRAL, 0.1)

    assert await index.of(REFERRAL) == set()
    await index.aclose()


async def test_the_index_comes_by_itself_when_the_topic_does(tmp_path: Path) -> None:
    """An installation that is provisioned later needs no restart."""
    log = MemoryLog({})
    index = DisclosureIndex(tmp_path / "index.db", log, TOPIC, PARTITIONS, retry_s=0.0)
    stop = asyncio.Event()
    task = asyncio.create_task(index.run(stop))
    log.add_topic(TOPIC, PARTITIONS)
    await index.fresh_of(REFERRAL, 10.0)
    stop.set()
    await task
    await index.aclose()


async def test_a_topic_made_anew_and_grown_is_read_from_its_beginning(
    log: MemoryLog, tmp_path: Path
) -> None:
    """Grown past where we stood, it would be read on from there, and a team be refused."""
    async with following(log, tmp_path / "index.db") as index:
        await write(log, record(TEAM))
        await index.fresh_of(REFERRAL, 10.0)
    log._store._partitions.clear()
    late = TEAM._replace(recipient="northvale-136-suite")
    await write(log, record(late), record(TEAM), record(TEAM))

    async with following(log, tmp_path / "index.db") as index:
        assert await index.fresh_of(REFERRAL, 10.0) == {TEAM, late}
