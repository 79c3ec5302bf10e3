"""
An Avro schema as a tree of what stands on the wire.

Names are resolved, so that a recursive type is a cycle in the tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from broker.codec.catalogue_files import PRIMITIVES, Schema
from broker.domain.errors import ConfigurationError

TIMESTAMP: Final = "timestamp-micros"

MAX_BRANCHES: Final = 64
"""So many indices of a union have codes of one byte."""


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """One of Avro's eight, or `TIMESTAMP`."""

    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """So many bytes."""

    fullname: str
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Enum:
    """One of so many symbols."""

    fullname: str
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """Blocks of items."""

    items: "Type"


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Blocks of keys and values."""

    values: "Type"


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """An index and one of these."""

    branches: "tuple[Type, ...]"

    @property
    def null(self) -> int | None:
        """Which index means null."""
        return next((i for i, each in enumerate(self.branches) if is_null(each)), None)


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Fields one after the other; `is_leaf` if an agreement cannot name what is inside."""

    fullname: str
    is_leaf: bool
    fields: "list[Field]" = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field; `schema` is its Avro JSON, with named types by name."""

    name: str
    type: "Type"
    schema: Mapping[str, Any]


Type = Primitive | Fixed | Enum | Array | Map | Union | Record


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """
    A schema that has been read.

    Attributes:
        root: The event's record.
        definitions: The Avro JSON of every named type, by full name; inside it, types by name.
    """

    root: Record
    definitions: Mapping[str, Schema]


def read_schema(schema: Schema) -> Tree:
    """
    Read a self-contained schema; its named types carry their namespace.

    Raises:
        ConfigurationError: It is no record, or holds something that is not known here.
    """
    reader = _Reader()
    root = reader.read(schema)
    if not isinstance(root, Record):
        raise ConfigurationError("an event is a record @ schema")
    return Tree(root, reader.definitions)


def is_null(type_: Type) -> bool:
    """Tell whether a type is Avro's null."""
    return isinstance(type_, Primitive) and type_.kind == "null"


def values_of(type_: Type) -> tuple[tuple[int, Type], ...]:
    """Return what can stand there other than null, each with its index in the union, if it is one."""
    branches = type_.branches if isinstance(type_, Union) else (type_,)
    return tuple((index, each) for index, each in enumerate(branches) if not is_null(each))


def item_of(type_: Type) -> Type:
    """Return what is inside an array or a map; anything else is its own only item."""
    if isinstance(type_, Array):
        return type_.items
    return type_.values if isinstance(type_, Map) else type_


def name_of(schema: Mapping[str, Any]) -> str:
    """Return the full name of a definition; one without a namespace has none."""
    return f"{schema['namespace']}.{schema['name']}" if "namespace" in schema else schema["name"]


class _Reader:
    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._named: dict[str, Type] = {}

    def read(self, schema: Schema) -> Type:
        if isinstance(schema, list):
            return self._union(schema)
        if isinstance(schema, str):
            return Primitive(schema) if schema in PRIMITIVES else self._named[schema]
        if "name" in schema:
            return self._definition(schema)
        if schema["type"] == "array":
            return Array(self.read(schema["items"]))
        if schema["type"] == "map":
            return Map(self.read(schema["values"]))
        return self._logical(schema)

    def _union(self, schema: list[Schema]) -> Union:
        if len(schema) > MAX_BRANCHES:
            raise ConfigurationError(f"a union has at most {MAX_BRANCHES} branches @ schema")
        return Union(tuple(self.read(branch) for branch in schema))

    def _definition(self, schema: Mapping[str, Any]) -> Type:
        # Names get into comments of generated code.
        if not name_of(schema).replace(".", "").isidentifier():
            raise ConfigurationError("a type has a name that is none @ schema")
        if schema["type"] == "enum":
            return self._name(schema, Enum(name_of(schema), len(schema["symbols"])))
        if schema["type"] == "fixed":
            return self._name(schema, Fixed(name_of(schema), schema["size"]))
        return self._record(schema)

    def _record(self, schema: Mapping[str, Any]) -> Record:
        record = Record(name_of(schema), bool(schema.get("x-leaf")))
        # Named before its fields are read: a recursive type refers to itself.
        self._name(schema, record)
        if not all(each["name"].isidentifier() for each in schema["fields"]):
            raise ConfigurationError(f"a field has a name that is none @ {record.fullname}")
        record.fields.extend(
            Field(each["name"], self.read(each["type"]), {**each, "type": _by_name(each["type"])})
            for each in schema["fields"]
        )
        self.definitions[record.fullname] = {
            **schema,
            "fields": [each.schema for each in record.fields],
        }
        return record

    def _name(self, schema: Mapping[str, Any], type_: Type) -> Type:
        self._named[name_of(schema)] = type_
        self.definitions[name_of(schema)] = schema
        return type_

    def _logical(self, schema: Mapping[str, Any]) -> Type:
        if "logicalType" not in schema:
            return self.read(schema["type"])
        if schema["logicalType"] != TIMESTAMP:
            raise ConfigurationError("only timestamp-micros is known as a logical type @ schema")
        return Primitive(TIMESTAMP)


def _by_name(schema: Schema) -> Schema:
    """Replace every definition inside a schema by the name of what it defines."""
    if isinstance(schema, list):
        return [_by_name(branch) for branch in schema]
    if isinstance(schema, str):
        return schema
    if "name" in schema:
        return name_of(schema)
    parts = {part: _by_name(schema[part]) for part in ("items", "values") if part in schema}
    return {**schema, **parts}
