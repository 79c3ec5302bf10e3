"""Reads granted fields, and knows afterwards which of them nobody has read."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.moments import instant_text, moment_text


class Fields:
    """
    The granted fields of a view, read by path.

    What is not taken comes out of `rest`: a field for which FHIR has no coded place still reaches
    the reader, in words.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._taken: set[str] = set()

    def take(self, path: str) -> Any:
        """Return a field and mark it as read; None if it is absent or was not granted."""
        self._taken.add(path)
        return self.look(path)

    def look(self, path: str) -> Any:
        """Return a field without marking it."""
        value: Any = self._body
        for name in path.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    def is_granted(self, path: str) -> bool:
        """
        Tell whether a field exists in this view, present or not.

        Below a container that is absent nothing more can be said: it counts as granted.
        """
        value: Any = self._body
        for name in path.split("."):
            if value is None:
                return True
            if not isinstance(value, Mapping) or name not in value:
                return False
            value = value[name]
        return True

    def rest(self) -> Iterator[tuple[str, str]]:
        """Yield path and text of everything that holds something and was not taken."""
        for path, value in _leaves(self._body, ""):
            if path not in self._taken and not self._inside_taken(path):
                yield path, words(value)

    def _inside_taken(self, path: str) -> bool:
        return any(path.startswith((f"{taken}.", f"{taken}[")) for taken in self._taken)


def words(value: Any) -> str:
    """Return any native value as text for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, Mapping):
        if value.keys() == {"utc", "offset"}:
            return moment_text(value)
        return ", ".join(f"{name} {words(held)}" for name, held in value.items() if _holds(held))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return "; ".join(words(item) for item in value)
    return str(value)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value.keys() != {"utc", "offset"}:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]")
    elif _holds(value):
        yield path, value


def _holds(value: Any) -> bool:
    return value is not None and value not in ("", [], {})
