"""
Random events of random schemas, with every construct a projection has to know.

Values are written by an encoder of our own, straight to bytes: it can choose any branch of an
ambiguous union, and spread an array over blocks of either kind, which libraries do not.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from broker.codec.catalogue import EventSchema

Schema = Any

MOMENT = {
    "type": "record",
    "name": "Moment",
    "namespace": "crisis.types",
    "x-leaf": True,
    "fields": [
        {"name": "utc", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "offset", "type": "string"},
    ],
}

PRIMITIVES = ("boolean", "int", "long", "double", "bytes", "string", "string", "string")
MAX_DEPTH = 3


@dataclass(frozen=True)
class RandomEvent:
    """
    A random event type.

    Attributes:
        event: As the catalogue would give it, without tags.
        leaves: Paths that can be released.
        countable: Those of them that can be reduced to how many there are.
    """

    event: EventSchema
    leaves: tuple[str, ...]
    countable: frozenset[str]


@st.composite
def random_events(draw: st.DrawFn) -> RandomEvent:
    """Draw an event type with an envelope and a few fields."""
    drawn = _Drawn(draw)
    fields = [{"name": "envelope", "type": _envelope()}, *drawn.fields("", 0)]
    schema = {"type": "record", "name": "Probe", "namespace": "crisis.events", "fields": fields}
    event = EventSchema(
        event_type="probe",
        fullname="crisis.events.Probe",
        schema=schema,
        leaves={},
        envelope_leaves={},
    )
    return RandomEvent(event, tuple(drawn.leaves), frozenset(drawn.countable))


def write(schema: Schema, seed: int, *, blocks: bool = False) -> bytes:
    """
    Write a random value of a self-contained schema.

    Args:
        schema: Avro JSON.
        seed: The same seed gives the same value.
        blocks: Whether arrays and maps are spread over blocks, some with their size.
    """
    named = {found["name"]: found for found in _definitions(schema)}
    return _Writer(random.Random(seed), named, blocks=blocks).write(schema, 0)


def long_bytes(number: int) -> bytes:
    """Write a zig-zag number in its shortest form."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def text_bytes(text: str) -> bytes:
    """Write a text with its length."""
    data = text.encode()
    return long_bytes(len(data)) + data


class _Drawn:
    """Fields drawn so far, and the leaves in them."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.leaves: list[str] = []
        self.countable: set[str] = set()
        self._types = 0
        self._reusable: list[str] = []

    def fields(self, path: str, depth: int) -> list[dict[str, Any]]:
        count = self._draw(st.integers(1, 5 if depth == 0 else 4))
        return [
            {
                "name": f"f{number}",
                "type": self._field(f"{path}f{number}", depth),
                "doc": "A field.",
            }
            for number in range(count)
        ]

    def _field(self, path: str, depth: int) -> Schema:
        kinds = ["leaf", "leaf", "leaf", "union"]
        kinds += ["container", "container", "items"] if depth < MAX_DEPTH else []
        kind = self._draw(st.sampled_from(kinds))
        if kind == "leaf":
            self.leaves.append(path)
            return self._nullable(self._leaf(path, depth))
        if kind == "union":
            return self._union(path, depth)
        record = self._record(path, depth)
        return self._nullable(self._items(record, path) if kind == "items" else record)

    def _leaf(self, path: str, depth: int) -> Schema:
        kind = self._draw(st.sampled_from([*PRIMITIVES, "named", "again", "many", "tree"]))
        if kind == "again" and self._reusable:
            return self._draw(st.sampled_from(self._reusable))
        if kind in ("named", "again"):
            return self._named_leaf(path, depth)
        if kind == "many":
            self.countable.add(path)
            inner = self._nullable(self._leaf("", depth + 1)) if depth < MAX_DEPTH else "string"
            part = self._draw(st.sampled_from([("array", "items"), ("map", "values")]))
            return {"type": part[0], part[1]: inner}
        return self._tree() if kind == "tree" else kind

    def _named_leaf(self, _path: str, depth: int) -> Schema:
        kind = self._draw(st.sampled_from(["enum", "wide_enum", "fixed", "record", "moment"]))
        if kind == "moment":
            return "crisis.types.Moment"
        if kind.endswith("enum"):
            count = 3 if kind == "enum" else 70
            return self._name("enum", symbols=[f"s{number}" for number in range(count)])
        if kind == "fixed":
            return self._name("fixed", size=self._draw(st.integers(1, 9)))
        fields = [
            {"name": f"g{number}", "type": self._nullable(self._inner_leaf(depth))}
            for number in range(self._draw(st.integers(1, 3)))
        ]
        return self._name("record", **{"x-leaf": True, "fields": fields})

    def _inner_leaf(self, depth: int) -> Schema:
        return self._leaf("", depth + 1) if depth < MAX_DEPTH else "string"

    def _tree(self) -> Schema:
        """Draw a record that stands inside itself."""
        self._types += 1
        name = f"T{self._types}"
        branch = {"type": "array", "items": f"random.types.{name}"}
        fields = [{"name": "text", "type": "string"}, {"name": "inside", "type": ["null", branch]}]
        return {
            "type": "record",
            "name": name,
            "namespace": "random.types",
            "x-leaf": True,
            "fields": fields,
        }

    def _union(self, path: str, depth: int) -> Schema:
        by_branch = self._draw(st.booleans())
        branches = {kind: kind for kind in self._draw(st.permutations(["int", "long", "string"]))}
        for name in ("A", "B"):
            record = self._name("record", fields=[])
            inner = f"{path}.{record['name']}." if by_branch else f"{path}.{name}?"
            if by_branch and depth < MAX_DEPTH and self._draw(st.booleans()):
                record["fields"] = self.fields(inner, depth + 1)
            else:
                record |= {"x-leaf": True, "fields": [{"name": "g", "type": "string"}]}
                if by_branch:
                    self.leaves.append(inner.removesuffix("."))
            branches[record["name"]] = record
        if by_branch:
            self.leaves += [f"{path}.{kind}" for kind in ("int", "long", "string")]
        else:
            self.leaves.append(path)
        union = list(branches.values())
        place = self._draw(st.none() | st.integers(0, len(union)))
        return union if place is None else [*union[:place], "null", *union[place:]]

    def _record(self, path: str, depth: int) -> Schema:
        record = self._name("record", fields=[])
        record["fields"] = self.fields(f"{path}.", depth + 1)
        return record

    def _items(self, record: Schema, path: str) -> Schema:
        self.leaves.append(f"{path}.#")
        item = self._draw(st.sampled_from([record, ["null", record]]))
        if self._draw(st.booleans()):
            self.countable.add(f"{path}.#")
            return {"type": "array", "items": item}
        return {"type": "map", "values": item}

    def _nullable(self, schema: Schema) -> Schema:
        how = self._draw(st.sampled_from(["first", "first", "first", "never", "last"]))
        if isinstance(schema, list) or how == "never":
            return schema
        return ["null", schema] if how == "first" else [schema, "null"]

    def _name(self, kind: str, **parts: Any) -> dict[str, Any]:
        self._types += 1
        name = f"T{self._types}"
        if kind in ("enum", "fixed"):
            self._reusable.append(f"random.types.{name}")
        return {"type": kind, "name": name, "namespace": "random.types", **parts}


class _Writer:
    def __init__(self, rng: random.Random, named: dict[str, Any], *, blocks: bool) -> None:
        self._rng = rng
        self._named = named
        self._blocks = blocks

    def write(self, schema: Schema, depth: int) -> bytes:
        if isinstance(schema, list):
            return self._union(schema, depth)
        if isinstance(schema, str):
            if "." in schema:
                return self.write(self._named[schema.rpartition(".")[2]], depth)
            return self._primitive(schema)
        if schema["type"] == "record":
            return b"".join(self.write(each["type"], depth + 1) for each in schema["fields"])
        if schema["type"] in ("array", "map"):
            return self._many(schema, depth)
        return self._scalar(schema)

    def _union(self, schema: list[Schema], depth: int) -> bytes:
        index = self._rng.randrange(len(schema))
        if depth > 8 and "null" in schema:
            index = schema.index("null")
        return long_bytes(index) + self.write(schema[index], depth)

    def _many(self, schema: Schema, depth: int) -> bytes:
        count = self._rng.choice([0, 1, 2, 3, 3, 70]) if depth < 3 else self._rng.randrange(2)
        items = [self._item(schema, number, depth + 1) for number in range(count)]
        return b"".join(self._in_blocks(items)) + b"\x00"

    def _item(self, schema: Schema, number: int, depth: int) -> bytes:
        if schema["type"] == "array":
            return self.write(schema["items"], depth)
        return text_bytes(f"{self._text()}-{number}") + self.write(schema["values"], depth)

    def _in_blocks(self, items: list[bytes]) -> Iterator[bytes]:
        while items:
            size = self._rng.randint(1, len(items)) if self._blocks else len(items)
            block, items = b"".join(items[:size]), items[size:]
            if self._blocks and self._rng.random() < 0.5:
                yield long_bytes(-size) + long_bytes(len(block)) + block
            else:
                yield long_bytes(size) + block

    def _scalar(self, schema: Schema) -> bytes:
        if schema["type"] == "enum":
            return long_bytes(self._rng.randrange(len(schema["symbols"])))
        if schema["type"] == "fixed":
            return self._rng.randbytes(schema["size"])
        # Up to the 9999th year; most of them need eight bytes, like those of today.
        return long_bytes(self._rng.choice([0, 1_790_000_000_000_000, 253_402_300_799_999_999]))

    def _primitive(self, kind: str) -> bytes:
        if kind in ("int", "long"):
            bits = self._rng.choice([1, 6, 7, 13, 31 if kind == "int" else 63])
            return long_bytes(self._rng.randint(-(1 << bits), (1 << bits) - 1))
        if kind == "boolean":
            return bytes([self._rng.randrange(2)])
        if kind == "double":
            return struct.pack("<d", self._rng.uniform(-180, 180))
        if kind == "bytes":
            data = self._rng.randbytes(self._rng.choice([0, 3, 63, 64, 200]))
            return long_bytes(len(data)) + data
        return text_bytes(self._text()) if kind == "string" else b""

    def _text(self) -> str:
        letters = self._rng.choice(["abcdef", "aŷé€𝄞"])
        length = self._rng.choice([0, 1, 5, 20, 63, 64, 150])
        return "".join(self._rng.choices(letters, k=length))


def _envelope() -> Schema:
    fields = [
        {"name": "event_id", "type": "string"},
        {"name": "occurred_at", "type": MOMENT},
        {"name": "supersedes", "type": ["null", "string"]},
        {"name": "correlation_id", "type": "string"},
        {"name": "routes", "type": {"type": "array", "items": "string"}},
    ]
    return {"type": "record", "name": "Envelope", "namespace": "crisis.types", "fields": fields}


def _definitions(schema: Schema) -> Iterator[Schema]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _definitions(branch)
    elif isinstance(schema, dict):
        if "name" in schema:
            yield schema
        for part in (*schema.get("fields", ()),):
            yield from _definitions(part["type"])
        for part in ("items", "values"):
            yield from _definitions(schema.get(part, "null"))
