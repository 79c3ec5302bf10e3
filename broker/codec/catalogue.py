"""
The catalogue: every event's schema, and every leaf an agreement can name.

It is read from a folder of `.avsc` files (schemas/README.md) and never changes afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from broker.codec.catalogue_files import Problem, Schema, find_file_problems, read_types
from broker.codec.catalogue_inline import inline
from broker.codec.catalogue_leaves import ENVELOPE, Leaf, find_leaves
from broker.domain.errors import ConfigurationError, UnknownSchemaError
from broker.resources import schemas_folder

__all__ = ["Catalogue", "EventSchema", "Leaf", "Schema", "find_problems", "load_catalogue"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventSchema:
    """
    One event: its schema and its leaves.

    Attributes:
        event_type: e.g. ``referral_made``; a symbol of `crisis.types.EventType`.
        fullname: e.g. ``crisis.events.ReferralMade``.
        schema: Self-contained Avro JSON: each named type stands where it is first used.
        leaves: By path, in canonical order; of the body only.
        envelope_leaves: The same of the envelope; no agreement names these.
    """

    event_type: str
    fullname: str
    schema: Schema
    leaves: Mapping[str, Leaf]
    envelope_leaves: Mapping[str, Leaf]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalogue:
    """
    All events and named types.

    Attributes:
        events: By event type, sorted.
        types: Every named type, by full name; self-contained as well.
    """

    events: Mapping[str, EventSchema]
    types: Mapping[str, Schema]

    def event(self, event_type: str) -> EventSchema:
        """
        Return the schema of one event type.

        Raises:
            UnknownSchemaError: There is no such event.
        """
        try:
            return self.events[event_type]
        except KeyError:
            raise UnknownSchemaError("no event of this type in the catalogue") from None

    def type_schema(self, fullname: str) -> Schema:
        """
        Return the self-contained schema of a named type, e.g. ``crisis.types.Manifest``.

        Raises:
            UnknownSchemaError: There is no such type.
        """
        try:
            return self.types[fullname]
        except KeyError:
            raise UnknownSchemaError(f"no type `{fullname}` in the catalogue") from None


def load_catalogue(root: Path | None = None) -> Catalogue:
    """
    Read the catalogue from *root*; None means the schemas of this installation, read once.

    Raises:
        ConfigurationError: Names every fault of every file, not just the first.
    """
    return _installed_catalogue() if root is None else _load(root)


def find_problems(root: Path) -> list[Problem]:
    """List everything that is wrong with the catalogue in *root*, as (place, rule)."""
    problems = find_file_problems(root)
    if problems:
        return problems
    types = read_types(root / "types")
    for fullname, schema in read_types(root / "events").items():
        problems += find_leaves(schema, types).problems
        if "x-event-type" not in schema:
            problems.append((fullname, "no x-event-type"))
    return list(dict.fromkeys(problems))


@cache
def _installed_catalogue() -> Catalogue:
    return _load(schemas_folder())


def _load(root: Path) -> Catalogue:
    problems = find_problems(root)
    if problems:
        raise ConfigurationError("; ".join(f"{rule} @ {place}" for place, rule in problems))
    types = read_types(root / "types")
    events = read_types(root / "events")
    found = (_event(name, schema, types) for name, schema in events.items())
    by_type = {event.event_type: event for event in sorted(found, key=lambda e: e.event_type)}
    return Catalogue(
        events=MappingProxyType(by_type),
        types=MappingProxyType({name: inline(schema, types) for name, schema in types.items()}),
    )


def _event(fullname: str, schema: Schema, types: Mapping[str, Schema]) -> EventSchema:
    leaves = find_leaves(schema, types).leaves
    inside = f"{ENVELOPE}."
    return EventSchema(
        event_type=schema["x-event-type"],
        fullname=fullname,
        schema=inline(schema, types),
        leaves=MappingProxyType({p: f for p, f in leaves.items() if not p.startswith(inside)}),
        envelope_leaves=MappingProxyType(
            {p.removeprefix(inside): f for p, f in leaves.items() if p.startswith(inside)}
        ),
    )
