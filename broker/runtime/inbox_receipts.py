"""
Technical receipts on their way back to intake: "the recipient's machine has stored it".

A receipt is born in the commit that closes its view, and stays until intake has accepted it.
"""

from datetime import datetime

from broker.runtime.inbox_rows import Due, ReceiptDue, from_ms, to_ms
from broker.runtime.sqlite import Connection, Store


class Receipts:
    """Receipts that intake is to be told."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def due(self, now: datetime, limit: int) -> list[ReceiptDue]:
        """Return receipts to be sent now, oldest delivery first."""

        def work(database: Connection) -> list[ReceiptDue]:
            rows = database.execute(
                "SELECT request_id, referral_id, environment, purpose, stored_ms, attempts"
                " FROM receipts WHERE accepted_ms IS NULL AND next_ms <= ?"
                " ORDER BY stored_ms, request_id LIMIT ?",
                (to_ms(now), limit),
            )
            return [
                ReceiptDue(
                    request_id=request,
                    referral_id=referral,
                    environment=environment,
                    purpose=purpose,
                    stored_at=from_ms(stored),
                    attempts=attempts + 1,
                )
                for request, referral, environment, purpose, stored, attempts in rows
            ]

        return await self._store.read(work)

    async def accepted(self, request_id: str, now: datetime) -> None:
        """Close a receipt that intake has."""

        def work(database: Connection) -> None:
            database.execute(
                "UPDATE receipts SET accepted_ms = ? WHERE request_id = ?", (to_ms(now), request_id)
            )

        await self._store.write(work)

    async def failed(self, request_id: str, again_at: datetime) -> None:
        """Keep a receipt that intake did not take, until *again_at*."""

        def work(database: Connection) -> None:
            database.execute(
                "UPDATE receipts SET next_ms = ?, attempts = attempts + 1 WHERE request_id = ?",
                (to_ms(again_at), request_id),
            )

        await self._store.write(work)

    async def next_due(self, now: datetime) -> datetime | None:
        """Return the next instant after *now* at which a receipt is to be tried again, if any."""

        def work(database: Connection) -> int | None:
            (found,) = database.execute(
                "SELECT min(next_ms) FROM receipts WHERE accepted_ms IS NULL AND next_ms > ?",
                (to_ms(now),),
            ).fetchone()
            return None if found is None else int(found)

        found = await self._store.read(work)
        return None if found is None else from_ms(found)

    async def waiting(self) -> int:
        """Return how many receipts intake has not accepted yet."""

        def work(database: Connection) -> int:
            (found,) = database.execute(
                "SELECT count(*) FROM receipts WHERE accepted_ms IS NULL"
            ).fetchone()
            return int(found)

        return await self._store.read(work)


def add_receipt(database: Connection, due: Due, now: datetime) -> None:
    """Add the receipt of a delivered view to the transaction that closes it."""
    database.execute(
        "INSERT OR IGNORE INTO receipts"
        " (request_id, referral_id, environment, purpose, stored_ms, next_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (due.request_id, due.referral_id, due.environment, due.purpose, to_ms(now), to_ms(now)),
    )
