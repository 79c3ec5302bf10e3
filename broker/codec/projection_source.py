"""
Writes the source text of a projection and keeps count of what holds at each line.

The generated code reads `d` at `p`. Bytes from `a` on are released and not yet copied to `out`, if a
run is open. Bytes from `t` on have not been checked for valid UTF-8; up to `p` they hold nothing but
texts and single bytes below 0x80, so that one check of all of them is a check of each text. Up to
`last`, eight bytes can be read at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from broker.domain.errors import ConfigurationError

MAX_INDENT: Final = 60
MAX_LOOPS: Final = 15
"""Python itself gives up at 100 and 20."""


@dataclass(slots=True)
class Source:
    """
    Source text in the making.

    Attributes:
        constants: Objects that the text refers to by name.
        is_run_open: Whether bytes from `a` to `p` are released and not yet copied.
        has_text: Whether there may be text between `t` and `p`.
    """

    constants: dict[str, Any] = field(default_factory=dict)
    is_run_open: bool = False
    has_text: bool = False
    _lines: list[str] = field(default_factory=list)
    _indent: int = 0
    _loops: int = 0
    _names: int = 0

    @property
    def text(self) -> str:
        """Everything written so far."""
        return "\n".join(self._lines) + "\n"

    def line(self, text: str) -> None:
        """Write one line."""
        self._lines.append("    " * self._indent + text)

    def comment(self, text: str) -> None:
        """Say what the next lines are about."""
        self.line(f"# {text}")

    def name(self, prefix: str) -> str:
        """Return a name that nothing else has."""
        self._names += 1
        return f"{prefix}{self._names}"

    def constant(self, prefix: str, value: Any) -> str:
        """Keep an object and return the name by which the text refers to it."""
        name = self.name(prefix)
        self.constants[name] = value
        return name

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Indent what is written under *header*."""
        if self._indent >= MAX_INDENT:
            raise ConfigurationError("a schema is nested too deeply @ schema")
        self.line(header)
        self._indent += 1
        written = len(self._lines)
        yield
        if len(self._lines) == written:
            self.line("pass")
        self._indent -= 1

    @contextmanager
    def loop(self, header: str) -> Iterator[None]:
        """Indent a loop; a round begins and ends in the same state."""
        if self._loops >= MAX_LOOPS:
            raise ConfigurationError("a schema has too many arrays in arrays @ schema")
        self._loops += 1
        is_run_open = self.is_run_open
        with self.block(header):
            self.has_text = True
            yield
            if is_run_open:
                self.open_run()
            else:
                self.close_run()
        self._loops -= 1

    def doubt_if(self, condition: str) -> None:
        """Leave the event to the slow twin if *condition* holds."""
        self.line(f"if {condition}: raise Doubt")

    def check_text(self) -> None:
        """Check the texts so far; whoever calls this moves `t` to a later `p`."""
        if self.has_text:
            self.line("if not d[t:p].isascii(): d[t:p].decode()")
        self.has_text = False

    def step(self, expression: str, *, binary: bool = True) -> None:
        """Move on to the position that *expression* gives, past bytes that are no text."""
        has_text = self.has_text
        self.check_text()
        self.line(f"p = t = {expression}" if binary else f"p = {expression}")
        self.has_text = has_text and not binary

    def open_run(self) -> None:
        """Begin to release at `p`, unless that has begun."""
        if not self.is_run_open:
            self.line("a = p")
        self.is_run_open = True

    def close_run(self) -> None:
        """Copy what is released up to `p`."""
        if self.is_run_open:
            self.line("out += d[a:p]")
        self.is_run_open = False

    def release(self, expression: str) -> None:
        """Add bytes of our own to what is released, and go on releasing at `p`."""
        before = "d[a:p] + " if self.is_run_open else ""
        self.line(f"out += {before}{expression}")
        self.is_run_open = False

    @contextmanager
    def branch(self, header: str, state: "State") -> Iterator[None]:
        """Indent one of several branches that begin and end in the same state."""
        with self.block(header):
            self.is_run_open, self.has_text = state.is_run_open, state.had_text
            yield
            if state.is_run_open_after:
                self.open_run()
            else:
                self.close_run()
            state.has_text_after |= self.has_text
        self.is_run_open = state.is_run_open_after
        self.has_text = state.has_text_after

    def state(self, *, is_run_open_after: bool) -> "State":
        """Note what holds before branches, and whether a run is open after each of them."""
        return State(self.is_run_open, self.has_text, is_run_open_after, has_text_after=False)


@dataclass(slots=True)
class State:
    """What holds before and after the branches of one decision."""

    is_run_open: bool
    had_text: bool
    is_run_open_after: bool
    has_text_after: bool
