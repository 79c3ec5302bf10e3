"""Civil dates: the sender's local day, and ages by birth dates that may be vague."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ASSUMED_ZONE: Final = "Europe/London"
"""Where a sender lives that states no offset."""

_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
_BIRTH_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_LATEST_MONTH: Final = 12
_LATEST_DAY: Final = 31


def local_date(utc: Any, offset: Any) -> date | None:
    """
    Return the day on the sender's calendar; None if *utc* is no instant.

    Args:
        utc: Aware datetime; a naive one is taken as UTC.
        offset: As stated, e.g. ``+01:00``; empty or unreadable means `ASSUMED_ZONE`.
    """
    if not isinstance(utc, datetime):
        return None
    instant = utc if utc.tzinfo else utc.replace(tzinfo=UTC)
    try:
        return _shift(instant.astimezone(UTC), offset).date()
    except OverflowError:
        return None


def is_under_age(born: str, on: date, years: int) -> bool | None:
    """
    Tell whether somebody is younger than *years* on a day; None if *born* is no day before it.

    A month or a year alone counts as its last day: who may be a child is treated as one. Whoever
    was born on 29 February comes of age on 1 March.

    >>> is_under_age("2008-11-23", date(2026, 11, 22), 18)
    True
    >>> is_under_age("2008-11-22", date(2026, 11, 22), 18)
    False
    """
    match = _BIRTH_DATE.fullmatch(born.strip())
    if match is None:
        return None
    year, month, day = match.groups()
    if (int(year), int(month or 1), int(day or 1)) > (on.year, on.month, on.day):
        return None
    birthday = (int(month or _LATEST_MONTH), int(day or _LATEST_DAY))
    if not (1 <= birthday[0] <= _LATEST_MONTH and 1 <= birthday[1] <= _LATEST_DAY):
        return None
    age = on.year - int(year) - ((on.month, on.day) < birthday)
    return max(age, 0) < years


def _shift(instant: datetime, offset: Any) -> datetime:
    match = _OFFSET.fullmatch(offset) if isinstance(offset, str) else None
    if match is not None:
        sign, hours, minutes = match.groups()
        shift = timedelta(hours=int(hours), minutes=int(minutes))
        return instant + shift if sign == "+" else instant - shift
    try:
        return instant.astimezone(ZoneInfo(ASSUMED_ZONE))
    except ZoneInfoNotFoundError:
        return instant
