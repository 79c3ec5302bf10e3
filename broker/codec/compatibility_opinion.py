"""Asks Apache's own implementation whether two schemas can read each other; for checks only."""

import json

from broker.codec.catalogue import Catalogue
from broker.codec.catalogue_files import Problem, Schema


def is_available() -> bool:
    """Tell whether Apache's `avro` package is installed; it is a development dependency."""
    try:
        import avro.compatibility  # noqa: F401
    except ImportError:
        return False
    return True


def find_disagreements(previous: Catalogue, current: Catalogue) -> list[Problem]:
    """List events whose old readers cannot read new bytes, or the other way round."""
    problems: list[Problem] = []
    for event_type in sorted(previous.events.keys() & current.events.keys()):
        old, new = previous.event(event_type).schema, current.event(event_type).schema
        problems += [(event_type, f"old reader, new writer: {why}") for why in _why_not(old, new)]
        problems += [(event_type, f"new reader, old writer: {why}") for why in _why_not(new, old)]
    return problems


def _why_not(reader: Schema, writer: Schema) -> list[str]:
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
    from avro.schema import parse

    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(
        reader=parse(json.dumps(reader)), writer=parse(json.dumps(writer))
    )
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    return sorted(str(message) for message in result.messages) or ["not compatible"]
