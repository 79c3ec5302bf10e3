"""What of an inbox needs a person: past its deadline, refused, or in a closed lane."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from broker.runtime.inbox_rows import Parked, from_ms, to_ms
from broker.runtime.sqlite import Connection, Store

_COLUMNS: Final = (
    "number, event_id, referral_id, purpose, event_type, rank, request_id, reason, accepted_ms"
)
_PARK: Final = f"""
UPDATE views SET paged_ms = :now, state = 'parked', reason = CASE
  WHEN purpose IN (SELECT value FROM json_each(:closed)) THEN 'lane-closed'
  WHEN reason = '' THEN 'deadline-passed' ELSE reason END
WHERE closed_ms IS NULL AND paged_ms IS NULL AND state != 'in_flight' AND
  (deadline_ms <= :now OR purpose IN (SELECT value FROM json_each(:closed)))
RETURNING {_COLUMNS}
"""  # noqa: S608 - the columns are a constant
_OPEN: Final = f"""
SELECT {_COLUMNS} FROM views WHERE closed_ms IS NULL AND paged_ms IS NOT NULL ORDER BY number
"""  # noqa: S608 - the same


class Pages:
    """Views that a person must see to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def new(self, now: datetime, closed: Collection[str] = ()) -> list[Parked]:
        """
        Park what is past its deadline or in a closed lane; return what is newly parked, in order.

        Each view is returned once, also across restarts: every one of them is a telephone call.
        """
        values = {"now": to_ms(now), "closed": json.dumps(sorted(closed))}

        def work(database: Connection) -> list[Parked]:
            rows = database.execute(_PARK, values).fetchall()
            return sorted(map(_parked, rows), key=lambda parked: parked.number)

        return await self._store.write(work)

    async def all(self) -> list[Parked]:
        """Return everything that waits for a person, oldest first."""
        return await self._store.read(
            lambda database: [_parked(row) for row in database.execute(_OPEN)]
        )

    async def resolve(self, request_id: str, role: str, now: datetime) -> bool:
        """
        Close a parked view because a person dealt with it; return whether there was one.

        Args:
            request_id: The view's request id.
            role: Role of the person, never a name.
            now: The instant.
        """

        def work(database: Connection) -> bool:
            changed = database.execute(
                "UPDATE views SET state = 'resolved', closed_ms = ?, resolved_by = ?"
                " WHERE request_id = ? AND state = 'parked'",
                (to_ms(now), role, request_id),
            )
            return changed.rowcount > 0

        return await self._store.write(work)


def _parked(row: Any) -> Parked:
    return Parked(
        number=row[0],
        event_id=row[1],
        referral_id=row[2],
        purpose=row[3],
        event_type=row[4],
        rank=row[5],
        request_id=row[6],
        reason=row[7],
        accepted_at=from_ms(row[8]),
    )
