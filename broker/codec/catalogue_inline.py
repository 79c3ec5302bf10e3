"""Makes a schema self-contained: each named type stands where it is first used, then by name."""

from collections.abc import Mapping
from typing import Any

from broker.codec.catalogue_files import Schema, fullname


def inline(schema: Schema, types: Mapping[str, Schema]) -> Schema:
    """Return a copy of *schema* that needs no other file; the same input gives the same output."""
    return _inline(schema, types, set())


def _inline(schema: Schema, types: Mapping[str, Schema], seen: set[str]) -> Schema:
    if isinstance(schema, str):
        return (
            schema if schema in seen or schema not in types else _inline(types[schema], types, seen)
        )
    if isinstance(schema, list):
        return [_inline(branch, types, seen) for branch in schema]
    return _inline_object(schema, types, seen)


def _inline_object(
    schema: Mapping[str, Any], types: Mapping[str, Schema], seen: set[str]
) -> dict[str, Any]:
    copy = dict(schema)
    if "name" in schema:
        seen.add(fullname(schema))
    if "fields" in schema:
        copy["fields"] = [
            {**field, "type": _inline(field["type"], types, seen)} for field in schema["fields"]
        ]
    for part in ("items", "values"):
        if part in schema:
            copy[part] = _inline(schema[part], types, seen)
    if not isinstance(schema["type"], str):
        copy["type"] = _inline(schema["type"], types, seen)
    return copy
