"""
Checks native values against a schema before they are written.

A library would write a naive time in this machine's zone, quote the value it does not like in its
error, or leave out a field it does not know. Here the first misfit is named by path.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from broker.codec.avro_numbers import Misfit
from broker.codec.catalogue_files import Schema, fullname

Check = Callable[[Any], None]
"""Raises Misfit."""


def compile_value_check(schema: Schema, named: dict[str, Check] | None = None) -> Check:
    """Compile a self-contained schema into a function that checks native values."""
    named = {} if named is None else named
    if isinstance(schema, list):
        return _union(schema, named)
    if isinstance(schema, str):
        return _SIMPLE[schema] if schema in _SIMPLE else named[schema]
    kind = schema["type"]
    if kind in _COMPILERS:
        return _COMPILERS[kind](schema, named)
    if "logicalType" in schema:
        return _LOGICAL.get(schema["logicalType"], lambda _value: None)
    return compile_value_check(kind, named)


def _union(schema: Sequence[Schema], named: dict[str, Check]) -> Check:
    branches = [compile_value_check(branch, named) for branch in schema if branch != "null"]
    nullable = len(branches) < len(schema)

    def check(value: Any) -> None:
        if value is None and nullable:
            return
        if len(branches) == 1:
            branches[0](value)
        elif not any(_fits(branch, value) for branch in branches):
            raise Misfit("no branch of the union fits")

    return check


def _fits(check: Check, value: Any) -> bool:
    try:
        check(value)
    except Misfit:
        return False
    return True


def _record(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    fields: dict[str, Check] = {}
    required = {field["name"] for field in schema["fields"] if "default" not in field}

    def check(value: Any) -> None:
        if not isinstance(value, Mapping):
            raise Misfit("not a record")
        if not value.keys() <= fields.keys():
            raise Misfit("record has a field that the schema has not")
        for name in fields:
            if name in value:
                _inside(fields[name], value[name], name)
            elif name in required:
                raise Misfit(f"field `{name}` is missing")

    # Named before its fields are compiled: a recursive type refers to itself.
    named[_fullname(schema)] = check
    fields |= {f["name"]: compile_value_check(f["type"], named) for f in schema["fields"]}
    return check


def _enum(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    symbols = frozenset(schema["symbols"])

    def check(value: Any) -> None:
        if not isinstance(value, str) or value not in symbols:
            raise Misfit("not a symbol of the enum")

    named[_fullname(schema)] = check
    return check


def _fixed(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    size = schema["size"]

    def check(value: Any) -> None:
        if not isinstance(value, bytes) or len(value) != size:
            raise Misfit(f"not {size} bytes")

    named[_fullname(schema)] = check
    return check


def _array(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    check_item = compile_value_check(schema["items"], named)

    def check(value: Any) -> None:
        if not isinstance(value, (list, tuple)):
            raise Misfit("not an array")
        for index, item in enumerate(value):
            _inside(check_item, item, index)

    return check


def _map(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    check_value = compile_value_check(schema["values"], named)

    def check(value: Any) -> None:
        if not isinstance(value, Mapping):
            raise Misfit("not a map")
        for key, item in value.items():
            _text(key)
            _inside(check_value, item, "*")

    return check


def _inside(check: Check, value: Any, part: str | int) -> None:
    try:
        check(value)
    except Misfit as misfit:
        misfit.inside(part)
        raise


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise Misfit("not a string")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise Misfit("not valid Unicode")


def _whole(bits: int) -> Check:
    limit = 1 << (bits - 1)

    def check(value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Misfit("not a whole number")
        if not -limit <= value < limit:
            raise Misfit(f"number does not fit {bits} bits")

    return check


def _number(value: Any) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Misfit("not a number")


def _timestamp(value: Any) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Misfit("not a time with its zone")


def _instance(kind: type, rule: str) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, kind):
            raise Misfit(rule)

    return check


def _fullname(schema: Mapping[str, Any]) -> str:
    return fullname(schema) if "namespace" in schema else str(schema["name"])


_SIMPLE: Mapping[str, Check] = {
    "null": _instance(type(None), "not null"),
    "boolean": _instance(bool, "not a boolean"),
    "int": _whole(32),
    "long": _whole(64),
    "float": _number,
    "double": _number,
    "bytes": _instance(bytes, "not bytes"),
    "string": _text,
}

_LOGICAL: Mapping[str, Check] = {"timestamp-micros": _timestamp, "timestamp-millis": _timestamp}

_COMPILERS: Mapping[str, Callable[[Mapping[str, Any], dict[str, Check]], Check]] = {
    "record": _record,
    "enum": _enum,
    "fixed": _fixed,
    "array": _array,
    "map": _map,
}
