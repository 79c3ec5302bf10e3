"""
Writes the code that walks over a value without keeping it, and checks every byte that has a meaning.

Bounds need no check of their own: positions only grow, reading past the end is an IndexError, and a
projection ends with comparing its position with the end of the data.
"""

from collections.abc import Callable
from typing import NamedTuple

from broker.codec.avro_bytes import MAX_DEPTH
from broker.codec.projection_scalars import ONE_BYTE_CODES, Scalars
from broker.codec.projection_shape import has_width, is_recursive
from broker.codec.projection_source import Source
from broker.codec.projection_types import (
    Array,
    Enum,
    Fixed,
    Map,
    Primitive,
    Record,
    Type,
    Union,
    is_null,
    item_of,
    values_of,
)


class Level(NamedTuple):
    """How many records stand around; in a function the number is known only when it is called."""

    base: str
    inside: int

    def deeper(self) -> "Level":
        """Return the level inside one more record."""
        return Level(self.base, self.inside + 1)

    def __str__(self) -> str:
        return " + ".join(part for part in (self.base, str(self.inside)) if part)


class Skipper:
    """Writes skipping code; recursive types become functions, everything else stands in place."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._functions: dict[Record, str] = {}
        self._waiting: list[Record] = []
        self._recursive: dict[Record, bool] = {}
        self._scalars = Scalars(source)

    def skip(self, type_: Type, level: Level) -> None:
        """Write code that moves `p` past a value."""
        source = self._source
        if isinstance(type_, Primitive):
            self._scalars.primitive(type_.kind)
        elif isinstance(type_, Fixed):
            source.step(f"p + {type_.size}")
        elif isinstance(type_, Enum):
            self._scalars.enum(type_)
        elif isinstance(type_, Union):
            self.union(type_, level)
        elif isinstance(type_, Record):
            self._record(type_, level)
        else:
            self.blocks(type_, lambda item: self.skip(item, level))

    def union(self, union: Union, level: Level, present: Callable[[], None] | None = None) -> None:
        """Write code past a union; *present* writes more for what is not null."""
        state = self._source.state(is_run_open_after=self._source.is_run_open)
        for word, index, branch in self.cases(union):
            with self._source.branch(f"{word} d[p] == {2 * index}:", state):
                if present and not is_null(branch):
                    present()
                self._after_index(branch, self.into(union, level))
        self.no_other_case(union)

    def into(self, union: Union, level: Level) -> Level:
        """Return the level inside a union; one of several values counts as a record around each."""
        if len(values_of(union)) <= 1:
            return level
        self.enter(level)
        return level.deeper()

    def cases(self, union: Union) -> list[tuple[str, int, Type]]:
        """Return (if or elif, index, branch), what is there before null."""
        order = [*values_of(union), *((i, b) for i, b in enumerate(union.branches) if is_null(b))]
        return [("elif" if n else "if", *case) for n, case in enumerate(order)]

    def no_other_case(self, union: Union) -> None:
        """Write that any other index is doubtful."""
        self._source.line("else: raise Doubt" if union.branches else "raise Doubt")

    def blocks(self, type_: Array | Map, item: Callable[[Type], None]) -> None:
        """Write code past an array or a map; *item* writes what happens to each item."""
        source = self._source
        inner = item_of(type_)
        if isinstance(type_, Array) and not has_width(inner):
            # Counting what takes no room could go on for ever; nothing real has such items.
            source.doubt_if("d[p]")
            source.line("p += 1")
            return
        count = source.name("n")
        source.line(f"{count} = d[p]")
        state = source.state(is_run_open_after=source.is_run_open)
        with source.branch(f"if {count}:", state):
            self._scalars.count(count)
            keys = source.name("keys") if isinstance(type_, Map) else ""
            if keys:
                source.line(f"{keys} = set()")
            with source.loop(f"for _ in range({count}):"):
                if keys:
                    self._scalars.key(keys)
                item(inner)
            source.doubt_if("d[p]")
        state.has_text_after |= state.had_text
        source.has_text = state.has_text_after
        source.line("p += 1")

    def write_functions(self) -> None:
        """Write the functions that were called so far."""
        while self._waiting:
            record = self._waiting.pop()
            source = self._source
            source.is_run_open = source.has_text = False
            with source.block(f"def {self._functions[record]}(d, p, level):"):
                source.doubt_if(f"level >= {MAX_DEPTH}")
                source.line("t = p; last = len(d) - 8")
                self._fields(record, Level("level", 0))
                source.check_text()
                source.line("return p")

    def enter(self, level: Level) -> None:
        """Write the check of how deeply a record is nested, where that is not certain."""
        if level.base and level.inside:
            self._source.doubt_if(f"{level} >= {MAX_DEPTH}")
        elif not level.base and level.inside >= MAX_DEPTH:
            self._source.line("raise Doubt")

    def _record(self, record: Record, level: Level) -> None:
        if record not in self._recursive:
            self._recursive[record] = is_recursive(record)
        if not self._recursive[record]:
            self.enter(level)
            self._fields(record, level)
            return
        if record not in self._functions:
            self._functions[record] = self._source.name("skip")
            self._waiting.append(record)
        self._source.step(f"{self._functions[record]}(d, p, {level})")

    def _fields(self, record: Record, level: Level) -> None:
        for each in record.fields:
            self.skip(each.type, level.deeper())

    def _after_index(self, branch: Type, level: Level) -> None:
        source = self._source
        if isinstance(branch, Primitive) and branch.kind == "string":
            self._scalars.nullable_text()
        elif isinstance(branch, Enum) and branch.count <= ONE_BYTE_CODES:
            self._scalars.nullable_enum(branch)
        else:
            source.line("p += 1")
            self.skip(branch, level)
