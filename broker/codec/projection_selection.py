"""
What of an event is selected: the leaves an agreement releases, as a tree over the event's types.

The tree follows the fields of the event; what is not in it is withheld. Nothing here knows bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from broker.codec.catalogue_leaves import LENGTH
from broker.codec.projection_types import (
    Array,
    Enum,
    Field,
    Fixed,
    Primitive,
    Record,
    Type,
    values_of,
)
from broker.domain.reductions import Reduction

Released = Mapping[str, Reduction | None]
"""Leaf paths, each with its reduction; None means as it stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """As it stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """
    Of a record, these fields.

    Attributes:
        path: Where the record stands.
        fields: By name; in the order of the event.
        is_branch: Whether it is one of several branches of a union.
    """

    path: str
    fields: "Mapping[str, Selected]"
    is_branch: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Of an array or a map, how many there are, the keys, and this of each item."""

    item: Fields


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """Of a union, these branches, by index; any other becomes null."""

    branches: "Mapping[int, Selection]"


Selection = Whole | Fields | Items | Branches


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """
    One field of a view.

    Attributes:
        name: In the view; a reduced form has a name of its own.
        field: In the event.
        what: How it is cut; of a reduced form nothing is copied.
        reduction: None if it is not reduced.
    """

    name: str
    field: Field
    what: Selection
    reduction: Reduction | None = None


def branch_name(branch: Type) -> str:
    """Return the part of a path that names one branch of a union of several."""
    if isinstance(branch, Record | Enum | Fixed):
        return branch.fullname.rpartition(".")[2]
    if isinstance(branch, Primitive):
        return branch.kind
    return "array" if isinstance(branch, Array) else "map"


def container(type_: Type) -> Record | None:
    """Return the record that has leaves inside, if this is one, nullable or not."""
    values = values_of(type_)
    only = values[0][1] if len(values) == 1 else None
    return only if isinstance(only, Record) and not only.is_leaf else None


def leaf_path(type_: Type, path: str) -> str | None:
    """Return the path that grants the whole of this, or its length; None if it has neither."""
    if container(type_):
        return None
    values = values_of(type_)
    if len(values) == 1 and isinstance(values[0][1], Array) and container(values[0][1].items):
        return f"{path}.{LENGTH}"
    return path


def reduced_name(field: Field, reduction: Reduction, siblings: list[Field]) -> str:
    """Return the name of the reduced form of *field*, which no field of the event has."""
    name = reduction.field_name(field.name)
    if all(each.name != name for each in siblings):
        return name
    # E.g. `children_count`: what the sender counted is not what the sender listed.
    return f"{field.name}_as_{reduction.replace('-', '_')}"
