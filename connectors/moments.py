"""
Instants as the sender's clock showed them.

An Avro `Moment` holds the instant in UTC and the offset the sender stated; agency formats want one
text with both.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

_OFFSET: Final = re.compile(r"([+-])(\d{2}):(\d{2})")


def moment_text(moment: Mapping[str, Any]) -> str:
    """
    Return an ISO 8601 text with seconds and offset; UTC where the sender stated no offset.

    >>> moment_text({"utc": datetime(2026, 7, 1, 13, 5, tzinfo=UTC), "offset": "+01:00"})
    '2026-07-01T14:05:00+01:00'
    """
    return _in_zone(moment["utc"], _zone(moment["offset"]))


def instant_text(instant: datetime) -> str:
    """Return a UTC instant as ISO 8601 text."""
    return _in_zone(instant, UTC)


def _in_zone(instant: datetime, zone: timezone) -> str:
    try:
        local = instant.astimezone(zone)
    except OverflowError:  # the first and the last day of the calendar have no other zone
        local = instant.astimezone(UTC)
    # Fractions are kept only where there are some: most systems do not expect them.
    return local.isoformat(timespec="microseconds" if local.microsecond else "seconds")


def _zone(offset: str) -> timezone:
    found = _OFFSET.fullmatch(offset)
    if found is None:
        return UTC
    sign = -1 if found[1] == "-" else 1
    minutes = sign * (int(found[2]) * 60 + int(found[3]))
    # No place on earth is further from UTC, and the formats accept no more.
    return timezone(timedelta(minutes=minutes)) if abs(minutes) <= 14 * 60 else UTC
