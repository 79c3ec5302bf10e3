"""
Writes the code that walks over a value without keeping it, and checks every byte that has a meaning.

Bounds need no check of their own: positions only grow, reading past the end is an IndexError, and a
projection ends with comparing its position with the end of the data.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from broker.codec.avro_bytes import MAX_DEPTH
from broker.codec.projection_source import Source
from broker.codec.projection_types import (
    TIMESTAMP,
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

ONE_BYTE_CODES: Final = 64
"""So many ordinals of an enum have codes of one byte."""

_WIDTHS: Final = {"float": 4, "double": 8}


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

    def skip(self, type_: Type, level: Level) -> None:
        """Write code that moves `p` past a value."""
        source = self._source
        if isinstance(type_, Primitive):
            self._primitive(type_.kind)
        elif isinstance(type_, Fixed):
            source.step(f"p + {type_.size}")
        elif isinstance(type_, Enum):
            self._enum(type_)
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
            self._count(count)
            keys = source.name("keys") if isinstance(type_, Map) else ""
            if keys:
                source.line(f"{keys} = set()")
            with source.loop(f"for _ in range({count}):"):
                if keys:
                    self._key(keys)
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
                source.line("t = p")
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
            self._text("NULLABLE_LENGTHS", "d[p + 1]", "after_text(d, p + 1)")
        elif isinstance(branch, Enum) and branch.count <= ONE_BYTE_CODES:
            source.line("n = d[p + 1]")
            source.doubt_if(f"n > {2 * branch.count - 2} or n & 1")
            source.line("p += 2")
        else:
            source.line("p += 1")
            self.skip(branch, level)

    def _primitive(self, kind: str) -> None:
        source = self._source
        if kind == "boolean":
            source.doubt_if("d[p] > 1")
            source.line("p += 1")
        elif kind in ("int", "long"):
            self._either("d[p] < 128", "p += 1", f"after_{kind}(d, p)")
        elif kind == TIMESTAMP:
            self._timestamp()
        elif kind in _WIDTHS:
            if kind == "float":
                # A library that reads and writes it may change the bits of what is no number.
                source.doubt_if("d[p + 3] & 0x7F == 0x7F and d[p + 2] & 0x80")
            source.step(f"p + {_WIDTHS[kind]}")
        elif kind == "bytes":
            source.line("n = ONE_BYTE_LENGTHS[d[p]]")
            source.step("p + n if n else after_bytes(d, p)")
        elif kind == "string":
            self._text("ONE_BYTE_LENGTHS", "d[p]", "after_text(d, p)")

    def _text(self, table: str, code: str, otherwise: str) -> None:
        self._source.line(f"n = {table}[{code}]")
        self._either("n", "p += n", otherwise)
        self._source.has_text = True

    def _timestamp(self) -> None:
        # All of this century takes eight bytes, and nothing in eight bytes is out of range.
        source = self._source
        source.check_text()
        usual = "n & CONTINUES == SEVEN_CONTINUE and d[p + 7]"
        source.line("n, = eight_bytes(d, p)")
        source.line(f"p = t = p + 8 if {usual} else after_timestamp(d, p)")

    def _enum(self, enum: Enum) -> None:
        if enum.count > ONE_BYTE_CODES:
            self._source.step(f"after_ordinal(d, p, {enum.count})")
            return
        self._source.doubt_if(f"d[p] > {2 * enum.count - 2} or d[p] & 1")
        self._source.line("p += 1")

    def _count(self, count: str) -> None:
        source = self._source
        has_text = source.has_text
        with source.block(f"if {count} < 128 and not {count} & 1:"):
            source.line(f"{count} >>= 1")
            source.line("p += 1")
        with source.block("else:"):
            source.check_text()
            source.line(f"{count}, p = read_count(d, p)")
            source.line("t = p")
        source.has_text = has_text

    def _key(self, keys: str) -> None:
        # Of two equal keys a reader may take either.
        source, start = self._source, self._source.name("q")
        source.line(f"{start} = p")
        self._primitive("string")
        source.doubt_if(f"d[{start}:p] in {keys}")
        source.line(f"{keys}.add(d[{start}:p])")

    def _either(self, test: str, usual: str, otherwise: str) -> None:
        source, has_text = self._source, self._source.has_text
        with source.block(f"if {test}:"):
            source.line(usual)
        with source.block("else:"):
            source.check_text()
            source.line(f"p = t = {otherwise}")
        source.has_text = has_text


def is_recursive(record: Record) -> bool:
    """Tell whether a record can stand somewhere inside itself."""
    seen: set[Type] = set()
    waiting: list[Type] = [each.type for each in record.fields]
    while waiting:
        type_ = waiting.pop()
        if type_ is record:
            return True
        if type_ not in seen:
            seen.add(type_)
            waiting += _inside(type_)
    return False


def has_width(type_: Type) -> bool:
    """Tell whether every value takes at least one byte."""
    if isinstance(type_, Record):
        # A recursive record has a union or an array on the way, and that takes a byte.
        return is_recursive(type_) or any(has_width(each.type) for each in type_.fields)
    return not is_null(type_) and not (isinstance(type_, Fixed) and type_.size == 0)


def _inside(type_: Type) -> list[Type]:
    if isinstance(type_, Record):
        return [each.type for each in type_.fields]
    if isinstance(type_, Union):
        return list(type_.branches)
    if isinstance(type_, Array):
        return [type_.items]
    return [type_.values] if isinstance(type_, Map) else []
