"""House rules of schemas/README.md that Avro itself does not know."""

from collections.abc import Iterator, Mapping
from typing import Any

from broker.codec.avro import is_schema
from broker.codec.catalogue import Catalogue
from broker.codec.catalogue_files import Problem, fullname, named_types
from broker.codec.catalogue_leaves import ENVELOPE
from broker.codec.compatibility import is_optional

_UNKNOWN = "unknown"


def find_rule_breaks(catalogue: Catalogue) -> list[Problem]:
    """List every (place, rule): no Avro schema, a required body field, an enum without unknown."""
    problems: set[Problem] = set()
    for event in catalogue.events.values():
        problems.update(_of_schema(event.fullname, event.schema))
        body = [member for member in event.schema["fields"] if member["name"] != ENVELOPE]
        for member in body:
            problems.update(_of_body(f"{event.fullname}.{member['name']}", member))
    for name, schema in catalogue.types.items():
        problems.update(_of_schema(name, schema))
    return sorted(problems)


def _of_schema(name: str, schema: Mapping[str, Any]) -> Iterator[Problem]:
    if not is_schema(schema):
        yield name, "not a well-formed Avro schema"
    for defined in named_types(schema):
        if defined["type"] == "enum" and not _starts_unknown(defined):
            yield fullname(defined), "an enum starts with `unknown`, which is its default"


def _starts_unknown(enum: Mapping[str, Any]) -> bool:
    return bool(enum["symbols"][0] == enum.get("default") == _UNKNOWN)


def _of_body(place: str, member: Mapping[str, Any]) -> Iterator[Problem]:
    if not is_optional(member):
        yield place, "a body field is nullable with default null"
    for defined in named_types(member["type"]):
        if defined["type"] == "record" and not defined.get("x-leaf"):
            for inner in defined["fields"]:
                if not is_optional(inner):
                    yield (
                        f"{fullname(defined)}.{inner['name']}",
                        ("a body field is nullable with default null"),
                    )
