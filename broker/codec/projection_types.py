"""
An Avro schema as a tree of what stands on the wire.

A recursive type is a cycle in the tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

TIMESTAMP: Final = "timestamp-micros"


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
