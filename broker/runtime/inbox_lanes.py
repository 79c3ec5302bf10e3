"""Lanes that stopped because a view held more than its agreement grants; only a person reopens one."""

from datetime import datetime

from broker.runtime.inbox_rows import to_ms
from broker.runtime.sqlite import Connection, Store


class ClosedLanes:
    """The closed lanes of one recipient, by purpose."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def close(self, purpose: str, reason: str, now: datetime) -> None:
        """Stop a lane; it stays closed across restarts."""

        def work(database: Connection) -> None:
            database.execute(
                "INSERT OR IGNORE INTO closed_lanes VALUES (?, ?, ?)", (purpose, to_ms(now), reason)
            )

        await self._store.write(work)

    async def reopen(self, purpose: str) -> None:
        """Let a lane move again; what waited in it is tried at once."""

        def work(database: Connection) -> None:
            database.execute("DELETE FROM closed_lanes WHERE purpose = ?", (purpose,))
            database.execute(
                "UPDATE views SET next_ms = 0 WHERE closed_ms IS NULL AND purpose = ?", (purpose,)
            )

        await self._store.write(work)

    async def all(self) -> dict[str, str]:
        """Return why each closed lane was closed, by purpose."""
        return await self._store.read(
            lambda database: dict(
                database.execute("SELECT purpose, reason FROM closed_lanes").fetchall()
            )
        )
