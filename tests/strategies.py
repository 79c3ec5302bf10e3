"""
Hypothesis strategies: random Avro schemas with values, and random events of the real catalogue.

Native values are what `broker.codec.avro` reads: two equal values are written as equal bytes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from broker.codec.catalogue import load_catalogue
from broker.codec.catalogue_files import PRIMITIVES, fullname, named_types
from broker.codec.catalogue_leaves import ENVELOPE

Schema = Any
Native = Any

OFFSETS = ("", "+00:00", "+01:00", "-05:00", "+05:30", "-09:30", "+14:00")

texts = st.text(st.characters(codec="utf-8"), max_size=12)
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants them naive

_PRIMITIVE_VALUES: Mapping[str, st.SearchStrategy[Native]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=12),
    "string": texts,
}


@st.composite
def schemas(draw: st.DrawFn, *, max_depth: int = 3) -> Schema:
    """Self-contained record schemas: every construct, named types used again, unambiguous unions."""
    return _record(draw, _Names(), max_depth)


@st.composite
def schemas_with_values(draw: st.DrawFn) -> tuple[Schema, Native]:
    """A schema and one value that fits it."""
    schema = draw(schemas())
    return schema, draw(values_of(schema))


def values_of(schema: Schema, named: dict[str, Any] | None = None) -> st.SearchStrategy[Native]:
    """Values that fit a self-contained schema."""
    if named is None:
        named = {_name(defined): defined for defined in named_types(schema)}
    if isinstance(schema, list):
        return st.one_of(values_of(branch, named) for branch in schema)
    if isinstance(schema, str):
        return (
            _PRIMITIVE_VALUES[schema] if schema in PRIMITIVES else values_of(named[schema], named)
        )
    if _name(schema) in _SPECIAL:
        return _SPECIAL[_name(schema)]
    return _values_of_object(schema, named)


def events(event_type: str) -> st.SearchStrategy[Native]:
    """Native events of one type, envelope included."""
    return st.builds(
        lambda envelope, body: {ENVELOPE: envelope | {"event_type": event_type}, **body},
        envelopes(),
        bodies(event_type),
    )


@cache
def envelopes() -> st.SearchStrategy[Native]:
    """Native envelopes, of any event type."""
    return values_of(load_catalogue().type_schema("crisis.types.Envelope"))


@cache
def bodies(event_type: str) -> st.SearchStrategy[Native]:
    """Native bodies of one event type: every field is there, None where absent."""
    schema = load_catalogue().event(event_type).schema
    named = {fullname(defined): defined for defined in named_types(schema)}
    return st.fixed_dictionaries(
        {
            member["name"]: values_of(member["type"], named)
            for member in schema["fields"]
            if member["name"] != ENVELOPE
        }
    )


event_types = st.sampled_from(sorted(load_catalogue().events))


def _is_written_without_loss(moment: Mapping[str, Any]) -> bool:
    # The later of two equal civil times can only be told by its offset.
    return moment["offset"] != "" or moment["utc"].astimezone(ZoneInfo("Europe/London")).fold == 0


_SPECIAL: Mapping[str, st.SearchStrategy[Native]] = {
    "crisis.types.Moment": st.fixed_dictionaries(
        {"utc": times, "offset": st.sampled_from(OFFSETS)}
    ).filter(_is_written_without_loss),
    "crisis.types.BirthDate": st.fixed_dictionaries(
        {
            "value": st.dates().map(str) | st.sampled_from(["1990", "2008-11"]),
            "estimated": st.booleans(),
        }
    ),
    "crisis.types.Position": st.fixed_dictionaries(
        {
            "latitude": st.floats(-90, 90),
            "longitude": st.floats(-180, 180),
            "accuracy_m": st.none() | st.integers(0, 5000),
            "captured_at": st.none(),
            "swap_suspected": st.booleans(),
        }
    ),
}


def _values_of_object(schema: Schema, named: dict[str, Any]) -> st.SearchStrategy[Native]:
    kind = schema["type"]
    if kind == "record":
        return st.fixed_dictionaries(
            {f["name"]: values_of(f["type"], named) for f in schema["fields"]}
        )
    if kind == "array":
        return st.lists(values_of(schema["items"], named), max_size=3)
    if kind == "map":
        return st.dictionaries(texts, values_of(schema["values"], named), max_size=3)
    return _values_of_scalar(schema)


def _values_of_scalar(schema: Schema) -> st.SearchStrategy[Native]:
    if schema["type"] == "enum":
        return st.sampled_from(schema["symbols"])
    if schema["type"] == "fixed":
        return st.binary(min_size=schema["size"], max_size=schema["size"])
    return (
        times
        if schema.get("logicalType") == "timestamp-micros"
        else _PRIMITIVE_VALUES[schema["type"]]
    )


def _name(schema: Schema) -> str:
    return fullname(schema) if isinstance(schema, dict) and "namespace" in schema else ""


class _Names:
    """The named types of one schema so far."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self._count = 0

    def new(self, kind: str) -> dict[str, Any]:
        """Begin a named type."""
        self._count += 1
        return {"type": kind, "name": f"T{self._count}", "namespace": "random.types"}


def _record(draw: st.DrawFn, names: _Names, depth: int) -> Schema:
    schema = names.new("record")
    count = draw(st.integers(0 if depth < 3 else 1, 4))
    schema["fields"] = [
        {"name": f"f{index}", "type": _type(draw, names, depth - 1)} for index in range(count)
    ]
    names.used.append(fullname(schema))
    return schema


def _type(draw: st.DrawFn, names: _Names, depth: int) -> Schema:
    kinds = [*sorted(PRIMITIVES), "enum", "fixed", "timestamp", "nullable", "union"]
    kinds += ["array", "map", "record"] if depth > 0 else []
    kinds += ["again"] if names.used else []
    kind = draw(st.sampled_from(kinds))
    return kind if kind in PRIMITIVES else _COMPLEX[kind](draw, names, depth)


def _enum(_draw: st.DrawFn, names: _Names, _depth: int) -> Schema:
    schema = names.new("enum") | {"symbols": ["unknown", "a", "b"], "default": "unknown"}
    names.used.append(fullname(schema))
    return schema


def _fixed(draw: st.DrawFn, names: _Names, _depth: int) -> Schema:
    schema = names.new("fixed") | {"size": draw(st.integers(1, 4))}
    names.used.append(fullname(schema))
    return schema


def _nullable(draw: st.DrawFn, names: _Names, depth: int) -> Schema:
    branch = _type(draw, names, depth)
    return branch if branch == "null" or isinstance(branch, list) else ["null", branch]


_COMPLEX = {
    "enum": _enum,
    "fixed": _fixed,
    "record": _record,
    "nullable": _nullable,
    "timestamp": lambda _d, _n, _depth: {"type": "long", "logicalType": "timestamp-micros"},
    # Branches that no value could belong to two of.
    "union": lambda draw, _n, _depth: draw(st.permutations(["null", "string", "long", "boolean"])),
    "array": lambda draw, names, depth: {"type": "array", "items": _type(draw, names, depth - 1)},
    "map": lambda draw, names, depth: {"type": "map", "values": _type(draw, names, depth - 1)},
    "again": lambda draw, names, _depth: draw(st.sampled_from(names.used)),
}
