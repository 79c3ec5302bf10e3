"""The slow twin's way of telling branches apart."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec import avro
from broker.codec.catalogue import load_catalogue
from broker.codec.reference_unions import tag_unions
from tests.strategies_avro import RandomEvent, random_events, write

UNION = ["int", "null", "long", {"type": "array", "items": ["null", "string"]}]
PROBE = {
    "type": "record",
    "name": "Probe",
    "namespace": "t",
    "fields": [{"name": "only", "type": UNION}],
}


def test_a_tagged_union_tells_an_int_from_a_long() -> None:
    """The bytes are the same; what is read says which branch it was, null not counted."""
    tagged = tag_unions(PROBE)

    read = [avro.decode(tagged, data)["only"] for data in (b"\x00\x0a", b"\x02", b"\x04\x0a")]

    assert read == [{"branch_0": 5}, None, {"branch_1": 5}]


def test_the_catalogue_needs_no_tags() -> None:
    """Every union of the real events is a type or null."""
    for event in load_catalogue().events.values():
        assert tag_unions(event.schema) == event.schema


@given(random_events(), st.integers(0, 2**32))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_tags_take_no_room(probe: RandomEvent, seed: int) -> None:
    """What is read with tags is written with tags to the same bytes."""
    tagged: Any = tag_unions(probe.event.schema)
    data = write(probe.event.schema, seed)

    assert avro.encode(tagged, avro.decode(tagged, data)) == data
