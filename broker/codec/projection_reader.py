"""Reads Avro JSON into the tree of what stands on the wire; names are resolved on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.codec.catalogue_files import PRIMITIVES, Schema
from broker.codec.projection_types import (
    TIMESTAMP,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    Type,
    Union,
)
from broker.domain.errors import ConfigurationError

MAX_BRANCHES: Final = 64
"""So many indices of a union have codes of one byte."""


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
