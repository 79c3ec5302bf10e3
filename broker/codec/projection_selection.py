"""
What of an event is selected: the leaves an agreement releases, as a tree over the event's types.

The tree follows the fields of the event; what is not in it is withheld. Nothing here knows bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from broker.codec.catalogue_leaves import ENVELOPE, LENGTH
from broker.codec.projection_types import (
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    Type,
    item_of,
    values_of,
)
from broker.domain.errors import AgreementError
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


def select(event: Record, released: Released) -> Fields:
    """
    Select the released leaves of the body of an event.

    What stands inside an array is selected only if the length of the array is released as it
    stands, since an item cannot be shown without showing that it is there.

    Raises:
        AgreementError: Names every path that is no leaf, and every reduction that does not apply.
    """
    selector = _Selector(released)
    body = [field for field in event.fields if field.name != ENVELOPE]
    fields = selector.fields(body, "")
    selector.refuse_unknown()
    return Fields("", fields)


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


class _Selector:
    def __init__(self, released: Released) -> None:
        self._released = released
        self._known: set[str] = set()
        self._problems: list[tuple[str, str]] = []

    def fields(self, fields: list[Field], path: str) -> dict[str, Selected]:
        found = {field.name: self._field(field, f"{path}{field.name}", fields) for field in fields}
        return {name: selected for name, selected in found.items() if selected is not None}

    def refuse_unknown(self) -> None:
        unknown = sorted(self._released.keys() - self._known)
        problems = self._problems + [(path, "no leaf of this event") for path in unknown]
        if problems:
            raise AgreementError(problems)

    def _field(self, field: Field, path: str, siblings: list[Field]) -> Selected | None:
        leaf = leaf_path(field.type, path)
        reduction = self._released.get(leaf) if leaf else None
        what = self._select(field.type, path)
        if leaf and reduction is not None:
            return self._reduced(field, leaf, reduction, siblings)
        return None if what is None else Selected(field.name, field, what)

    def _reduced(
        self, field: Field, leaf: str, reduction: Reduction, siblings: list[Field]
    ) -> Selected:
        self._known.add(leaf)
        if not reduction.applies_to(_reducible(field.type)):
            self._problems.append((leaf, f"cannot be reduced to `{reduction}`"))
        return Selected(reduced_name(field, reduction, siblings), field, Whole(), reduction)

    def _select(self, type_: Type, path: str) -> Selection | None:
        if leaf_path(type_, path) == path and self._is_released_whole(path):
            return Whole()
        values = values_of(type_)
        if len(values) == 1:
            return self._inside(values[0][1], path)
        found = {i: self._select(each, f"{path}.{branch_name(each)}") for i, each in values}
        branches = {i: _as_branch(what) for i, what in found.items() if what is not None}
        return Branches(branches) if branches else None

    def _inside(self, type_: Type, path: str) -> Selection | None:
        if not any(each.startswith(f"{path}.") for each in self._released):
            # Also what keeps a recursive type finite.
            return None
        if isinstance(type_, Record) and not type_.is_leaf:
            fields = self.fields(type_.fields, f"{path}.")
            return Fields(path, fields) if fields else None
        if isinstance(type_, Array | Map):
            return self._items(item_of(type_), path)
        return None

    def _items(self, item: Type, path: str) -> Items | None:
        record, length = container(item), f"{path}.{LENGTH}"
        if record is None:
            return None
        fields = self.fields(record.fields, f"{path}.")
        return Items(Fields(path, fields)) if self._is_released_whole(length) else None

    def _is_released_whole(self, path: str) -> bool:
        if path not in self._released or self._released[path] is not None:
            return False
        self._known.add(path)
        return True


def _as_branch(what: Selection) -> Selection:
    return Fields(what.path, what.fields, is_branch=True) if isinstance(what, Fields) else what


def _reducible(type_: Type) -> object:
    values = values_of(type_)
    if len(values) != 1:
        return []
    only = values[0][1]
    return only.fullname if isinstance(only, Record | Enum | Fixed) else branch_name(only)
