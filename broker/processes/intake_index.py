"""
Who has received which referral, read from `disclosures`: that is who may answer it.

Kept in a file of its own, so that a restart goes on where it stopped; it can be deleted at any
time and is then read anew.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from broker.codec.disclosures import read_disclosure
from broker.domain.errors import MalformedMessageError, TransportError
from broker.domain.partitioning import partition_of
from broker.domain.streams import Log, Partition, Reader, Record
from broker.runtime.log_marks import SCHEMA as MARKS_SCHEMA
from broker.runtime.log_marks import mark_of, read_marks, replaced, write_marks
from broker.runtime.sqlite import Connection, Store
from broker.runtime.waiting import wait_or_stop

SCHEMA = """
CREATE TABLE IF NOT EXISTS disclosed (
    referral_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    purpose TEXT NOT NULL,
    event_type TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (referral_id, sender, recipient, purpose, event_type, outcome)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
"""
MADE: Final = "referral_made"
HAVE_IT: Final = frozenset({"released", "envelope_only"})
"""Outcomes after which the recipient has something in hand that it can answer."""

NO_SECRET: Final = b""
"""A disclosure holds no payload that its digest could give away."""

FETCH_S: Final = 0.25
RETRY_S: Final = 1.0
log = structlog.get_logger()


class Disclosed(NamedTuple):
    """That an event of a referral was decided for a recipient."""

    sender: str
    recipient: str
    purpose: str
    event_type: str
    outcome: str


class DisclosureIndex:
    """
    Follows every partition of `disclosures`.

    Args:
        path: Its file.
        kafka: Where to read.
        topic: The disclosures.
        partitions: How many partitions the topic has.
        retry_s: Pause after trouble with Kafka.
    """

    def __init__(
        self, path: Path, kafka: Log, topic: str, partitions: int, *, retry_s: float = RETRY_S
    ) -> None:
        self._store = Store(path, SCHEMA + MARKS_SCHEMA)
        self._log = kafka
        self._topic = topic
        self._partitions = partitions
        self._retry_s = retry_s
        self._reached: dict[int, int] = {}
        self._progress = asyncio.Condition()
        self._reader: Reader | None = None
        self.is_following = False

    async def of(self, referral_id: str) -> set[Disclosed]:
        """Return what is known of a referral now."""

        def work(connection: Connection) -> set[Disclosed]:
            rows = connection.execute(
                "SELECT sender, recipient, purpose, event_type, outcome FROM disclosed"
                " WHERE referral_id = ?",
                (referral_id,),
            )
            return {Disclosed(*row) for row in rows}

        return await self._store.read(work)

    async def fresh_of(self, referral_id: str, timeout_s: float) -> set[Disclosed]:
        """
        Return what is known of a referral once everything disclosed until now has been read.

        Raises:
            TransportError: That was not reached in time; nobody can say.
        """
        number = partition_of(referral_id, self._partitions)
        try:
            async with asyncio.timeout(timeout_s):
                async with self._progress:
                    await self._progress.wait_for(lambda: self.is_following)
                end = await self._end(number)
                async with self._progress:
                    await self._progress.wait_for(lambda: self._reached.get(number, 0) >= end)
        except TimeoutError:
            raise TransportError("disclosures cannot be read up to now") from None
        return await self.of(referral_id)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until *stop*; trouble with Kafka is waited out."""
        while not stop.is_set():
            try:
                await self._follow(stop)
            except TransportError as error:
                log.warning("disclosures are not being followed", code=error.code)
            finally:
                self.is_following = False
            if not stop.is_set():
                await wait_or_stop(stop, self._retry_s)

    async def aclose(self) -> None:
        """Close the file."""
        await self._store.aclose()

    async def _end(self, number: int) -> int:
        reader = self._reader
        if reader is None:
            raise TransportError("disclosures are not being followed")
        return await reader.end(Partition(self._topic, number))

    async def _follow(self, stop: asyncio.Event) -> None:
        partitions = [Partition(self._topic, number) for number in range(self._partitions)]
        if await self._log.partitions(self._topic) != self._partitions:
            raise TransportError("disclosures are not provisioned")
        reader = await self._log.open_reader(partitions)
        try:
            await self._seek(reader, partitions)
            self._reader, self.is_following = reader, True
            await self._keep(reader, [])
            while not stop.is_set():
                await self._keep(reader, await reader.fetch(FETCH_S))
        finally:
            self._reader = None
            await reader.aclose()

    async def _seek(self, reader: Reader, partitions: Sequence[Partition]) -> None:
        known = await self._store.read(
            lambda connection: dict(
                connection.execute(
                    "SELECT partition, next_offset FROM positions WHERE topic = ?", (self._topic,)
                ).fetchall()
            )
        )
        anew = await replaced(reader, await self._store.read(read_marks), NO_SECRET)
        for partition in partitions:
            # Retention may have passed us, or the topic may have been made anew.
            beginning, end = await reader.beginning(partition), await reader.end(partition)
            offset = beginning if partition in anew else known.get(partition.number, beginning)
            offset = offset if beginning <= offset <= end else beginning
            reader.seek(partition, offset)

    async def _keep(self, reader: Reader, records: Sequence[Record]) -> None:
        rows = [row for record in records if (row := _row(record))]
        reached = {
            number: await reader.position(Partition(self._topic, number))
            for number in ({record.partition.number for record in records} or self._stale())
        }
        if records:
            marks = {record.partition: mark_of(record, NO_SECRET) for record in records}

            def work(connection: Connection) -> None:
                self._write(connection, rows, reached)
                write_marks(connection, marks)

            await self._store.write(work)
        async with self._progress:
            self._reached |= reached
            self._progress.notify_all()

    def _stale(self) -> set[int]:
        return set(range(self._partitions))

    def _write(
        self, connection: Connection, rows: Sequence[tuple[str, ...]], reached: dict[int, int]
    ) -> None:
        connection.executemany("INSERT OR IGNORE INTO disclosed VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.executemany(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
            [(self._topic, number, offset) for number, offset in reached.items()],
        )


def _row(record: Record) -> tuple[str, ...] | None:
    try:
        found = read_disclosure(record.value)
    except MalformedMessageError:
        log.error(
            "disclosure cannot be read",
            partition=record.partition.number,
            offset=record.offset,
            topic=record.partition.topic,
        )
        return None
    return (
        found["referral_id"],
        found["sender"],
        found["recipient"],
        found["purpose"],
        found["event_type"],
        str(found["outcome"]),
    )
