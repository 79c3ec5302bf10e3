"""
What the inbox stores: its tables, and the values that go in and come out.

Columns hold derived ids, codes and times only; whatever a view says of a person is in `sealed`.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from broker.domain.streams import Partition

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS views (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
  event_id TEXT NOT NULL, purpose TEXT NOT NULL, version INTEGER NOT NULL,
  referral_id TEXT NOT NULL, event_type TEXT NOT NULL, environment TEXT NOT NULL,
  rank TEXT NOT NULL, priority INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  accepted_ms INTEGER NOT NULL, taken_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting', attempts INTEGER NOT NULL DEFAULT 0,
  next_ms INTEGER NOT NULL, first_sent_ms INTEGER, paged_ms INTEGER, closed_ms INTEGER,
  reason TEXT NOT NULL DEFAULT '', resolved_by TEXT,
  sealed BLOB NOT NULL,
  UNIQUE (event_id, purpose, version)
);
CREATE INDEX IF NOT EXISTS views_open ON views (priority, number) WHERE closed_ms IS NULL;
CREATE INDEX IF NOT EXISTS views_order ON views (referral_id, purpose, number)
  WHERE closed_ms IS NULL;
CREATE INDEX IF NOT EXISTS views_closed ON views (closed_ms) WHERE closed_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS positions (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
);
CREATE TABLE IF NOT EXISTS receipts (
  request_id TEXT PRIMARY KEY, referral_id TEXT NOT NULL, environment TEXT NOT NULL,
  purpose TEXT NOT NULL, stored_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, next_ms INTEGER NOT NULL, accepted_ms INTEGER
);
CREATE INDEX IF NOT EXISTS receipts_open ON receipts (next_ms) WHERE accepted_ms IS NULL;
CREATE TABLE IF NOT EXISTS closed_lanes (
  purpose TEXT PRIMARY KEY, closed_ms INTEGER NOT NULL, reason TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewView:
    """
    One view as it came from the log.

    Attributes:
        partition: Where it stood, with `offset`.
        value: The record's bytes, framed; sealed when stored.
        deadline: When a person is paged if it was not delivered.
        request_id: The same for every attempt; agencies recognise a repeat by it.
    """

    partition: Partition
    offset: int
    event_id: str
    purpose: str
    version: int
    referral_id: str
    event_type: str
    environment: str
    rank: str
    request_id: str
    accepted_at: datetime
    deadline: datetime
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """
    One view to be sent now.

    Attributes:
        number: Row of the inbox.
        attempts: This one included.
        is_urgent: Whether it, or a view that waits behind it, is urgent.
        first_sent_at: When bytes of it may first have reached the agency: what depends on the
            time is computed from here, so that a repeat has the same bytes.
    """

    number: int
    event_id: str
    referral_id: str
    purpose: str
    event_type: str
    environment: str
    rank: str
    request_id: str
    attempts: int
    is_urgent: bool
    accepted_at: datetime
    taken_at: datetime
    deadline: datetime
    first_sent_at: datetime
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    An attempt that failed.

    Attributes:
        again_at: When to try again.
        reason: Stable name of what went wrong.
        reached: Whether bytes may have reached the agency; if certainly not, the next attempt
            counts as the first one sent.
        park: Whether a person is needed now, not only at the deadline.
    """

    again_at: datetime
    reason: str
    reached: bool = True
    park: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """
    A view that needs a person: phone the recipient.

    Attributes:
        reason: Stable name: ``deadline-passed``, ``refused``, ``lane-closed`` ...
    """

    number: int
    event_id: str
    referral_id: str
    purpose: str
    event_type: str
    rank: str
    request_id: str
    reason: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptDue:
    """A technical receipt that intake has not accepted yet."""

    request_id: str
    referral_id: str
    environment: str
    purpose: str
    stored_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the inbox stands, in numbers: `oldest_at` is the acceptance of the oldest open view."""

    waiting: int
    parked: int
    oldest_at: datetime | None


def to_ms(moment: datetime) -> int:
    """Return milliseconds since the epoch."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """Return the UTC instant of *milliseconds* since the epoch."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def place_of(topic: str, partition: int, offset: int) -> bytes:
    """Return the place that a sealed value is bound to."""
    return f"{topic}/{partition}/{offset}".encode()
