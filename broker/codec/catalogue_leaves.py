"""Lists the leaves of a record: the smallest things an agreement can name (schemas/README.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from broker.codec.catalogue_files import PRIMITIVES, Problem, Schema, fullname

ENVELOPE = "envelope"
LENGTH = "#"
"""Last part of the path of an array's length."""

_CLASSES = frozenset(f"S{number}" for number in range(9))
_PRESENCES = frozenset({"show", "conceal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """
    One leaf and its tags.

    Attributes:
        path: From the record of the event, e.g. ``subject.identity.birth_date``.
        doc: What it is, one line.
        group: What agreements grant together.
        sensitivity: ``S0`` to ``S8``.
        presence: ``show`` or ``conceal``: whether a recipient is told that it is held.
        since: Catalogue version that brought it, or the newest container around it.
        avro_type: Its type without the null branch; an array's length is an ``int``.
        is_length: Whether it is the length of an array of records.
    """

    path: str
    doc: str
    group: str
    sensitivity: str
    presence: str
    since: int
    avro_type: Schema
    is_length: bool = False


@dataclass(slots=True)
class FoundLeaves:
    """What the walk found: leaves by path in canonical order, and what is wrong with them."""

    leaves: dict[str, Leaf] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def find_leaves(record: Mapping[str, Any], types: Mapping[str, Schema]) -> FoundLeaves:
    """Walk a record down to its leaves."""
    found = FoundLeaves()
    _walk(record, types, _Trail(), found)
    return found


def without_null(avro_type: Schema) -> Schema:
    """Return the one branch of a nullable type that is not null; any other type as it is."""
    if isinstance(avro_type, list):
        branches = [branch for branch in avro_type if branch != "null"]
        return branches[0] if len(branches) == 1 else branches
    return avro_type


@dataclass(frozen=True, slots=True)
class _Trail:
    """How the walk got to a record; a field is as new as the newest container around it."""

    path: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    since: int = 1


def _walk(
    record: Mapping[str, Any], types: Mapping[str, Schema], trail: _Trail, found: FoundLeaves
) -> None:
    name = fullname(record)
    if name in trail.records:
        found.problems.append((name, "a container may not contain itself"))
        return
    for member in record["fields"]:
        place = f"{name}.{member['name']}"
        since = member.get("x-since", 1)
        if not isinstance(since, int) or since < 1:
            found.problems.append((place, "x-since is no catalogue version"))
            since = 1
        if not member.get("doc"):
            found.problems.append((place, "no doc"))
        here = _Trail(
            (*trail.path, member["name"]), (*trail.records, name), max(since, trail.since)
        )
        _walk_member(member, types, here, found)


def _walk_member(
    member: Mapping[str, Any], types: Mapping[str, Schema], here: _Trail, found: FoundLeaves
) -> None:
    inner, is_array = _container(member["type"], types)
    if inner is None:
        _add_leaf(member, here, found)
        found.problems += _undocumented(member["type"], types)
        return
    if is_array:
        _add_leaf(member, replace(here, path=(*here.path, LENGTH)), found)
    _walk(inner, types, here, found)


def _container(
    avro_type: Schema, types: Mapping[str, Schema]
) -> tuple[Mapping[str, Any] | None, bool]:
    """Return the record that has leaves inside, if any, and whether an array stands around it."""
    avro_type = without_null(avro_type)
    is_array = isinstance(avro_type, dict) and avro_type["type"] == "array"
    if is_array:
        avro_type = without_null(avro_type["items"])
    if isinstance(avro_type, str):
        avro_type = types.get(avro_type)
    is_record = isinstance(avro_type, dict) and avro_type["type"] == "record"
    return (avro_type if is_record and not avro_type.get("x-leaf") else None), is_array


def _add_leaf(member: Mapping[str, Any], here: _Trail, found: FoundLeaves) -> None:
    found.problems += _tag_problems(member, f"{here.records[-1]}.{member['name']}")
    is_length = here.path[-1] == LENGTH
    leaf = Leaf(
        path=".".join(here.path),
        doc=member.get("doc", ""),
        group=member.get("x-group", ""),
        sensitivity=member.get("x-class", ""),
        presence=member.get("x-presence", ""),
        since=here.since,
        avro_type="int" if is_length else without_null(member["type"]),
        is_length=is_length,
    )
    found.leaves[leaf.path] = leaf


def _tag_problems(member: Mapping[str, Any], place: str) -> Iterator[Problem]:
    if not member.get("x-group"):
        yield place, "no x-group"
    if member.get("x-class") not in _CLASSES:
        yield place, "no x-class S0 to S8"
    if member.get("x-presence") not in _PRESENCES:
        yield place, "no x-presence show or conceal"


def _undocumented(avro_type: Schema, types: Mapping[str, Schema]) -> Iterator[Problem]:
    """Yield what has no doc inside a leaf: its type, and that type's fields."""
    avro_type = without_null(avro_type)
    if isinstance(avro_type, dict) and avro_type["type"] == "array":
        avro_type = avro_type["items"]
    schema = types.get(avro_type) if isinstance(avro_type, str) else avro_type
    if not isinstance(schema, dict) or "name" not in schema or schema["type"] in PRIMITIVES:
        return
    if schema["type"] != "fixed" and not schema.get("doc"):
        yield fullname(schema), "no doc"
    for member in schema.get("fields", ()):
        if not member.get("doc"):
            yield f"{fullname(schema)}.{member['name']}", "no doc"
