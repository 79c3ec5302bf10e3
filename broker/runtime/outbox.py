"""
What intake has promised and Kafka does not have yet.

An entry is in here before its sender hears yes, and stays for a stated time after Kafka has it,
since one broker's acknowledgement is not an fsync. The same message again finds its receipt;
other content under the same key is a conflict. Receipts and repeats hold no content: ids, keyed
digests and findings only, so that they may outlive the payload.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from broker.domain.errors import TransportError
from broker.domain.findings import Finding, Severity
from broker.runtime.sqlite import Connection, Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS receipts (
    event_id TEXT PRIMARY KEY,
    party TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    digest BLOB NOT NULL,
    findings TEXT NOT NULL,
    accepted_us INTEGER NOT NULL,
    handed_us INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE REFERENCES receipts (event_id),
    referral_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    accepted_us INTEGER NOT NULL,
    handed_us INTEGER
);
CREATE INDEX IF NOT EXISTS receipts_of_referral ON receipts (referral_id);
CREATE INDEX IF NOT EXISTS entries_waiting ON entries (place) WHERE handed_us IS NULL;
CREATE INDEX IF NOT EXISTS entries_done ON entries (handed_us) WHERE handed_us IS NOT NULL;
CREATE TABLE IF NOT EXISTS routes (
    referral_id TEXT NOT NULL,
    party TEXT NOT NULL,
    recipient TEXT NOT NULL,
    purpose TEXT NOT NULL,
    PRIMARY KEY (referral_id, party, recipient, purpose)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipts_by_age ON receipts (accepted_us);
CREATE TABLE IF NOT EXISTS pulse (only INTEGER PRIMARY KEY CHECK (only = 1), checked_us INTEGER);
"""
PURGE_AT_ONCE = 500
"""Purging in small transactions never makes a referral wait long."""

MADE = "referral_made"


def outbox_file(state_dir: Path) -> Path:
    """Return where an installation keeps the outbox of its intake."""
    return state_dir / "intake" / "outbox.db"


class State(StrEnum):
    """How far an event has come."""

    STORED_HERE = "stored here"
    HANDED_OVER = "handed over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One event to be kept until Kafka has it.

    Attributes:
        digest: Keyed digest of what the sender sent; tells a repeat from another message.
        priority: Place of its urgency in the queue, 0 first.
        key: Record key.
        value: Framed Avro bytes.
        routes: (recipient, purpose) pairs, remembered for what the sender sends later.
    """

    event_id: str
    event_type: str
    referral_id: str
    party: str
    digest: bytes
    topic: str
    partition: int
    priority: int
    key: bytes
    value: bytes
    accepted_at: datetime
    findings: tuple[Finding, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a sender may show for an event; *repeated* if it had been accepted before."""

    event_id: str
    event_type: str
    referral_id: str
    state: State
    accepted_at: datetime
    findings: tuple[Finding, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """The same idempotency key came before with other content."""

    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Where one entry stands in the queue; the payload is read when its turn comes."""

    place: int
    event_id: str
    referral_id: str
    priority: int
    accepted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What Kafka gets of one entry."""

    topic: str
    partition: int
    key: bytes
    value: bytes


class Outbox:
    """
    The entries of one intake.

    Raises:
        ConfigurationError: From the constructor: another process has the file.
        TransportError: From every method: the disk does not take it; nothing was promised.
    """

    def __init__(self, path: Path) -> None:
        self.store = Store(path, SCHEMA)

    async def accept(self, entries: Sequence[Entry]) -> list[Receipt | Conflict]:
        """Store all entries in one transaction; what was known before is not stored again."""
        return await self.store.write(
            lambda connection: [_accept(connection, entry) for entry in entries]
        )

    async def waiting(self, after: int = 0) -> list[Waiting]:
        """Return what Kafka does not have behind a place, in the order it was accepted."""
        return await self.store.read(lambda connection: _waiting(connection, after))

    async def payload(self, place: int) -> Payload:
        """Return what is to be written to Kafka for one entry."""

        def work(connection: Connection) -> Payload:
            topic, partition, key, value = connection.execute(
                "SELECT topic, partition, key, value FROM entries WHERE place = ?", (place,)
            ).fetchone()
            return Payload(topic=topic, partition=partition, key=key, value=value)

        return await self.store.read(work)

    async def hand_over(self, event_id: str, at: datetime) -> None:
        """Note that Kafka has this event."""

        def work(connection: Connection) -> None:
            for table in ("entries", "receipts"):
                connection.execute(
                    f"UPDATE {table} SET handed_us = ? WHERE event_id = ?",  # noqa: S608 - two names
                    (_micros(at), event_id),
                )

        await self.store.write(work)

    async def hand_over_again(self, since: datetime) -> int:
        """
        Take back that Kafka has what it took at or after a time; return how many events wait anew.

        Their receipts say "stored here" again, which is all that is known now. They go in the order
        they were accepted, so that a referral stays in order, and release drops those it has seen.
        """

        def work(connection: Connection) -> int:
            since_us = _micros(since)
            connection.execute(
                "UPDATE receipts SET handed_us = NULL WHERE event_id IN"
                " (SELECT event_id FROM entries WHERE handed_us >= ?)",
                (since_us,),
            )
            return connection.execute(
                "UPDATE entries SET handed_us = NULL WHERE handed_us >= ?", (since_us,)
            ).rowcount

        return await self.store.write(work)

    async def receipt(self, party: str, event_id: str) -> Receipt | None:
        """Return the receipt of an event that *party* sent; None for everybody else."""
        return await self.store.read(lambda connection: _receipt(connection, event_id, party))

    async def sender_of(self, referral_id: str) -> str | None:
        """Return who made this referral here; None if it was not made here."""

        def work(connection: Connection) -> str | None:
            found = connection.execute(
                "SELECT party FROM receipts WHERE referral_id = ? AND event_type = ?",
                (referral_id, MADE),
            ).fetchone()
            return found[0] if found else None

        return await self.store.read(work)

    async def routes_of(self, referral_id: str, party: str) -> set[tuple[str, str]]:
        """Return every (recipient, purpose) that *party* has addressed for this referral here."""

        def work(connection: Connection) -> set[tuple[str, str]]:
            return set(
                connection.execute(
                    "SELECT recipient, purpose FROM routes WHERE referral_id = ? AND party = ?",
                    (referral_id, party),
                )
            )

        return await self.store.read(work)

    async def check(self, at: datetime) -> str | None:
        """Try the disk; return why it does not take anything, None if it does."""

        def work(connection: Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO pulse VALUES (1, ?)", (_micros(at),))

        try:
            await self.store.write(work)
        except TransportError as error:
            return str(error)
        return None

    async def purge(self, *, payload_before: datetime, receipts_before: datetime) -> int:
        """Overwrite payload handed over, and forget receipts accepted, before given times."""
        count = 0
        while purged := await self.store.write(
            lambda connection: _purge_payload(connection, _micros(payload_before))
        ):
            count += purged
        while await self.store.write(
            lambda connection: _purge_receipts(connection, _micros(receipts_before))
        ):
            pass
        await self.store.checkpoint()
        return count

    async def aclose(self) -> None:
        """Close the file."""
        await self.store.aclose()


def _accept(connection: Connection, entry: Entry) -> Receipt | Conflict:
    known = connection.execute(
        "SELECT digest FROM receipts WHERE event_id = ?", (entry.event_id,)
    ).fetchone()
    if known is not None and known[0] != entry.digest:
        return Conflict(event_id=entry.event_id)
    if known is None:
        _insert(connection, entry)
    receipt = _receipt(connection, entry.event_id, entry.party, repeated=known is not None)
    return receipt or Conflict(event_id=entry.event_id)


def _insert(connection: Connection, entry: Entry) -> None:
    accepted_us = _micros(entry.accepted_at)
    connection.execute(
        "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            entry.event_id,
            entry.party,
            entry.referral_id,
            entry.event_type,
            entry.digest,
            _write_findings(entry.findings),
            accepted_us,
        ),
    )
    connection.execute(
        "INSERT INTO entries (event_id, referral_id, topic, partition, priority, key, value,"
        " accepted_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.event_id,
            entry.referral_id,
            entry.topic,
            entry.partition,
            entry.priority,
            entry.key,
            entry.value,
            accepted_us,
        ),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO routes VALUES (?, ?, ?, ?)",
        [(entry.referral_id, entry.party, *route) for route in entry.routes],
    )


def _receipt(
    connection: Connection, event_id: str, party: str, *, repeated: bool = False
) -> Receipt | None:
    row = connection.execute(
        "SELECT event_type, referral_id, findings, accepted_us, handed_us FROM receipts"
        " WHERE event_id = ? AND party = ?",
        (event_id, party),
    ).fetchone()
    if row is None:
        return None
    event_type, referral_id, findings, accepted_us, handed_us = row
    return Receipt(
        event_id=event_id,
        event_type=event_type,
        referral_id=referral_id,
        state=State.STORED_HERE if handed_us is None else State.HANDED_OVER,
        accepted_at=_instant(accepted_us),
        findings=_read_findings(findings),
        repeated=repeated,
    )


def _waiting(connection: Connection, after: int) -> list[Waiting]:
    rows = connection.execute(
        "SELECT place, event_id, referral_id, priority, accepted_us FROM entries"
        " WHERE handed_us IS NULL AND place > ? ORDER BY place",
        (after,),
    )
    return [
        Waiting(
            place=place,
            event_id=event_id,
            referral_id=referral_id,
            priority=priority,
            accepted_at=_instant(accepted_us),
        )
        for place, event_id, referral_id, priority, accepted_us in rows
    ]


def _purge_payload(connection: Connection, before_us: int) -> int:
    return connection.execute(
        "DELETE FROM entries WHERE place IN"
        " (SELECT place FROM entries WHERE handed_us < ? LIMIT ?)",
        (before_us, PURGE_AT_ONCE),
    ).rowcount


def _purge_receipts(connection: Connection, before_us: int) -> int:
    old = connection.execute(
        "SELECT event_id, referral_id FROM receipts WHERE accepted_us < ? AND NOT EXISTS"
        " (SELECT 1 FROM entries WHERE entries.event_id = receipts.event_id) LIMIT ?",
        (before_us, PURGE_AT_ONCE),
    ).fetchall()
    for event_id, referral_id in old:
        connection.execute("DELETE FROM receipts WHERE event_id = ?", (event_id,))
        connection.execute(
            "DELETE FROM routes WHERE referral_id = ?1 AND NOT EXISTS"
            " (SELECT 1 FROM receipts WHERE referral_id = ?1)",
            (referral_id,),
        )
    return len(old)


def _write_findings(findings: Iterable[Finding]) -> str:
    return json.dumps([[each.code, each.path, each.severity, each.kept] for each in findings])


def _read_findings(text: str) -> tuple[Finding, ...]:
    return tuple(
        Finding(code=code, path=path, severity=Severity(severity), kept=kept)
        for code, path, severity, kept in json.loads(text)
    )


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
