"""Collects everything that is wrong with agreement files, each with its place in people's terms."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pydantic import ValidationError

_NAMES: Final = ("for", "id", "name", "organisation")
_RULES: Final = {"missing": "is missing", "extra_forbidden": "unknown key"}


class Problems:
    """
    A list of (place, rule) under construction; a sub-place shares the list of its parent.

    >>> problems = Problems("a.toml")
    >>> problems.at("party").add("is missing")
    >>> problems.found
    [('a.toml: party', 'is missing')]
    """

    def __init__(
        self, file: str, path: str = "", found: list[tuple[str, str]] | None = None
    ) -> None:
        self._file = file
        self._path = path
        self.found: list[tuple[str, str]] = [] if found is None else found

    def at(self, *names: str) -> "Problems":
        """Return the same list for a place further inside."""
        path = ".".join(filter(None, (self._path, *names)))
        return Problems(self._file, path, self.found)

    def add(self, rule: str) -> None:
        """Note that this place breaks a rule."""
        place = f"{self._file}: {self._path}" if self._path else self._file
        self.found.append((place, rule))

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note a ValueError raised inside and go on behind it."""
        try:
            yield
        except ValueError as error:
            self.add(str(error))

    def add_shape(self, error: ValidationError, raw: Any) -> None:
        """Note every fault in the shape of a file; never the value that is at fault."""
        for fault in error.errors(include_input=False, include_url=False, include_context=False):
            rule = _RULES.get(fault["type"]) or _lowered(fault["msg"])
            self.at(*_words(fault["loc"], raw)).add(rule)


def _lowered(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _words(location: Sequence[int | str], raw: Any) -> Iterator[str]:
    # A reader finds `purpose.crisis-response.rule.who`, not `purpose.0.rule.3`.
    for step in location:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            raw = None
        names: list[Any] = []
        if isinstance(step, int) and isinstance(raw, dict):
            names = [raw.get(key) for key in _NAMES]
        yield next((name for name in names if isinstance(name, str)), str(step))
