"""Values, times and spans as people read them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from broker.simulation.moments import LONDON

Native = Mapping[str, Any]

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


def words(value: Any, today: date | None = None) -> str:
    """Return any native value as a short text; times show their date where it is not *today*."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return clock(value, today)
    if isinstance(value, Mapping):
        return _record(value, today)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return "; ".join(words(item, today) for item in value if item not in _EMPTY)
    return str(value).replace("_", " ") if _is_symbol(value) else str(value)


def clock(at: datetime, today: date | None = None) -> str:
    """Return a time of day in London, with the date where it is not *today*."""
    local = at.astimezone(LONDON)
    is_today = today is None or local.date() == today
    return f"{local:%H:%M}" if is_today else f"{local:%d %b %H:%M}"


def span(length: timedelta) -> str:
    """
    Return how long something took or will take.

    >>> span(timedelta(seconds=0.84)), span(timedelta(seconds=41)), span(timedelta(hours=25))
    ('0.8 s', '0:41', '1 d 1 h')
    """
    seconds = max(0.0, length.total_seconds())
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d} h" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def values_at(native: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield every value at a leaf path, into arrays as well; what is absent yields nothing."""
    if native in _EMPTY:
        return
    if not path:
        yield native
    elif isinstance(native, Mapping):
        yield from values_at(native.get(path[0]), path[1:])
    elif isinstance(native, Sequence) and not isinstance(native, (str, bytes)):
        for item in native:
            yield from values_at(item, path)


def text_at(native: Any, path: str, today: date | None = None) -> str:
    """Return what stands at a leaf path as text; empty where nothing does."""
    return " / ".join(words(value, today) for value in values_at(native, path.split(".")))


def london_day(at: datetime) -> date:
    """Return the day that an instant falls on in London."""
    return at.astimezone(LONDON).date()


def _record(value: Native, today: date | None) -> str:
    if value.keys() == {"utc", "offset"}:
        return clock(value["utc"], today)
    for names, form in _FORMS:
        if value.keys() >= names:
            return form(value)
    return ", ".join(
        f"{name.replace('_', ' ')} {words(inner, today)}"
        for name, inner in value.items()
        if inner not in _EMPTY
    )


def _code(value: Native) -> str:
    return words(value["text"]) if value.get("text") else f"{value['scheme']} {value['code']}"


def _address(value: Native) -> str:
    return ", ".join([*value["lines"], *([value["postcode"]] if value["postcode"] else [])])


_FORMS: Final[tuple[tuple[frozenset[str], Callable[[Native], str]], ...]] = (
    (frozenset({"scheme", "code"}), _code),
    (
        frozenset({"latitude", "longitude"}),
        lambda value: f"{value['latitude']:.4f}, {value['longitude']:.4f}",
    ),
    (
        frozenset({"family", "given"}),
        lambda value: " ".join(part for part in (value["given"], value["family"]) if part),
    ),
    (
        frozenset({"value", "estimated"}),
        lambda value: f"{value['value']}{' (estimated)' if value['estimated'] else ''}",
    ),
    (frozenset({"number"}), lambda value: str(value["number"])),
    (frozenset({"lines", "postcode"}), _address),
)
"""Records that are one thing to a reader, by the fields they have."""


def _is_symbol(value: Any) -> bool:
    return isinstance(value, str) and "_" in value and value.islower() and " " not in value
