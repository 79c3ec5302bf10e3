"""
Moments: ISO 8601 text with its offset, and the native form with UTC and the offset as stated.

A time without an offset is civil time in the United Kingdom. That is an assumption, so the offset
is left empty and a finding says so.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

CIVIL_ZONE = "Europe/London"

ASSUMED = "offset-assumed"
AMBIGUOUS = "offset-ambiguous"
NONEXISTENT = "civil-time-nonexistent"

_FORMAT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII
)
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII)


def read_moment(text: str) -> tuple[dict[str, Any], list[str]]:
    """
    Return the native form and the codes of what was noticed.

    Raises:
        ValueError: It is no such text, or no such time; the message is the rule.

    >>> read_moment("2026-07-01T12:00:00+01:00")[0]["utc"].hour
    11
    """
    text = text.upper()
    if not _FORMAT.fullmatch(text):
        raise ValueError("not a date and time as in yyyy-mm-ddThh:mm:ss+hh:mm")
    try:
        stated = datetime.fromisoformat(text)
        if stated.tzinfo is None:
            return _from_civil(stated)
        native = {"utc": stated.astimezone(UTC), "offset": _offset_text(stated)}
    except (ValueError, OverflowError):
        raise ValueError("no such date or time") from None
    return native, []


def write_moment(native: Mapping[str, Any]) -> str:
    """
    Return the text that reads back as this moment.

    An assumed offset stays away, unless only the offset says which of two equal times is meant.
    """
    utc: datetime = native["utc"]
    if native["offset"] == "":
        civil = utc.astimezone(ZoneInfo(CIVIL_ZONE))
        return (civil.replace(tzinfo=None) if civil.fold == 0 else civil).isoformat()
    return utc.astimezone(_offset(native["offset"])).isoformat()


def _from_civil(stated: datetime) -> tuple[dict[str, Any], list[str]]:
    zone = ZoneInfo(CIVIL_ZONE)
    earlier, later = stated.replace(tzinfo=zone), stated.replace(tzinfo=zone, fold=1)
    codes = [ASSUMED]
    if earlier.utcoffset() != later.utcoffset():
        exists = earlier.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == stated
        codes.append(AMBIGUOUS if exists else NONEXISTENT)
    return {"utc": earlier.astimezone(UTC), "offset": ""}, codes


def _offset_text(stated: datetime) -> str:
    return stated.replace(microsecond=0).isoformat()[-len("+00:00") :]


def _offset(text: str) -> timezone:
    match = _OFFSET.fullmatch(text)
    if not match:
        return UTC
    sign = -1 if match[1] == "-" else 1
    offset = sign * timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(offset) if abs(offset) < timedelta(days=1) else UTC
