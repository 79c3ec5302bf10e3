"""Reads `.avsc` files, one named type each, and says everything that is wrong with them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = Any
"""Avro JSON: the name of a type, a list (union) or an object."""

Problem = tuple[str, str]
"""Place and rule; never a value."""

PRIMITIVES = frozenset(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])


def read_types(folder: Path) -> dict[str, Schema]:
    """Read every named type of a folder, by full name; the files have no faults (see below)."""
    schemas = (json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.avsc")))
    return {fullname(schema): schema for schema in schemas}


def fullname(schema: Mapping[str, Any]) -> str:
    """Return namespace and name of a named type."""
    return f"{schema['namespace']}.{schema['name']}"


def find_file_problems(root: Path) -> list[Problem]:
    """List files that are no schema, are misnamed, or refer to a type that does not exist."""
    problems: list[Problem] = []
    schemas: dict[str, Schema] = {}
    for file in sorted(root.glob("*/*.avsc")):
        place = f"{file.parent.name}/{file.name}"
        if file.parent.name in {"types", "events"}:
            problems += _problems_of_file(file, place, schemas)
    if not schemas:
        problems.append((root.name, "no schemas in this folder"))
    return problems or [
        p for place, schema in schemas.items() for p in _dangling(place, schema, schemas)
    ]


def named_types(schema: Schema) -> Iterator[Mapping[str, Any]]:
    """Yield every definition of a named type inside a schema, itself included."""
    if isinstance(schema, list):
        for branch in schema:
            yield from named_types(branch)
    elif isinstance(schema, dict):
        if "name" in schema and schema.get("type") in {"record", "enum", "fixed"}:
            yield schema
        for part in _parts(schema):
            yield from named_types(part)


def _problems_of_file(file: Path, place: str, schemas: dict[str, Schema]) -> list[Problem]:
    try:
        schema = json.loads(file.read_text("utf-8"))
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", schema["name"]).lower()
        schemas[fullname(schema)] = schema
    except (ValueError, KeyError, TypeError):
        return [(place, "not a named Avro type with name and namespace")]
    return [] if snake == file.stem else [(place, "file is not named after its type")]


def _dangling(place: str, schema: Schema, known: Mapping[str, Schema]) -> list[Problem]:
    defined = {fullname(t) for s in known.values() for t in named_types(s) if "namespace" in t}
    names = set(_references(schema)) - PRIMITIVES - defined
    return [(place, f"refers to unknown type `{name}`") for name in sorted(names)]


def _references(schema: Schema) -> Iterator[str]:
    if isinstance(schema, str):
        yield schema
    elif isinstance(schema, list):
        for branch in schema:
            yield from _references(branch)
    else:
        for part in _parts(schema):
            yield from _references(part)


def _parts(schema: Mapping[str, Any]) -> Iterator[Schema]:
    kind = schema["type"]
    if kind == "record":
        yield from (field["type"] for field in schema["fields"])
    elif kind == "array":
        yield schema["items"]
    elif kind == "map":
        yield schema["values"]
    elif kind not in {"enum", "fixed"}:
        yield kind
