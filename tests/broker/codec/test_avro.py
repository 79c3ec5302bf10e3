"""Avro, read and written strictly."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import avro.io
import avro.schema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec import avro as codec
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import MalformedMessageError
from tests.strategies import event_types, events, schemas_with_values

SECRET = "Jane Testperson"

big_values = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)


def field(avro_type: Any, **more: Any) -> dict[str, Any]:
    """A record with one field."""
    member = {"name": "only", "type": avro_type, **more}
    return {"type": "record", "name": "Probe", "namespace": "t", "fields": [member]}


def problems_of(schema: Any, data: bytes) -> list[tuple[str, str]]:
    """What the codec says against these bytes."""
    with pytest.raises(MalformedMessageError) as refused:
        codec.decode(schema, data)
    return list(refused.value.problems)


def misfits_of(schema: Any, native: Any) -> list[tuple[str, str]]:
    """What the codec says against this value."""
    with pytest.raises(MalformedMessageError) as refused:
        codec.encode(schema, native)
    return list(refused.value.problems)


@big_values
@given(schemas_with_values())
def test_what_is_written_is_read_back(case: tuple[Any, Any]) -> None:
    """Any value of any schema survives."""
    schema, native = case

    assert codec.decode(schema, codec.encode(schema, native)) == native


@big_values
@given(schemas_with_values())
def test_apaches_own_reader_reads_the_same(case: tuple[Any, Any]) -> None:
    """An independent implementation finds the same value in our bytes."""
    schema, native = case
    data = codec.encode(schema, native)
    reader = avro.io.DatumReader(avro.schema.parse(json.dumps(schema)))

    assert reader.read(avro.io.BinaryDecoder(io.BytesIO(data))) == native


@settings(parent=big_values, max_examples=30)
@given(st.data())
def test_events_of_the_catalogue_survive(data: st.DataObject) -> None:
    """Every event of the real catalogue can be written and read."""
    event = load_catalogue().event(data.draw(event_types))
    native = data.draw(events(event.event_type))

    assert codec.decode(event.schema, codec.encode(event.schema, native)) == native


@big_values
@given(schemas_with_values(), st.data())
def test_a_truncated_value_is_refused(case: tuple[Any, Any], draw: st.DataObject) -> None:
    """No prefix of a value is a value."""
    schema, native = case
    data = codec.encode(schema, native)
    if data:
        cut = data[: draw.draw(st.integers(0, len(data) - 1))]

        assert problems_of(schema, cut)


@big_values
@given(schemas_with_values(), st.binary(min_size=1, max_size=4))
def test_bytes_after_the_end_are_refused(case: tuple[Any, Any], more: bytes) -> None:
    """What follows a value is not passed over."""
    schema, native = case
    data = codec.encode(schema, native)

    assert problems_of(schema, data + more) == [("$", "bytes follow the end of the value")]
    assert codec.decode_first(schema, b"xx" + data + more, 2) == (native, 2 + len(data))


@big_values
@given(schemas_with_values(), st.data())
def test_damaged_bytes_are_refused_or_mean_something_else(
    case: tuple[Any, Any], draw: st.DataObject
) -> None:
    """Whatever is read from damaged bytes fits the schema; everything else is one clear refusal."""
    schema, native = case
    data = bytearray(codec.encode(schema, native))
    for at, byte in draw.draw(st.dictionaries(st.integers(0, 200), st.integers(0, 255))).items():
        if at < len(data):
            data[at] = byte
    try:
        found = codec.decode(schema, bytes(data))
    except MalformedMessageError:
        return

    codec.encode(schema, found)


@pytest.mark.parametrize(
    ("avro_type", "data", "rule"),
    [
        (["null", "string"], b"\x04", "union index out of range"),
        (["null", "string"], b"\x01", "union index out of range"),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, b"\x02", "enum ordinal out of range"),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, b"\x01", "enum ordinal out of range"),
        ("boolean", b"\x02", "boolean is neither 0 nor 1"),
        ("string", b"\x01", "negative length"),
        ("string", b"\x02\xff", "not valid UTF-8"),
        ("bytes", b"\x08abc", "ends too early"),
        ("double", b"1234567", "ends too early"),
        ("long", b"", "ends too early"),
        ("long", b"\x80\x00", "number is not in its shortest form or too large"),
        ("long", b"\xff" * 9 + b"\x02", "number is not in its shortest form or too large"),
        ("long", b"\xff" * 10, "number is too long"),
        ("int", b"\x80\x80\x80\x80\x10", "int does not fit 32 bits"),
        ({"type": "long", "logicalType": "timestamp-micros"}, b"\xfe" + b"\xff" * 8 + b"\x01",
         "timestamp out of range"),
        ({"type": "fixed", "name": "F", "size": 3}, b"ab", "ends too early"),
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\x07", "too many items"),
        ({"type": "array", "items": "int"}, b"\x01\x04\x02\x00", "block is not as long as it says"),
    ],
)  # fmt: skip
def test_each_broken_construct_is_named(avro_type: Any, data: bytes, rule: str) -> None:
    """Lengths, indices, ordinals and numbers out of range are refused with path and rule."""
    path, found = problems_of(field(avro_type), data)[0]

    assert found == rule
    assert path.startswith("$.only")


def test_blocks_with_their_size_in_bytes_are_read() -> None:
    """A negative count with the size of the block is Avro as well."""
    schema = field({"type": "array", "items": "int"})

    assert codec.decode(schema, b"\x03\x04\x02\x04\x02\x06\x00") == {"only": [1, 2, 3]}


def test_path_leads_into_arrays_and_records() -> None:
    """A misfit deep inside is found by its indices and names."""
    inner = field("boolean") | {"name": "Inner"}
    schema = field({"type": "array", "items": inner})

    assert problems_of(schema, b"\x04\x01\x07\x00")[0][0] == "$.only[1].only"
    assert misfits_of(schema, {"only": [{"only": True}, {"only": 1}]})[0][0] == "$.only[1].only"


def test_endless_nesting_is_refused() -> None:
    """A recursive type cannot be used to exhaust the stack."""
    schema = field(["null", "t.Probe"])

    assert problems_of(schema, b"\x02" * 5000)[0][1] == "nested too deeply"


@pytest.mark.parametrize(
    ("avro_type", "value"),
    [
        ("string", 7),
        ("string", "\ud800"),
        ("int", 2**31),
        ("int", True),
        ("long", SECRET),
        ("boolean", SECRET),
        ("bytes", SECRET),
        ("double", SECRET),
        (["null", "string"], [SECRET]),
        (["string", "long"], [SECRET]),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, SECRET),
        ({"type": "fixed", "name": "F", "size": 3}, SECRET.encode()),
        ({"type": "array", "items": "string"}, SECRET),
        ({"type": "map", "values": "int"}, {SECRET: SECRET}),
        ({"type": "long", "logicalType": "timestamp-micros"}, datetime(2026, 1, 1)),  # noqa: DTZ001 - that is the fault
        ({"type": "record", "name": "R", "fields": []}, {SECRET: 1}),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_place_only(avro_type: Any, value: Any) -> None:
    """The error says where and which rule, and never what stood there."""
    path, rule = misfits_of(field(avro_type), {"only": value})[0]

    assert path.startswith("$.only")
    assert SECRET not in f"{path} {rule}"


def test_a_missing_field_counts_as_its_default() -> None:
    """Fields with a default may be left out; others may not."""
    optional = field(["null", "string"], default=None)

    assert codec.encode(optional, {}) == codec.encode(optional, {"only": None})
    assert misfits_of(field("string"), {}) == [("$", "field `only` is missing")]


def test_an_old_reader_takes_new_bytes() -> None:
    """A field that the reader does not know is passed over; one it misses becomes the default."""
    old = field("string")
    new = {
        **old,
        "fields": [*old["fields"], {"name": "x", "type": ["null", "int"], "default": None}],
    }

    assert codec.read_as(new, old, codec.encode(new, {"only": "a", "x": 1})) == {"only": "a"}
    assert codec.read_as(old, new, codec.encode(old, {"only": "a"})) == {"only": "a", "x": None}


def test_times_keep_their_microseconds() -> None:
    """A time is read back as the same instant in UTC."""
    schema = field({"type": "long", "logicalType": "timestamp-micros"})
    time = datetime(2026, 11, 22, 14, 2, 11, 123456, UTC)

    assert codec.decode(schema, codec.encode(schema, {"only": time})) == {"only": time}
