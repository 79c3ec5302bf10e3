"""
Tells whether a log is still the one that was read before.

After Kafka has lost its disk a topic may be made anew, and an offset then names another record:
whoever goes on from there skips what lies before it, and nobody notices. So a reader keeps a mark
with its position, and looks at it before it goes on.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from broker.domain.errors import TransportError
from broker.domain.streams import Partition, Reader, Record
from broker.runtime.sqlite import Connection

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS marks (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY (topic, partition)
);
"""
DIGEST_BYTES: Final = 16
FETCH_S: Final = 0.5
PATIENCE: Final = 20
"""So many fetches in a row may bring nothing before the log counts as away."""


class Mark(NamedTuple):
    """A record that was read: where it stood, and its digest."""

    offset: int
    digest: bytes


def mark_of(record: Record, secret: bytes) -> Mark:
    """Return the mark of a record; keyed, since a digest of payload could be guessed at."""
    key = secret[: blake2b.MAX_KEY_SIZE]
    # The same view may be written again at the same offset, but not at the same time.
    told = record.timestamp_ms.to_bytes(8, "big", signed=True) + record.value
    return Mark(record.offset, blake2b(told, digest_size=DIGEST_BYTES, key=key).digest())


def read_marks(database: Connection) -> dict[Partition, Mark]:
    """Return the mark of every partition that was ever read."""
    rows = database.execute("SELECT topic, partition, offset, digest FROM marks")
    return {
        Partition(topic, number): Mark(offset, digest) for topic, number, offset, digest in rows
    }


def write_marks(database: Connection, marks: Mapping[Partition, Mark]) -> None:
    """Keep the mark of the last record read; belongs into the commit that keeps the position."""
    database.executemany(
        "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
        [(*partition, *mark) for partition, mark in marks.items()],
    )


async def replaced(
    reader: Reader, marks: Mapping[Partition, Mark], secret: bytes
) -> frozenset[Partition]:
    """
    Return the partitions that hold something else where their mark is, or end before it.

    A mark that retention has deleted cannot be looked at and tells nothing. Every partition of
    *reader* must be sought again afterwards.

    Raises:
        TransportError: The log is away.
    """
    ends = {partition: await reader.end(partition) for partition in marks}
    found = {partition for partition, mark in marks.items() if mark.offset >= ends[partition]}
    open_ = {
        partition: mark
        for partition, mark in marks.items()
        if partition not in found and await reader.beginning(partition) <= mark.offset
    }
    for partition in marks:
        reader.seek(partition, open_[partition].offset if partition in open_ else ends[partition])
    return frozenset(found | await _differing(reader, open_, ends, secret))


async def _differing(
    reader: Reader,
    open_: dict[Partition, Mark],
    ends: Mapping[Partition, int],
    secret: bytes,
) -> set[Partition]:
    found: set[Partition] = set()
    idle = 0
    while open_:
        records = await reader.fetch(FETCH_S)
        idle = 0 if records else idle + 1
        for record in records:
            mark = open_.pop(record.partition, None)
            if mark is not None and mark != mark_of(record, secret):
                found.add(record.partition)
            reader.seek(record.partition, max(ends.get(record.partition, 0), record.offset + 1))
        for partition in [each for each in open_ if await reader.position(each) >= ends[each]]:
            # Only the end of a transaction stands there: no record of ours.
            del open_[partition]
            found.add(partition)
        if idle == PATIENCE:
            raise TransportError("release topics or disclosures cannot be read")
    return found
