"""The projection of the real events."""

import copy
import io
import json
import random
from collections.abc import Mapping
from typing import Any

import avro.io
import avro.schema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec import avro as codec
from broker.codec.catalogue import EventSchema, load_catalogue
from broker.codec.views import ViewCodec, compile_view
from broker.domain.errors import MalformedMessageError
from broker.domain.reductions import Reduction
from tests.referral_in_full import REFERRAL_IN_FULL
from tests.strategies import event_types, events
from tests.view_leaves import can_be_seen, event_leaves, view_leaves, whole_view

CATALOGUE = load_catalogue()
MADE = CATALOGUE.event("referral_made")

thorough = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def compiled(event: EventSchema, released: Any) -> ViewCodec:
    """Compile a view; *released* may be paths alone."""
    if not isinstance(released, Mapping):
        released = dict.fromkeys(released)
    return compile_view(event, released, recipient="northvale-crisis", purpose="crisis-response")


@st.composite
def plans(draw: st.DrawFn) -> tuple[EventSchema, dict[str, Reduction | None], Any]:
    """An event type, what is released of it, and an event."""
    event = CATALOGUE.event(draw(event_types))
    paths = sorted(event.leaves)
    few = draw(st.booleans())
    chosen = draw(st.sets(st.sampled_from(paths), max_size=len(paths) // (4 if few else 1)))
    released: dict[str, Reduction | None] = dict.fromkeys(
        sorted(chosen if few else {*paths} - chosen)
    )
    for path in released:
        leaf = event.leaves[path]
        kind = {"type": "array"} if leaf.is_length else leaf.avro_type
        fitting = [each for each in Reduction if each.applies_to(kind)]
        if draw(st.integers(0, 4)) == 0:
            released[path] = draw(st.sampled_from(fitting))
    return event, released, draw(events(event.event_type))


@given(plans())
@thorough
def test_both_ways_and_two_libraries_agree(drawn: Any) -> None:
    """Real events take the fast way; the twin, fastavro and Apache's library agree on the view."""
    event, released, native = drawn
    view = compiled(event, released)
    data = codec.encode(event.schema, native)

    fast = view._projection.try_project(data, 0)

    assert fast is not None
    assert fast == view.reference(data, 0)
    whole = whole_view(fast)
    reader = avro.io.DatumReader(avro.schema.parse(json.dumps(view.schema)))
    read = reader.read(avro.io.BinaryDecoder(io.BytesIO(whole)))
    assert read == codec.decode(view.schema, whole)


@given(plans())
@thorough
def test_a_view_shows_what_is_released_and_nothing_else(drawn: Any) -> None:
    """Leaf by leaf, the view holds the released values of the event."""
    event, released, native = drawn
    paths = list(released)
    view = compiled(event, paths)
    data = codec.encode(event.schema, native)

    shown = view_leaves(view, whole_view(view.project(data, 0)))

    assert shown == {
        (key, value)
        for key, path, value in event_leaves(event, data, event.leaves)
        if can_be_seen(path, paths, event.leaves)
    }


@given(plans(), st.data())
@thorough
def test_what_is_withheld_changes_no_byte(drawn: Any, data: st.DataObject) -> None:
    """Take every withheld value from another event, containers and lengths too: the same bytes."""
    event, released, native = drawn
    other = data.draw(events(event.event_type))
    view = compiled(event, released)
    mixed = {"envelope": native["envelope"], **mix(event, released, native, other)}
    mixed["envelope"] = {**native["envelope"], "correlation_id": "another", "findings": []}

    views = [view.project(codec.encode(event.schema, each), 0) for each in (native, mixed)]

    assert views[0] == views[1]


@given(st.integers(0, 2**32), st.sets(st.sampled_from(sorted(MADE.leaves))))
@thorough
def test_no_withheld_text_ever_gets_out(seed: int, withheld: set[str]) -> None:
    """Every text of an event is a canary; those that come out are those that were released."""
    native = copy.deepcopy(REFERRAL_IN_FULL)
    canaries: dict[str, set[str]] = {}
    rng = random.Random(seed)
    for name in native:
        if name != "envelope":
            native[name] = sing(native[name], name, canaries, rng)
    released = [path for path in MADE.leaves if path not in withheld]
    view = compiled(MADE, released)

    out = b"".join(view.project(codec.encode(MADE.schema, native), 0))

    for path, songs in canaries.items():
        is_seen = can_be_seen(path, released, MADE.leaves)
        assert {song for song in songs if song.encode() in out} == (songs if is_seen else set())


@given(plans(), st.integers(0, 2**32))
@thorough
def test_damaged_events_are_refused_or_read_alike(drawn: Any, seed: int) -> None:
    """Nothing but a refusal comes of broken bytes, and nothing gets out that the twin withholds."""
    event, released, native = drawn
    view = compiled(event, released)
    data = bytearray(codec.encode(event.schema, native))
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.choice([0, 1, 2, 4, 0x80, 0xFF, rng.randrange(256)])

    answers = []
    for way in (view.project, view.reference):
        try:
            answers.append(way(bytes(data), 0))
        except MalformedMessageError:
            answers.append(None)

    assert answers[0] == answers[1]


def test_an_informant_who_is_not_named_is_not_there() -> None:
    """With only the relationship released, an anonymous informant leaves the view as without one."""
    view = compiled(MADE, ["informant.relationship", "handover_summary"])
    named = {**REFERRAL_IN_FULL["informant"], "relationship": None}
    bodies = [
        view.project(codec.encode(MADE.schema, {**REFERRAL_IN_FULL, "informant": each}), 0)[1]
        for each in (named, None)
    ]

    assert bodies[0] == bodies[1]


def test_a_protected_address_does_not_show_by_its_record() -> None:
    """A contact that holds nothing but a refuge's address looks like no contact."""
    contact = dict.fromkeys(REFERRAL_IN_FULL["subject"]["contact"])
    refuge = {"lines": ["1 Invented Refuge"], "postcode": None, "uprn": None}
    view = compiled(MADE, [each for each in MADE.leaves if not each.endswith("protected_address")])
    bodies = []

    for found in ({**contact, "protected_address": refuge}, contact, None):
        subject = {**REFERRAL_IN_FULL["subject"], "contact": found}
        event = {**REFERRAL_IN_FULL, "subject": subject}
        bodies.append(view.project(codec.encode(MADE.schema, event), 0)[1])

    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize("event_type", sorted(CATALOGUE.events))
def test_every_event_can_be_released_whole_or_not_at_all(event_type: str) -> None:
    """Both ends of what an agreement can say compile for every event."""
    event = CATALOGUE.event(event_type)

    everything, nothing = compiled(event, list(event.leaves)), compiled(event, [])

    assert len(everything.empty_body) == len(event.schema["fields"]) - 1
    assert nothing.empty_body == b""


def sing(value: Any, path: str, canaries: dict[str, set[str]], rng: random.Random) -> Any:
    """Replace every text by a canary and note under which leaf it stands."""
    leaf = MADE.leaves.get(path)
    if isinstance(value, str) and leaf and _is_enum(leaf.avro_type):
        return value
    if isinstance(value, str):
        song = f"canary-{rng.randbytes(8).hex()}"
        canaries.setdefault(path, set()).add(song)
        return song
    if isinstance(value, list):
        return [sing(each, path, canaries, rng) for each in value]
    if not isinstance(value, dict):
        return value
    if path in MADE.leaves:
        return {name: _sing_inside(name, each, path, canaries, rng) for name, each in value.items()}
    return {name: sing(each, f"{path}.{name}", canaries, rng) for name, each in value.items()}


def _sing_inside(
    name: str, value: Any, path: str, canaries: dict[str, set[str]], rng: random.Random
) -> Any:
    if isinstance(value, dict):
        return {n: _sing_inside(n, each, path, canaries, rng) for n, each in value.items()}
    if isinstance(value, list):
        return [_sing_inside(name, each, path, canaries, rng) for each in value]
    # These are enums inside leaves.
    fixed = (
        {"voice", "text", "letter"} if path.endswith("safe_to_contact") else {"kind", "reliability"}
    )
    is_enum = name in fixed and not path.endswith("phones") and not path.endswith("phone")
    return sing(value, path, canaries, rng) if isinstance(value, str) and not is_enum else value


def _is_enum(avro_type: Any) -> bool:
    schema = CATALOGUE.types.get(avro_type, avro_type) if isinstance(avro_type, str) else avro_type
    return isinstance(schema, Mapping) and schema["type"] == "enum"


def mix(event: EventSchema, released: Mapping[str, Any], one: Any, two: Any) -> dict[str, Any]:
    """Take what is released from the first event and the rest from the second."""
    return _mix_record(event, released, "", one, two)


def _mix_record(
    event: EventSchema, released: Mapping[str, Any], path: str, one: Any, two: Any
) -> dict[str, Any]:
    return {
        name: _mix_value(event, released, f"{path}{name}", one[name], two[name])
        for name in one
        if path or name != "envelope"
    }


def _mix_value(
    event: EventSchema, released: Mapping[str, Any], path: str, one: Any, two: Any
) -> Any:
    if path in event.leaves:
        return one if path in released else two
    if f"{path}.#" in event.leaves:
        return _mix_items(event, released, path, one, two)
    if one is None and two is None:
        return None
    names = one if two is None else two
    blank = dict.fromkeys(names)
    return _mix_record(event, released, f"{path}.", one or blank, two or blank)


def _mix_items(
    event: EventSchema, released: Mapping[str, Any], path: str, one: Any, two: Any
) -> Any:
    if f"{path}.#" not in released:
        return two
    if released[f"{path}.#"] is not None or not one:
        return one
    spares = [*(two or []), *[dict.fromkeys(one[0])] * len(one)]
    return [
        _mix_record(event, released, f"{path}.", item, spare)
        for item, spare in zip(one, spares, strict=False)
    ]
