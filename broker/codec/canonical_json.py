"""
Canonical JSON: what senders post and connectors produce (schemas/README.md), to native and back.

Reading collects every problem with its JSON path; writing is the inverse.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from broker.codec.canonical_document import ParsedDocument, read_envelope_fields
from broker.codec.canonical_notes import UNMAPPED, Json, Limits
from broker.codec.canonical_reader import Reader
from broker.codec.canonical_writer import to_json
from broker.codec.catalogue import Catalogue, EventSchema, Schema
from broker.codec.catalogue_files import fullname, named_types
from broker.codec.catalogue_leaves import ENVELOPE
from broker.codec.checks import check_body
from broker.domain.errors import MalformedMessageError
from broker.domain.findings import Finding

__all__ = ["Limits", "ParsedDocument", "read_body", "read_document", "to_json", "write_body"]

_DEFAULT_LIMITS = Limits()


def read_document(
    catalogue: Catalogue, document: Json, limits: Limits = _DEFAULT_LIMITS
) -> ParsedDocument:
    """
    Read a whole document: what its envelope needs, and its body with the checks of intake.

    Raises:
        MalformedMessageError: Names every (path, rule); nothing of the document may be used.
    """
    _refuse(_shape_problems(document, limits))
    event_type = document.get("event_type")
    if not isinstance(event_type, str) or event_type not in catalogue.events:
        _refuse([("$.event_type", "missing or not an event of the catalogue")])
    event = catalogue.event(event_type)
    reader = Reader(_types_of(event), limits)
    parsed = read_envelope_fields(reader, event_type, document)
    body = _read_body(reader, event, document.get("body"))
    _refuse(reader.problems)
    body, findings = check_body(body)
    return parsed(body=body, findings=(*reader.findings, *findings))


def read_body(
    event: EventSchema, body: Json, limits: Limits = _DEFAULT_LIMITS
) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """
    Read the body of an event into its native form.

    Raises:
        MalformedMessageError: Names every (path, rule).
    """
    _refuse(_shape_problems({"body": body}, limits))
    reader = Reader(_types_of(event), limits)
    native = _read_body(reader, event, body)
    _refuse(reader.problems)
    return native, tuple(reader.findings)


def write_body(event: EventSchema, native: Mapping[str, Any]) -> dict[str, Json]:
    """Write a native body (an envelope in it is left out) as canonical JSON; absent means null."""
    members = [member["name"] for member in event.schema["fields"] if member["name"] != ENVELOPE]
    return {name: to_json(native[name]) for name in members if native.get(name) is not None}


def _read_body(reader: Reader, event: EventSchema, body: Json) -> dict[str, Any]:
    if not isinstance(body, dict):
        reader.problem("$.body", "missing or not an object")
        return {}
    fields = [member for member in event.schema["fields"] if member["name"] != ENVELOPE]
    native = reader.record({**event.schema, "fields": fields}, body, "$.body")
    if reader.unmapped:
        native[UNMAPPED] = [*(native[UNMAPPED] or ()), *reader.unmapped]
    return native


@lru_cache(maxsize=64)
def _types_of(event: EventSchema) -> Mapping[str, Schema]:
    return {fullname(schema): schema for schema in named_types(event.schema)}


def _shape_problems(document: Json, limits: Limits) -> list[tuple[str, str]]:
    if not isinstance(document, dict):
        return [("$", "not an object")]
    level: list[Json] = [document]
    for _ in range(limits.max_depth):
        level = [inner for value in level for inner in _children(value)]
        if not level:
            return []
    return [("$", f"nested more than {limits.max_depth} deep")]


def _children(value: Json) -> list[Json]:
    inner = value.values() if isinstance(value, dict) else value
    return [item for item in inner if isinstance(item, (dict, list))]


def _refuse(problems: list[tuple[str, str]]) -> None:
    if problems:
        raise MalformedMessageError(problems)
