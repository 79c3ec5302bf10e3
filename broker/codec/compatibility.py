"""
May one catalogue replace another? If not, where and why not.

Our rules are stricter than Avro's: a field that is renamed, moved to another group or brought in
without its catalogue version would change what a signed agreement releases.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from broker.codec.catalogue import Catalogue, Leaf, Schema
from broker.codec.catalogue_files import Problem, fullname, named_types


def find_breaks(previous: Catalogue, current: Catalogue) -> list[Problem]:
    """List every (place, rule) in which *current* breaks its promise to readers of *previous*."""
    old, new = _named(previous), _named(current)
    problems = [(name, "type was removed or renamed") for name in old if name not in new]
    for name in old.keys() & new.keys():
        problems += _compare_types(name, old[name], new[name])
    for event_type in previous.events.keys() & current.events.keys():
        problems += _compare_leaves(event_type, previous, current)
    return sorted(problems)


def _named(catalogue: Catalogue) -> dict[str, Mapping[str, Any]]:
    schemas = [event.schema for event in catalogue.events.values()]
    return {
        fullname(defined): defined
        for schema in [*schemas, *catalogue.types.values()]
        for defined in named_types(schema)
    }


def _compare_types(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    if old["type"] != new["type"]:
        yield name, f"was a {old['type']}"
    elif old["type"] == "enum":
        yield from _compare_enums(name, old, new)
    elif old["type"] == "record":
        yield from _compare_records(name, old, new)
    elif old.get("size") != new.get("size"):
        yield name, "size was changed"


def _compare_enums(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    if new["symbols"][: len(old["symbols"])] != old["symbols"]:
        yield name, "symbols may only be added at the end"
    if old.get("default") != new.get("default"):
        yield name, "default was changed"


def _compare_records(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Problem]:
    for tag in ("x-leaf", "x-event-type"):
        if old.get(tag) != new.get(tag):
            yield name, f"{tag} was changed"
    old_fields = {member["name"]: member for member in old["fields"]}
    new_fields = {member["name"]: member for member in new["fields"]}
    if [n for n in old_fields if n in new_fields] != [n for n in new_fields if n in old_fields]:
        yield name, "fields were moved"
    for field, member in old_fields.items():
        if field not in new_fields:
            yield f"{name}.{field}", "field was removed or renamed"
        else:
            yield from _compare_fields(f"{name}.{field}", member, new_fields[field])
    for field in new_fields.keys() - old_fields.keys():
        if not is_optional(new_fields[field]):
            yield f"{name}.{field}", "a new field is nullable with default null"


def is_optional(member: Mapping[str, Any]) -> bool:
    """Tell whether a field is nullable with default null."""
    nullable = isinstance(member["type"], list) and member["type"][0] == "null"
    return nullable and "default" in member and member["default"] is None


def _compare_fields(
    place: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Problem]:
    if _shape(old["type"]) != _shape(new["type"]):
        yield place, "type was changed"
    if ("default" in old, old.get("default")) != ("default" in new, new.get("default")):
        yield place, "default was changed"


def _shape(schema: Schema) -> Schema:
    """Return the type with named types by name; what is inside them is compared once, elsewhere."""
    if isinstance(schema, list):
        return [_shape(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if "name" in schema:
        return fullname(schema)
    return {
        key: _shape(value) if key in {"type", "items", "values"} else value
        for key, value in schema.items()
        if key != "doc"
    }


def _compare_leaves(event_type: str, previous: Catalogue, current: Catalogue) -> Iterator[Problem]:
    newest = max(leaf.since for event in previous.events.values() for leaf in event.leaves.values())
    old, new = previous.event(event_type).leaves, current.event(event_type).leaves
    for path, leaf in new.items():
        place = f"{event_type}: {path}"
        if path not in old and leaf.since <= newest:
            yield place, f"a new leaf needs x-since {newest + 1} or later"
        elif path in old and _tags(old[path]) != _tags(leaf):
            yield place, "group, class, presence or since of a leaf never change"


def _tags(leaf: Leaf) -> tuple[str, str, str, int]:
    return leaf.group, leaf.sensitivity, leaf.presence, leaf.since
