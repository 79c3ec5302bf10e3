"""Selects what an agreement releases, and refuses what it cannot."""

from dataclasses import replace

from broker.codec.catalogue_leaves import ENVELOPE, LENGTH
from broker.codec.projection_selection import (
    Branches,
    Fields,
    Items,
    Released,
    Selected,
    Selection,
    Whole,
    branch_name,
    container,
    leaf_path,
    reduced_name,
)
from broker.codec.projection_types import (
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Record,
    Type,
    item_of,
    values_of,
)
from broker.domain.errors import AgreementError
from broker.domain.reductions import Reduction


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
    return replace(what, is_branch=True) if isinstance(what, Fields) else what


def _reducible(type_: Type) -> object:
    values = values_of(type_)
    if len(values) != 1:
        return []
    only = values[0][1]
    return only.fullname if isinstance(only, Record | Enum | Fixed) else branch_name(only)
