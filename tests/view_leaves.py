"""
Lists what an event holds and what a view shows, leaf by leaf, the slow and obvious way.

A leaf is told by its key: field names, and indices or keys of the arrays and maps around it. Native
values come from schemas whose unions tell their branch (`broker.codec.reference_unions`).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from broker.codec import avro
from broker.codec.catalogue import EventSchema, load_catalogue
from broker.codec.reference_unions import tag_unions
from broker.codec.views import MANIFEST_TYPE, ViewCodec

Key = tuple[str | int, ...]
Schema = Any

MANIFEST = {
    "agreement": "a",
    "agreement_version": 1,
    "purpose": "p",
    "entries": [],
    "ask": "",
    "complete": True,
}


def whole_view(halves: tuple[bytes, bytes]) -> bytes:
    """Put a view together, with a manifest in its middle."""
    manifest = avro.encode(load_catalogue().type_schema(MANIFEST_TYPE), MANIFEST)
    return halves[0] + manifest + halves[1]


def event_leaves(
    event: EventSchema, data: bytes, leaves: Collection[str]
) -> set[tuple[Key, str, str]]:
    """List (key, path, value as text) of every leaf of the body that is not null."""
    native = avro.decode(tag_unions(event.schema), data)
    body = {**event.schema, "fields": event.schema["fields"][1:]}
    walk = _Walk(event.schema, leaves)
    return {(key, path, repr(bare(value))) for key, path, value in walk.event(body, native, "", ())}


def view_leaves(view: ViewCodec, data: bytes) -> set[tuple[Key, str]]:
    """List (key, value as text) of every leaf of a view's body that is not null."""
    native = avro.decode(tag_unions(view.schema), data)
    walk = _Walk(view.schema, ())
    return {
        (key, repr(bare(value)))
        for key, value in walk.view(view.schema["fields"][2]["type"], native["body"], ())
    }


def can_be_seen(path: str, released: Collection[str], leaves: Collection[str]) -> bool:
    """Tell whether a leaf is released together with the length of every array around it."""
    around = [path[:at] + ".#" for at, letter in enumerate(path) if letter == "."]
    return path in released and all(each in released for each in around if each in leaves)


class _Walk:
    def __init__(self, schema: Schema, leaves: Collection[str]) -> None:
        self._named: dict[str, Schema] = {}
        self._leaves = frozenset(leaves)
        self._learn(schema)

    def event(
        self, schema: Schema, value: Any, path: str, key: Key
    ) -> Iterator[tuple[Key, str, Any]]:
        if value is None:
            return
        if path in self._leaves:
            yield key, path, value
            return
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        if isinstance(schema, list):
            yield from self._union(schema, value, path, key)
        elif schema["type"] == "record":
            for each in schema["fields"]:
                inner = f"{path}.{each['name']}".removeprefix(".")
                here = (*key, each["name"])
                yield from self.event(each["type"], value[each["name"]], inner, here)
        else:
            yield (*key, "#"), f"{path}.#", _size(value)
            for index, each in _items(value):
                inner = schema.get("items", schema.get("values"))
                yield from self.event(inner, each, path, (*key, index))

    def view(self, schema: Schema, value: Any, key: Key) -> Iterator[tuple[Key, Any]]:
        if value is None:
            return
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        if isinstance(schema, list):
            branch, inner = _branch(schema, value)
            yield from self.view(branch, inner, key)
        elif self._is_container(schema):
            for each in schema["fields"]:
                yield from self.view(each["type"], value[each["name"]], (*key, each["name"]))
        elif self._is_container(inside := _item_schema(schema)):
            yield (*key, "#"), _size(value)
            for index, each in _items(value):
                yield from self.view(inside, each, (*key, index))
        else:
            yield key, value

    def _union(
        self, schema: list[Schema], value: Any, path: str, key: Key
    ) -> Iterator[tuple[Key, str, Any]]:
        branch, inner = _branch(schema, value)
        name = branch if isinstance(branch, str) else branch.get("name", branch["type"])
        several = len([each for each in schema if each != "null"]) > 1
        inner_path = f"{path}.{name.rpartition('.')[2]}" if several else path
        yield from self.event(branch, inner, inner_path, key)

    def _is_container(self, schema: Schema) -> bool:
        if isinstance(schema, list):
            values = [each for each in schema if each != "null"]
            return len(values) == 1 and self._is_container(values[0])
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        return isinstance(schema, Mapping) and "crisis.view." in schema.get("namespace", "")

    def _learn(self, schema: Schema) -> None:
        if isinstance(schema, list):
            for each in schema:
                self._learn(each)
        elif isinstance(schema, Mapping):
            if "name" in schema:
                self._named[f"{schema['namespace']}.{schema['name']}"] = schema
            for field in schema.get("fields", ()):
                self._learn(field["type"])
            self._learn(_item_schema(schema))


def _branch(schema: list[Schema], value: Any) -> tuple[Schema, Any]:
    values = [each for each in schema if each != "null"]
    if len(values) == 1:
        return values[0], value
    (name, inner), *_ = value.items()
    return values[int(name.removeprefix("branch_"))], inner


def _item_schema(schema: Schema) -> Schema:
    return schema.get("items", schema.get("values")) if isinstance(schema, Mapping) else None


def _size(value: Any) -> Any:
    return sorted(value) if isinstance(value, Mapping) else len(value)


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items() if isinstance(value, Mapping) else enumerate(value))


def bare(value: Any) -> Any:
    """Strip what tells the branches of unions."""
    if isinstance(value, list):
        return [bare(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1 and next(iter(value)).startswith("branch_"):
        return bare(next(iter(value.values())))
    return {name: bare(each) for name, each in value.items()}
