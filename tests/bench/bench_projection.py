"""
The projection against the obvious way: decode with fastavro, filter the dicts, encode again.

Both make the same bytes from the same event. Runs are interleaved and medians compared, so that a
busy machine slows both; the ratio is what counts. The obvious way checks nothing, the projection
checks every length, index, ordinal and text.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import fastavro

from broker.codec import avro
from broker.codec.catalogue import EventSchema, load_catalogue
from broker.codec.views import ViewCodec, compile_view
from tests.referral_in_full import REFERRAL_IN_FULL

GOAL = 10.0
ROUNDS = 31
CALLS = 40

WITHHELD = (
    "informant.",
    "third_parties.",
    "attachments.",
    "unmapped",
    "incident.log",
    "incident.opening_code",
    "incident.final_codes",
    "incident.linked_incidents",
    "offence.history",
    "dependants.children.",
    "safety_warnings.source",
    "safety_warnings.basis",
    "subject.contact.protected_address",
    "staff.officer_ref",
    "staff.supervisor_ref",
    "staff.operator_ref",
)
"""What a crisis team is not told."""

Run = Callable[[bytes], bytes]


def rows() -> list[dict[str, Any]]:
    """Measure full and short events against the obvious way, and against decoding alone."""
    event = load_catalogue().event("referral_made")
    view = crisis_view(event)
    full = avro.encode(event.schema, REFERRAL_IN_FULL)
    short = avro.encode(event.schema, short_referral())
    obvious, decode = obvious_way(event, view), only_decode(event)
    if obvious(full) != _joined(view)(full):
        message = "the two ways differ"
        raise AssertionError(message)
    project = _joined(view)
    return [
        _row(
            "projection, full event: times as fast as decode, filter, encode", obvious, view, full
        ),
        _row(
            "projection, short event: times as fast as decode, filter, encode", obvious, view, short
        ),
        _row(
            "projection, full event: times as fast as decoding alone", decode, view, full, goal=3.0
        ),
        _micros("projection, full event: microseconds", project, full),
        _micros("projection, short event: microseconds", project, short),
    ]


def crisis_view(event: EventSchema) -> ViewCodec:
    """Compile the view of a crisis team: nearly everything but what concerns others."""
    released = {path: None for path in event.leaves if not path.startswith(WITHHELD)}
    return compile_view(event, released, recipient="northvale-crisis", purpose="crisis-response")


def short_referral() -> dict[str, Any]:
    """A referral in which most sections are absent."""
    kept = ("envelope", "routing", "subject", "risk", "handover_summary")
    return {name: value if name in kept else None for name, value in REFERRAL_IN_FULL.items()}


def obvious_way(event: EventSchema, view: ViewCodec) -> Run:
    """Make the same bytes by decoding, filtering and encoding, as fast as that goes."""
    parsed = fastavro.parse_schema(event.schema)
    shape = {field["name"]: field["type"] for field in view.schema["fields"]}
    named: dict[str, Any] = {}
    keep = {part: _filter(shape[part], named) for part in ("envelope", "body")}
    # Without its middle a view is still one record; its types stand where they did before.
    fields = [field for field in view.schema["fields"] if field["name"] != "manifest"]
    halves = fastavro.parse_schema({**view.schema, "fields": fields})

    def run(data: bytes) -> bytes:
        native = fastavro.schemaless_reader(BytesIO(data), parsed, None)
        kept = {"envelope": keep["envelope"](native["envelope"]), "body": keep["body"](native)}
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, halves, kept)
        return buffer.getvalue()

    return run


def only_decode(event: EventSchema) -> Run:
    """Decode and do nothing else."""
    parsed = fastavro.parse_schema(event.schema)

    def run(data: bytes) -> bytes:
        fastavro.schemaless_reader(BytesIO(data), parsed, None)
        return b""

    return run


def _filter(schema: Any, named: dict[str, Any]) -> Callable[[Any], Any]:
    """Compile a schema of the view into a function that cuts a native value down to it."""
    if isinstance(schema, list):
        inner = _filter(schema[1], named)
        return lambda value: None if value is None else inner(value)
    if isinstance(schema, str):
        return named.get(schema, _same)
    if schema["type"] == "array":
        item = _filter(schema["items"], named)
        return _same if item is _same else (lambda value: [item(each) for each in value])
    return _filter_record(schema, named) if schema["type"] == "record" else _same


def _filter_record(schema: Mapping[str, Any], named: dict[str, Any]) -> Callable[[Any], Any]:
    fields = [(field["name"], _filter(field["type"], named)) for field in schema["fields"]]
    if "crisis.view." not in schema["namespace"]:
        return _same
    return lambda value: {name: inner(value[name]) for name, inner in fields}


def _same(value: Any) -> Any:
    return value


def _joined(view: ViewCodec) -> Run:
    return lambda data: b"".join(view.project(data, 0))


def _row(
    figure: str, other: Run, view: ViewCodec, data: bytes, *, goal: float = GOAL
) -> dict[str, Any]:
    slow, fast = _medians([other, _joined(view)], data)
    ratio = round(slow / fast, 1)
    return {"figure": figure, "value": ratio, "goal": f">= {goal:g}", "met": ratio >= goal}


def _micros(figure: str, run: Run, data: bytes) -> dict[str, Any]:
    micros = round(_medians([run], data)[0] * 1e6, 1)
    return {"figure": figure, "value": micros, "goal": "(for scale)", "met": True}


def _medians(runs: Sequence[Run], data: bytes) -> list[float]:
    """Return the median seconds per call of each, measured in turns."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for run, found in zip(runs, seconds, strict=True):
            begin = time.perf_counter()
            for _ in range(CALLS):
                run(data)
            found.append((time.perf_counter() - begin) / CALLS)
    return [statistics.median(found) for found in seconds]
