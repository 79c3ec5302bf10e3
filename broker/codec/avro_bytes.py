"""
Checks Avro bytes against a schema before anything is built from them.

Libraries take a great deal on trust: a negative union index counts from the end, a boolean of 7 is
true, an array of 2^60 nulls is built. Here every length, index and ordinal is checked, and what is
wrong is named by path. The bytes themselves never get into a message.
"""

from collections.abc import Callable, Mapping
from typing import Any

from broker.codec.avro_numbers import Misfit, Position, read_int, read_long
from broker.codec.catalogue_files import Schema, fullname

MAX_DEPTH = 64
"""Records within records; only recursive types get anywhere near."""

MAX_ITEMS = 1_000_000
"""Items of one block; what has no width (null) could otherwise be counted for ever."""

Check = Callable[[bytes, Position, int], Position]
"""(data, position, depth) -> next position; raises Misfit."""

_MICROS_MIN = -62_135_596_800_000_000
_MICROS_MAX = 253_402_300_799_999_999
"""Years 1 to 9999, which is what a datetime can hold."""


def compile_check(schema: Schema, named: dict[str, Check] | None = None) -> Check:
    """Compile a self-contained schema into a function that walks its bytes."""
    named = {} if named is None else named
    if isinstance(schema, list):
        return _union([compile_check(branch, named) for branch in schema])
    if isinstance(schema, str):
        return _SIMPLE[schema] if schema in _SIMPLE else named[schema]
    kind = schema["type"]
    if kind in _COMPILERS:
        return _COMPILERS[kind](schema, named)
    if schema.get("logicalType") == "timestamp-micros":
        return _timestamp
    return compile_check(kind, named)


def _union(branches: list[Check]) -> Check:
    count = len(branches)

    def check(data: bytes, at: Position, depth: int) -> Position:
        index, at = read_long(data, at)
        if not 0 <= index < count:
            raise Misfit("union index out of range")
        return branches[index](data, at, depth)

    return check


def _record(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    fields: list[tuple[str, Check]] = []

    def check(data: bytes, at: Position, depth: int) -> Position:
        if depth >= MAX_DEPTH:
            raise Misfit("nested too deeply")
        name = ""
        try:
            for name, check_field in fields:  # noqa: B007 - read when it fails
                at = check_field(data, at, depth + 1)
        except Misfit as misfit:
            misfit.inside(name)
            raise
        return at

    # Named before its fields are compiled: a recursive type refers to itself.
    named[_fullname(schema)] = check
    fields += [(f["name"], compile_check(f["type"], named)) for f in schema["fields"]]
    return check


def _enum(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    count = len(schema["symbols"])

    def check(data: bytes, at: Position, _depth: int) -> Position:
        ordinal, at = read_int(data, at)
        if not 0 <= ordinal < count:
            raise Misfit("enum ordinal out of range")
        return at

    named[_fullname(schema)] = check
    return check


def _fixed(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    size = schema["size"]

    def check(data: bytes, at: Position, _depth: int) -> Position:
        return _within(data, at + size)

    named[_fullname(schema)] = check
    return check


def _array(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    return _blocks(compile_check(schema["items"], named))


def _map(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    check_value = compile_check(schema["values"], named)
    return _blocks(lambda data, at, depth: check_value(data, _text(data, at, depth), depth))


def _blocks(check_item: Check) -> Check:
    def check(data: bytes, at: Position, depth: int) -> Position:
        index = 0
        while True:
            count, end, at = _block_start(data, at)
            if count == 0:
                return at
            for index in range(index, index + count):  # noqa: B020 - it goes on counting
                at = _item(check_item, data, at, depth, index)
            index += 1
            if end not in (None, at):
                raise Misfit("block is not as long as it says")

    return check


def _block_start(data: bytes, at: Position) -> tuple[int, Position | None, Position]:
    """Return how many items follow, where the block says it ends, and where the items start."""
    count, at = read_long(data, at)
    end = None
    if count < 0:
        size, at = read_long(data, at)
        count, end = -count, at + size
    if count > MAX_ITEMS:
        raise Misfit("too many items")
    return count, end, at


def _item(check_item: Check, data: bytes, at: Position, depth: int, index: int) -> Position:
    try:
        return check_item(data, at, depth)
    except Misfit as misfit:
        misfit.inside(index)
        raise


def _null(_data: bytes, at: Position, _depth: int) -> Position:
    return at


def _boolean(data: bytes, at: Position, _depth: int) -> Position:
    if data[at : at + 1] not in (b"\0", b"\1"):
        raise Misfit("boolean is neither 0 nor 1")
    return at + 1


def _int(data: bytes, at: Position, _depth: int) -> Position:
    return read_int(data, at)[1]


def _long(data: bytes, at: Position, _depth: int) -> Position:
    return read_long(data, at)[1]


def _timestamp(data: bytes, at: Position, _depth: int) -> Position:
    micros, at = read_long(data, at)
    if not _MICROS_MIN <= micros <= _MICROS_MAX:
        raise Misfit("timestamp out of range")
    return at


def _bytes(data: bytes, at: Position, _depth: int) -> Position:
    length, at = read_long(data, at)
    if length < 0:
        raise Misfit("negative length")
    return _within(data, at + length)


def _text(data: bytes, at: Position, depth: int) -> Position:
    end = _bytes(data, at, depth)
    start = read_long(data, at)[1]
    try:
        data[start:end].decode()
    except UnicodeDecodeError:
        raise Misfit("not valid UTF-8") from None
    return end


def _within(data: bytes, end: Position) -> Position:
    if end > len(data):
        raise Misfit("ends too early")
    return end


def _fullname(schema: Mapping[str, Any]) -> str:
    return fullname(schema) if "namespace" in schema else str(schema["name"])


_SIMPLE: Mapping[str, Check] = {
    "null": _null,
    "boolean": _boolean,
    "int": _int,
    "long": _long,
    "float": lambda data, at, _depth: _within(data, at + 4),
    "double": lambda data, at, _depth: _within(data, at + 8),
    "bytes": _bytes,
    "string": _text,
}

_COMPILERS: Mapping[str, Callable[[Mapping[str, Any], dict[str, Check]], Check]] = {
    "record": _record,
    "enum": _enum,
    "fixed": _fixed,
    "array": _array,
    "map": _map,
}
