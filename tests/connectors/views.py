"""Views for tests of connectors: random ones of the real view schemas, and full ones."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.codec.catalogue_files import named_types
from broker.codec.views import schema_of_view
from connectors.contract import Target, View
from tests.strategies import values_of

TARGET = Target(
    recipient="northvale-crisis",
    address="https://fhir.nhs.uk/id/dos-service-id|1122334455",
    sender_address="https://fhir.nhs.uk/id/dos-service-id|5544332211",
    secret=b"signing key of nobody",
    key_id="k1",
)
NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
REQUEST_ID = "b" * 32


@cache
def view_schemas() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Event type and schema of every view that an agreement can give, and of whole events."""
    return tuple(_view_schemas())


def _view_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    catalogue, book = load_catalogue(), load_book(None, load_catalogue())
    for route in book.routes():
        for event_type, event in catalogue.events.items():
            for plan in book.plans(*route, event):
                if not plan.held_because:
                    yield (
                        event_type,
                        schema_of_view(
                            event, plan.released, recipient=route.recipient, purpose=route.purpose
                        ),
                    )
    for event_type, event in catalogue.events.items():
        everything = dict.fromkeys(event.leaves)
        yield event_type, schema_of_view(event, everything, recipient="anybody", purpose="any")


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view of any agreement, with any values."""
    event_type, schema = draw(st.sampled_from(view_schemas()))
    native = draw(values_of(schema))
    return _view(event_type, native, late=draw(st.booleans()))


def full_view(event_type: str, **manifest: Any) -> View:
    """A view that holds everything; every text is one that occurs nowhere else."""
    schema = dict(view_schemas()[::-1])[event_type]
    for found, candidate in view_schemas():
        if found == event_type:
            schema = candidate
    numbers = iter(range(10_000))
    named = {f"{each['namespace']}.{each['name']}": each for each in named_types(schema)}
    native = _filled(schema, named, numbers, "")
    native["manifest"] |= {"complete": True, "purpose": "crisis-response", **manifest}
    return _view(event_type, native, late=False)


def texts(value: Any) -> Iterator[str]:
    """Every text in a native value."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def _view(event_type: str, native: dict[str, Any], *, late: bool) -> View:
    return View(
        event_type=event_type,
        envelope={**native["envelope"], "event_type": event_type},
        manifest=native["manifest"],
        body=native["body"],
        late=late,
    )


def _filled(schema: Any, named: dict[str, Any], numbers: Iterator[int], name: str) -> Any:  # noqa: PLR0911 - one for each kind of type
    if isinstance(schema, list):
        return _filled(schema[-1], named, numbers, name)
    if isinstance(schema, str) and schema in named:
        return _filled(named[schema], named, numbers, name)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "record":
        return {
            each["name"]: _filled(each["type"], named, numbers, each["name"])
            for each in schema["fields"]
        }
    if kind == "array":
        return [_filled(schema["items"], named, numbers, name) for _ in range(2)]
    if kind == "enum":
        return schema["symbols"][-1]
    if isinstance(schema, dict) and schema.get("logicalType") == "timestamp-micros":
        return NOW
    if kind == "string":
        return "+00:00" if name == "offset" else f"canary-{next(numbers):04d}-{name}"
    return {"boolean": True, "int": 7, "long": 7, "double": 1.5, "null": None}[kind]
