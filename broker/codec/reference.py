"""
The slow twin of a projection: decode everything, keep what is released, encode that.

It shares no code with the fast way beyond reading the schema, so that a mistake in one of them is a
difference between the two. It goes by the paths of the event, not by the selection tree.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from broker.codec import avro
from broker.codec.catalogue_files import Schema
from broker.codec.catalogue_leaves import ENVELOPE, LENGTH
from broker.codec.projection_envelope import public_fields
from broker.codec.projection_reader import Tree
from broker.codec.projection_schema import ViewSchema
from broker.codec.projection_selection import (
    Released,
    branch_name,
    container,
    leaf_path,
    reduced_name,
)
from broker.codec.projection_types import (
    Array,
    Field,
    Map,
    Record,
    Type,
    item_of,
    values_of,
)
from broker.codec.reference_unions import branch_of, tag_unions, untag

Native = dict[str, Any]


class Reference:
    """Projects by decoding and encoding, whatever valid form the bytes have."""

    def __init__(self, schema: Schema, tree: Tree, released: Released, view: ViewSchema) -> None:
        self._tree = tree
        self._released = released
        self._event = tag_unions(schema)
        self._envelope = tag_unions(view.envelope)
        self._body = tag_unions(view.body)
        self._public = [each.name for each in public_fields(tree.root)]

    def project(self, data: bytes, start: int) -> tuple[bytes, bytes]:
        """
        Return the encoded public part of the envelope and the encoded body.

        Raises:
            MalformedMessageError: The bytes are no event of this type.
        """
        event = avro.decode(self._event, data, start)
        envelope = event.pop(ENVELOPE)
        body = _Filter(self._released, envelope.get("occurred_at")).keep(self._tree.root, event)
        public = {name: envelope[name] for name in self._public}
        return avro.encode(self._envelope, public), avro.encode(self._body, body)


class _Filter:
    """Keeps what is released; what has nothing to say is left out, and so becomes null."""

    def __init__(self, released: Released, occurred_at: Any) -> None:
        self._released = released
        self._occurred_at = occurred_at

    def keep(self, event: Record, native: Native) -> Native:
        body = [each for each in event.fields if each.name != ENVELOPE]
        return self._fields(body, native, "")

    def _fields(self, fields: Sequence[Field], native: Native | None, path: str) -> Native:
        kept: Native = {}
        for each in fields:
            value = None if native is None else native[each.name]
            name, found = self._field(each, value, f"{path}{each.name}", fields)
            if found is not None:
                kept[name] = found
        return kept

    def _field(
        self, field: Field, value: Any, path: str, siblings: Sequence[Field]
    ) -> tuple[str, Any]:
        leaf = leaf_path(field.type, path)
        reduction = self._released.get(leaf) if leaf else None
        if reduction is None:
            return field.name, self._value(field.type, value, path)
        name = reduced_name(field, reduction, list(siblings))
        return name, reduction.apply(untag(field.type, value), self._occurred_at)

    def _value(self, type_: Type, value: Any, path: str) -> Any:
        if leaf_path(type_, path) == path and self._is_whole(path):
            return value
        values = values_of(type_)
        if len(values) == 1:
            return self._inside(values[0][1], value, path)
        return self._branch([each for _, each in values], value, path)

    def _inside(self, type_: Type, value: Any, path: str) -> Any:
        if not any(each.startswith(f"{path}.") for each in self._released):
            return None
        if isinstance(type_, Record):
            return None if type_.is_leaf else self._fields(type_.fields, value, f"{path}.") or None
        if value is None or not isinstance(type_, Array | Map) or not self._shows(type_, path):
            return None
        if isinstance(value, Mapping):
            return {key: self._item(type_, each, path) for key, each in value.items()}
        return [self._item(type_, each, path) for each in value]

    def _item(self, type_: Array | Map, value: Any, path: str) -> Any:
        inner = item_of(type_)
        record = container(inner)
        kept = self._fields(record.fields if record else (), value, f"{path}.")
        return kept if isinstance(inner, Record) else kept or None

    def _branch(self, branches: list[Type], value: Any, path: str) -> Any:
        """Keep one of several branches, under its number among those that are shown."""
        if value is None:
            return None
        paths = [f"{path}.{branch_name(each)}" for each in branches]
        shown = [i for i, each in enumerate(branches) if self._shows(each, paths[i])]
        number, inner = branch_of(value)
        kept = self._value(branches[number], inner, paths[number]) if number in shown else None
        if kept is None or _says_nothing(branches[number], kept):
            return None
        return {f"branch_{shown.index(number)}": kept} if len(shown) > 1 else kept

    def _shows(self, type_: Type, path: str) -> bool:
        """Tell whether anything of this has a place in the view."""
        if leaf_path(type_, path) == path and self._is_whole(path):
            return True
        values = values_of(type_)
        if len(values) != 1:
            return any(self._shows(each, f"{path}.{branch_name(each)}") for _, each in values)
        only = values[0][1]
        if not any(each.startswith(f"{path}.") for each in self._released):
            return False
        if isinstance(only, Record):
            return not only.is_leaf and any(self._shows_field(e, path) for e in only.fields)
        return container(item_of(only)) is not None and self._is_whole(f"{path}.{LENGTH}")

    def _shows_field(self, field: Field, path: str) -> bool:
        leaf = leaf_path(field.type, f"{path}.{field.name}")
        is_reduced = leaf is not None and self._released.get(leaf) is not None
        return is_reduced or self._shows(field.type, f"{path}.{field.name}")

    def _is_whole(self, path: str) -> bool:
        return path in self._released and self._released[path] is None


def _says_nothing(type_: Type, kept: Any) -> bool:
    """Tell whether a container holds nothing but "no, nothing is held"."""
    if not isinstance(type_, Record) or type_.is_leaf:
        return False
    return all(each is False or _is_blank(each) for each in kept.values())


def _is_blank(value: Any) -> bool:
    return isinstance(value, Mapping) and all(e is False or _is_blank(e) for e in value.values())
