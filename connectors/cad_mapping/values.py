"""
Text of a cell to a canonical value, by the type its column has in the mapping.

What cannot be read raises ValueError; whoever asked keeps the text and says so.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from connectors.cad_mapping.grid import ACCURACY_M, to_wgs84
from connectors.cad_mapping.mapping import Column, SiteMapping

MAX_NUMBER_CHARS: Final = 40
AMBIGUOUS: Final = "offset-ambiguous"
NONEXISTENT: Final = "civil-time-nonexistent"
_HALF_DAY: Final = timedelta(hours=12)


class Context(NamedTuple):
    """What a value may depend on besides its own text."""

    mapping: SiteMapping
    cells: Mapping[str, Any]
    occurred_at: datetime | None


class Read(NamedTuple):
    """A canonical value, and codes of what was noticed about it."""

    value: Any
    noticed: tuple[str, ...] = ()


def read_value(text: Any, column: Column, context: Context) -> Read:
    """Return the canonical value of a cell; raises ValueError."""
    if isinstance(text, list) and column.type not in {"list", "log"}:
        raise ValueError("a list where one value is expected")
    return _READERS[column.type](text, column, context)


def read_moment(text: str, pattern: str, zone: str) -> tuple[datetime, tuple[str, ...]]:
    """
    Return an aware time, and what was noticed: an hour that comes twice, or never.

    Raises:
        ValueError: The text does not fit the pattern.
    """
    found = datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - the zone is added below
    if found.tzinfo is not None:
        return found, ()
    earlier = found.replace(tzinfo=ZoneInfo(zone))
    if earlier.utcoffset() == earlier.replace(fold=1).utcoffset():
        return earlier, ()
    there_and_back = datetime.fromtimestamp(earlier.timestamp(), ZoneInfo(zone))
    is_real = there_and_back.replace(tzinfo=None) == found
    return earlier, (AMBIGUOUS if is_real else NONEXISTENT,)


def _text(text: str, _column: Column, _context: Context) -> Read:
    return Read(text)


def _lines(text: str, _column: Column, _context: Context) -> Read:
    return Read([line.strip() for line in re.split(r"[\r\n]+|,\s*", text) if line.strip()])


def _list(text: Any, column: Column, _context: Context) -> Read:
    items = text if isinstance(text, list) else text.split(column.separator)
    if not all(isinstance(item, str) for item in items):
        raise ValueError("not a list of texts")
    return Read([item.strip() for item in items if item.strip()])


def _integer(text: str, _column: Column, _context: Context) -> Read:
    if len(text) > MAX_NUMBER_CHARS:
        raise ValueError("number is too long")
    return Read(int(text))


def _number(text: str, _column: Column, _context: Context) -> Read:
    if len(text) > MAX_NUMBER_CHARS:
        raise ValueError("number is too long")
    return Read(_finite(text))


def _yes_no(text: str, column: Column, context: Context) -> Read:
    wanted = text.strip().upper()
    codes = {key.upper(): value for key, value in column.codes.items()}
    if wanted in codes:
        return Read(codes[wanted])
    for answer in ("yes", "no"):
        if wanted in getattr(context.mapping, answer):
            return Read(answer)
    raise ValueError("neither yes nor no")


def _symbol(text: str, column: Column, _context: Context) -> Read:
    codes = {key.upper(): value for key, value in column.codes.items()}
    if text.strip().upper() not in codes:
        raise ValueError("not in the code map")
    return Read(codes[text.strip().upper()])


def _code(text: str, column: Column, _context: Context) -> Read:
    # A code outside the map is still a code of the site's scheme: it travels as it stands.
    code = column.codes.get(text.strip(), text.strip())
    noticed = ("code-not-in-map",) if column.codes and text.strip() not in column.codes else ()
    value = {"scheme": column.scheme, "version": column.version or None, "code": code}
    if code != text:
        value["text"] = text
    return Read(value, noticed)


def _date(text: str, column: Column, _context: Context) -> Read:
    found = datetime.strptime(text.strip(), column.format)  # noqa: DTZ007 - a date has no zone
    return Read({"value": found.date().isoformat(), "estimated": False})


def _moment(text: str, column: Column, context: Context) -> Read:
    found, noticed = read_moment(text, column.format, context.mapping.zone)
    return Read(found.isoformat(), noticed)


def _phone(text: str, _column: Column, _context: Context) -> Read:
    return Read({"number": text.strip()})


def _grid(text: str, column: Column, context: Context) -> Read:
    latitude, longitude = to_wgs84(_finite(text), _other(column.northing, context))
    return Read(
        {
            "latitude": round(latitude, 6),
            "longitude": round(longitude, 6),
            "accuracy_m": ACCURACY_M,
            "swap_suspected": False,
        }
    )


def _position(text: str, column: Column, context: Context) -> Read:
    longitude = _other(column.longitude, context)
    return Read({"latitude": _finite(text), "longitude": longitude, "swap_suspected": False})


def _log(text: Any, column: Column, context: Context) -> Read:
    if isinstance(text, list):
        return Read([_log_member(item, column, context) for item in text])
    if not column.entry:
        return Read([{"text": text}])
    entries: list[dict[str, Any]] = []
    last: datetime | None = context.occurred_at
    for line in text.splitlines():
        match = re.match(column.entry, line)
        at = _log_time(match["at"], column, context, last) if match else None
        if match and at:
            last = at
            entries.append({"at": at.isoformat(), "text": match["text"]})
        elif match or not entries:
            entries.append({"text": line})
        else:
            entries[-1]["text"] += f"\n{line}"
    return Read(entries)


def _log_member(item: Any, column: Column, context: Context) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise ValueError("a log entry without text")  # noqa: TRY004 - a value, not a defect
    stated = item.get("at")
    at = _log_time(stated, column, context, None) if isinstance(stated, str) else None
    told = {"text", "at"} if at else {"text"}
    rest = [f"{name}: {value}" for name, value in item.items() if name not in told]
    entry: dict[str, Any] = {"text": "\n".join([item["text"], *rest])}
    return {"at": at.isoformat(), **entry} if at else entry


def _log_time(
    text: str, column: Column, context: Context, last: datetime | None
) -> datetime | None:
    try:
        if "%d" in column.format or "%j" in column.format:
            return read_moment(text, column.format, context.mapping.zone)[0]
        if last is None or not column.format:
            return None
        # Only the time of day is written: the date is that of the entry before, or the next day.
        clock = datetime.strptime(text.strip(), column.format).time()  # noqa: DTZ007
        local = last.astimezone(ZoneInfo(context.mapping.zone))
        at = datetime.combine(local.date(), clock, local.tzinfo)
        return at + timedelta(days=1) if at < local - _HALF_DAY else at
    except (ValueError, OverflowError):
        return None


def _other(name: str, context: Context) -> float:
    text = context.cells.get(name)
    if not isinstance(text, str):
        raise ValueError("the other coordinate is missing")  # noqa: TRY004 - a value
    return _finite(text)


def _finite(text: str) -> float:
    number = float(text)
    if not -1e12 < number < 1e12:
        raise ValueError("not a finite number")
    return number


_READERS: Final[Mapping[str, Callable[[Any, Column, Context], Read]]] = {
    "text": _text,
    "lines": _lines,
    "list": _list,
    "integer": _integer,
    "number": _number,
    "yes-no": _yes_no,
    "symbol": _symbol,
    "code": _code,
    "date": _date,
    "moment": _moment,
    "phone": _phone,
    "log": _log,
    "grid": _grid,
    "position": _position,
}
