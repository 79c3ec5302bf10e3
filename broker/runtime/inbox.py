"""
A recipient's inbox: what was read from the log and is not forgotten until the agency has it.

A view and the position behind it are stored in one commit, so that neither kill -9 nor a second
reading of the log loses or doubles one. Payload is sealed (`broker.runtime.sealing`).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from broker.domain.streams import Partition
from broker.runtime.inbox_lanes import ClosedLanes
from broker.runtime.inbox_pages import Pages
from broker.runtime.inbox_receipts import Receipts, add_receipt
from broker.runtime.inbox_rows import (
    SCHEMA,
    Due,
    Failure,
    NewView,
    Standing,
    from_ms,
    place_of,
    to_ms,
)
from broker.runtime.log_marks import SCHEMA as MARKS_SCHEMA
from broker.runtime.log_marks import Mark, read_marks, write_marks
from broker.runtime.retry import priority
from broker.runtime.sealing import SealBrokenError, Sealer
from broker.runtime.sqlite import Connection, Store

log = structlog.get_logger()

URGENT = priority("unknown")
"""Views up to this priority may use the slots kept for urgent ones."""

# INVARIANT: only the oldest open view of a referral and purpose may move (P6).
# It moves as fast as the most urgent view behind it needs.
_HEADS = """
WITH heads AS (
  SELECT *, (SELECT min(o.priority) FROM views AS o WHERE o.referral_id = v.referral_id
             AND o.purpose = v.purpose AND o.closed_ms IS NULL) AS pull
  FROM views AS v
  WHERE closed_ms IS NULL AND state != 'in_flight' AND next_ms <= :now
    AND purpose NOT IN (SELECT value FROM json_each(:closed))
    AND NOT EXISTS (SELECT 1 FROM views AS o WHERE o.referral_id = v.referral_id
                    AND o.purpose = v.purpose AND o.closed_ms IS NULL AND o.number < v.number))
SELECT number, topic, partition, offset, event_id, referral_id, purpose, event_type, environment,
       rank, request_id, attempts, pull, accepted_ms, taken_ms, deadline_ms, first_sent_ms,
       sealed
FROM heads WHERE pull BETWEEN :first AND :last
ORDER BY pull, number LIMIT :limit
"""

_INSERT = """
INSERT OR IGNORE INTO views (topic, partition, offset, event_id, purpose, version, referral_id,
  event_type, environment, rank, priority, request_id, accepted_ms, taken_ms, deadline_ms,
  next_ms, sealed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Inbox:
    """
    Views on their way to one recipient.

    Attributes:
        receipts: What intake is to be told of deliveries.
        pages: What needs a person.
        lanes: Which lanes are closed.

    Args:
        path: The store; one process at a time may have it.
        sealer: Seals payload.

    Raises:
        ConfigurationError: Another instance of this recipient's `deliver` is active.
    """

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self._store = Store(path, SCHEMA + MARKS_SCHEMA)
        self._sealer = sealer
        self.receipts = Receipts(self._store)
        self.pages = Pages(self._store)
        self.lanes = ClosedLanes(self._store)

    async def recover(self) -> int:
        """Put back what was in flight when the process ended; return how many there were."""

        def work(database: Connection) -> int:
            return database.execute(
                "UPDATE views SET next_ms = 0,"
                " state = CASE WHEN paged_ms IS NULL THEN 'waiting' ELSE 'parked' END"
                " WHERE state = 'in_flight'"
            ).rowcount

        return await self._store.write(work)

    async def positions(self) -> dict[Partition, int]:
        """Return where to read on in each partition that was ever read."""

        def work(database: Connection) -> dict[Partition, int]:
            rows = database.execute("SELECT topic, partition, next_offset FROM positions")
            return {Partition(topic, number): offset for topic, number, offset in rows}

        return await self._store.read(work)

    async def marks(self) -> dict[Partition, Mark]:
        """Return the mark of the last record taken of each partition."""
        return await self._store.read(read_marks)

    async def rewind(self, partition: Partition) -> None:
        """Forget where a partition was read to: it is another one now, under the same name."""

        def work(database: Connection) -> None:
            for table in ("positions", "marks"):
                database.execute(
                    f"DELETE FROM {table} WHERE topic = ? AND partition = ?",  # noqa: S608 - ours
                    partition,
                )

        await self._store.write(work)

    async def take(
        self,
        views: Sequence[NewView],
        positions: Mapping[Partition, int],
        now: datetime,
        *,
        marks: Mapping[Partition, Mark] | None = None,
    ) -> int:
        """
        Store views and the positions behind them in one commit; return how many were new.

        Args:
            views: As they came from the log.
            positions: Where to read on.
            now: The instant.
            marks: Of the last record before each position.
        """
        sealed = [
            (view, self._sealer.seal(view.value, place_of(*view.partition, view.offset)))
            for view in views
        ]

        def work(database: Connection) -> int:
            new = sum(_insert(database, view, content, now) for view, content in sealed)
            database.executemany(
                "INSERT INTO positions VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)",
                [(*partition, offset) for partition, offset in positions.items()],
            )
            write_marks(database, marks or {})
            return new

        return await self._store.write(work)

    async def claim(
        self, now: datetime, *, urgent: int, others: int, closed: Collection[str] = ()
    ) -> list[Due]:
        """
        Mark what is due as in flight and return it, most urgent and then oldest first.

        Args:
            now: The instant.
            urgent: At most this many in all.
            others: At most this many that are not urgent.
            closed: Purposes whose lane is closed: nothing of them moves.
        """
        names = json.dumps(sorted(closed))

        def work(database: Connection) -> list[Due]:
            first = _heads(database, now, (0, URGENT), urgent, names)
            rest = min(others, urgent - len(first))
            rows = [*first, *_heads(database, now, (URGENT + 1, 99), rest, names)]
            database.executemany(
                "UPDATE views SET state = 'in_flight', attempts = attempts + 1,"
                " first_sent_ms = coalesce(first_sent_ms, ?) WHERE number = ?",
                [(to_ms(now), row[0]) for row in rows],
            )
            return [self._due(row, now) for row in rows]

        return await self._store.write(work)

    async def delivered(self, due: Due, now: datetime, *, with_receipt: bool) -> None:
        """Close a view that the agency has; its receipt joins in the same commit."""

        def work(database: Connection) -> None:
            database.execute(
                "UPDATE views SET state = 'delivered', closed_ms = ? WHERE number = ?",
                (to_ms(now), due.number),
            )
            if with_receipt:
                add_receipt(database, due, now)

        await self._store.write(work)

    async def failed(self, due: Due, failure: Failure, now: datetime) -> None:
        """Put a view back after an attempt that failed."""

        def work(database: Connection) -> None:
            database.execute(
                "UPDATE views SET next_ms = ?, reason = ?,"
                " first_sent_ms = CASE WHEN ? THEN first_sent_ms END,"
                " deadline_ms = CASE WHEN ? THEN min(deadline_ms, ?) ELSE deadline_ms END,"
                " state = CASE WHEN paged_ms IS NULL THEN 'waiting' ELSE 'parked' END"
                " WHERE number = ? AND closed_ms IS NULL",
                (
                    to_ms(failure.again_at),
                    failure.reason,
                    failure.reached,
                    failure.park,
                    to_ms(now),
                    due.number,
                ),
            )

        await self._store.write(work)

    async def next_due(self, now: datetime) -> datetime | None:
        """Return the next instant at which a view falls due or past its deadline, if any."""

        def work(database: Connection) -> list[int]:
            found = database.execute(
                "SELECT min(CASE WHEN next_ms > :now THEN next_ms END),"
                " min(CASE WHEN paged_ms IS NULL AND deadline_ms > :now THEN deadline_ms END)"
                " FROM views WHERE closed_ms IS NULL AND state != 'in_flight'",
                {"now": to_ms(now)},
            ).fetchone()
            return [moment for moment in found if moment is not None]

        found = await self._store.read(work)
        return from_ms(min(found)) if found else None

    async def standing(self) -> Standing:
        """Return how many views wait and are parked, and since when."""

        def work(database: Connection) -> Standing:
            waiting, parked, oldest = database.execute(
                "SELECT count(*), count(paged_ms), min(accepted_ms) FROM views"
                " WHERE closed_ms IS NULL"
            ).fetchone()
            oldest_at = None if oldest is None else from_ms(oldest)
            return Standing(waiting=waiting, parked=parked, oldest_at=oldest_at)

        return await self._store.read(work)

    async def purge(self, before: datetime) -> int:
        """Forget what was closed before an instant and whose receipt is through."""

        def work(database: Connection) -> int:
            found = database.execute(
                "DELETE FROM views WHERE closed_ms < :before AND request_id NOT IN"
                " (SELECT request_id FROM receipts WHERE accepted_ms IS NULL)",
                {"before": to_ms(before)},
            ).rowcount
            database.execute("DELETE FROM receipts WHERE accepted_ms < ?", (to_ms(before),))
            return found

        return await self._store.write(work)

    async def aclose(self) -> None:
        """Commit what waits and let another instance have the store."""
        await self._store.aclose()

    def _due(self, row: Any, now: datetime) -> Due:
        accepted, taken, deadline, first_sent, sealed = row[-5:]
        return Due(
            number=row[0],
            event_id=row[4],
            referral_id=row[5],
            purpose=row[6],
            event_type=row[7],
            environment=row[8],
            rank=row[9],
            request_id=row[10],
            attempts=row[11] + 1,
            is_urgent=row[12] <= URGENT,
            accepted_at=from_ms(accepted),
            taken_at=from_ms(taken),
            deadline=from_ms(deadline),
            first_sent_at=now if first_sent is None else from_ms(first_sent),
            value=self._open(sealed, place_of(*row[1:4])),
        )

    def _open(self, sealed: bytes, place: bytes) -> bytes:
        try:
            return self._sealer.open(sealed, place)
        except SealBrokenError:
            # One unreadable row must not stop the others; as an empty view it parks and pages.
            log.exception("stored view does not open", code=SealBrokenError.code)
            return b""


def _heads(
    database: Connection, now: datetime, priorities: tuple[int, int], limit: int, closed: str
) -> list[Any]:
    if limit <= 0:
        return []
    first, last = priorities
    values = {"now": to_ms(now), "first": first, "last": last, "closed": closed, "limit": limit}
    return database.execute(_HEADS, values).fetchall()


def _insert(database: Connection, view: NewView, sealed: bytes, now: datetime) -> int:
    values = (
        *view.partition,
        view.offset,
        view.event_id,
        view.purpose,
        view.version,
        view.referral_id,
        view.event_type,
        view.environment,
        view.rank,
        priority(view.rank),
        view.request_id,
        to_ms(view.accepted_at),
        to_ms(now),
        to_ms(view.deadline),
        to_ms(now),
        sealed,
    )
    return database.execute(_INSERT, values).rowcount
