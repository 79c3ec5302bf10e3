"""The projection of random schemas: nothing leaks, nothing vanishes, nothing else can be told."""

import io
import json
import random
from typing import Any

import avro.io
import avro.schema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec import avro as codec
from broker.codec.reference_unions import tag_unions
from broker.codec.views import ViewCodec, compile_view
from broker.domain.errors import MalformedMessageError
from broker.domain.reductions import Reduction
from tests.strategies_avro import RandomEvent, random_events, write
from tests.view_leaves import can_be_seen, event_leaves, view_leaves, whole_view

thorough = settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

seeds = st.integers(0, 2**32)


def compiled(probe: RandomEvent, released: Any) -> ViewCodec:
    """Compile a view of a random event."""
    return compile_view(probe.event, released, recipient="north-1", purpose="probe")


def some(draw: st.DrawFn, leaves: Any) -> list[str]:
    """Draw some of the leaves, in their order."""
    chosen = draw(st.sets(st.sampled_from(leaves))) if leaves else set()
    return [each for each in leaves if each in chosen]


@st.composite
def probes(draw: st.DrawFn) -> tuple[RandomEvent, dict[str, Reduction | None]]:
    """A random event type with some leaves released, a few of them reduced."""
    probe = draw(random_events())
    released: dict[str, Reduction | None] = dict.fromkeys(some(draw, probe.leaves))
    for path in released:
        how = draw(st.sampled_from(["whole", "whole", "whole", "reduced"]))
        if how == "reduced" and can_be_reduced(probe, path):
            count = path in probe.countable and draw(st.booleans())
            released[path] = Reduction.COUNT if count else Reduction.PRESENT
    return probe, released


def can_be_reduced(probe: RandomEvent, path: str) -> bool:
    """A branch of a union and the length of a map have no reduced form."""
    last = path.rpartition(".")[2]
    return path in probe.countable if last == "#" else last.startswith("f")


@given(st.data())
@thorough
def test_a_view_shows_what_is_released_and_nothing_else(data: st.DataObject) -> None:
    """Leaf by leaf, the view holds the released values of the event; none leaks, none vanishes."""
    probe = data.draw(random_events())
    released = some(data.draw, probe.leaves)
    view = compiled(probe, dict.fromkeys(released))
    event = write(probe.event.schema, data.draw(seeds))

    shown = view_leaves(view, whole_view(view.project(event, 0)))

    assert shown == {
        (key, value)
        for key, path, value in event_leaves(probe.event, event, probe.leaves)
        if can_be_seen(path, released, probe.leaves)
    }


@given(probes(), seeds, st.binary(max_size=5))
@thorough
def test_both_ways_give_the_same_bytes(
    drawn: tuple[RandomEvent, Any], seed: int, frame: bytes
) -> None:
    """What our encoder writes takes the fast way, and the slow twin agrees to the byte."""
    view = compiled(*drawn)
    data = frame + write(drawn[0].event.schema, seed)

    fast = view._projection.try_project(data, len(frame))

    assert fast is not None
    assert fast == view.reference(data, len(frame))


@given(probes(), seeds)
@thorough
def test_libraries_read_a_view_as_we_do(drawn: tuple[RandomEvent, Any], seed: int) -> None:
    """Apache's own library and fastavro decode every view to the same values."""
    view = compiled(*drawn)
    data = whole_view(view.project(write(drawn[0].event.schema, seed), 0))
    reader = avro.io.DatumReader(avro.schema.parse(json.dumps(view.schema)))
    buffer = io.BytesIO(data)

    read = reader.read(avro.io.BinaryDecoder(buffer))

    assert read == codec.decode(view.schema, data)
    assert buffer.tell() == len(data)


@given(probes(), seeds)
@thorough
def test_blocks_make_no_difference(drawn: tuple[RandomEvent, Any], seed: int) -> None:
    """However a writer spreads an array over blocks, the view has the bytes of the plain form."""
    probe, released = drawn
    view = compiled(probe, released)
    event = write(probe.event.schema, seed, blocks=True)
    schema = tag_unions(probe.event.schema)
    plain = codec.encode(schema, codec.decode(schema, event))

    assert view.project(event, 0) == view.project(plain, 0)


@given(st.data())
@thorough
def test_releasing_more_never_shows_less(data: st.DataObject) -> None:
    """Another released leaf can only add to a view."""
    probe = data.draw(random_events())
    more = some(data.draw, probe.leaves)
    less = some(data.draw, more)
    event = write(probe.event.schema, data.draw(seeds))
    shown = []

    for released in (less, more):
        view = compiled(probe, dict.fromkeys(released))
        shown.append(view_leaves(view, whole_view(view.project(event, 0))))

    assert shown[0] <= shown[1]


@given(probes(), seeds, seeds)
@thorough
def test_damaged_bytes_are_refused_or_read_alike(
    drawn: tuple[RandomEvent, Any], seed: int, damage: int
) -> None:
    """Whatever happens to the bytes, the fast way never accepts what the slow twin would not."""
    view = compiled(*drawn)
    data = damaged(write(drawn[0].event.schema, seed), random.Random(damage))

    fast = view._projection.try_project(data, 0)

    assert fast is None or fast == view.reference(data, 0)


@given(probes(), seeds)
@thorough
def test_cut_and_lengthened_bytes_are_refused(drawn: tuple[RandomEvent, Any], seed: int) -> None:
    """Every proper beginning of an event is refused, and so is an event with a byte behind it."""
    view = compiled(*drawn)
    data = write(drawn[0].event.schema, seed)
    cuts = range(0, len(data), 1 + len(data) // 40)

    for wrong in (*(data[:cut] for cut in cuts), data[:-1], data + b"\x00"):
        assert view._projection.try_project(wrong, 0) is None
        with pytest.raises(MalformedMessageError):
            view.project(wrong, 0)


@given(st.data())
@thorough
def test_what_is_withheld_changes_no_byte(data: st.DataObject) -> None:
    """Two events that differ in withheld values and lengths only have the same view."""
    probe, released = data.draw(probes())
    view = compiled(probe, released)
    schema = tag_unions(probe.event.schema)
    one, two = (codec.decode(schema, write(schema_of(probe), data.draw(seeds))) for _ in "ab")
    one["envelope"] = two["envelope"]
    mixed = Mixer(probe, released).mix(one, two)

    views = [view.project(codec.encode(schema, each), 0) for each in (one, mixed)]

    assert views[0] == views[1]


def schema_of(probe: RandomEvent) -> Any:
    """The schema of a random event."""
    return probe.event.schema


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Change a few bytes, swap, cut out or repeat a piece."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out) or 1)
        kind = rng.choice(["set", "set", "flip", "cut", "repeat", "insert"])
        if kind == "set":
            out[at : at + 1] = bytes([rng.choice([0, 1, 2, 4, 0x7F, 0x80, 0xFF])])
        elif kind == "flip":
            out[at : at + 1] = bytes([out[at] ^ (1 << rng.randrange(8))]) if out else b""
        elif kind == "cut":
            del out[at : at + rng.randint(1, 4)]
        elif kind == "repeat":
            out[at:at] = out[at : at + rng.randint(1, 4)]
        else:
            out[at:at] = rng.randbytes(rng.randint(1, 12))
    return bytes(out)


class CannotBeBlankError(Exception):
    """Something released in a container cannot be null."""


class Mixer:
    """Mixes two native events: what is released from the first, the rest from the second."""

    def __init__(self, probe: RandomEvent, released: Any) -> None:
        self._schema = probe.event.schema
        self._leaves = frozenset(probe.leaves)
        self._released = released

    def mix(self, one: Any, two: Any) -> Any:
        """Mix two events."""
        body = {**self._schema, "fields": self._schema["fields"][1:]}
        return self._record(body, one, two, "") | {"envelope": one["envelope"]}

    def _record(self, schema: Any, one: Any, two: Any, path: str) -> dict[str, Any]:
        return {
            (name := each["name"]): self._value(each["type"], one[name], two[name], f"{path}{name}")
            for each in schema["fields"]
        }

    def _value(self, schema: Any, one: Any, two: Any, path: str) -> Any:
        if path in self._leaves:
            return one if path in self._released else two
        if not self._has_released(path):
            return two
        kind = only_value(schema)
        if kind is None or two is None:
            return one
        if one is None:
            try:
                return self._blank(schema, two, path)
            except CannotBeBlankError:
                return None
        return self._inside(kind, one, two, path)

    def _inside(self, schema: Any, one: Any, two: Any, path: str) -> Any:
        if schema["type"] == "record":
            return self._record(schema, one, two, f"{path}.")
        if f"{path}.#" not in self._released:
            return two
        if self._released[f"{path}.#"] is not None:
            return one
        inner = schema.get("items", schema.get("values"))
        if isinstance(one, dict):
            spare = next(iter(two.values()), None)
            return {k: self._item(inner, v, two.get(k, spare), path) for k, v in one.items()}
        spares = [*two, *([two[0] if two else None] * len(one))]
        return [self._item(inner, v, spare, path) for v, spare in zip(one, spares, strict=False)]

    def _item(self, schema: Any, one: Any, two: Any, path: str) -> Any:
        # Whether an item is null is no leaf; but nothing released is in one that is blank.
        return self._value(schema, one, two, path) if self._has_released(path) else one

    def _blank(self, schema: Any, two: Any, path: str) -> Any:
        """Take the second value, with all that is released made null."""
        is_nullable = isinstance(schema, list) and "null" in schema
        if path in self._leaves:
            if path in self._released and not is_nullable:
                raise CannotBeBlankError
            return None if path in self._released else two
        if not self._has_released(path) or two is None:
            return two
        kind = only_value(schema)
        if kind is not None and kind["type"] == "record":
            return {
                each["name"]: self._blank(each["type"], two[each["name"]], f"{path}.{each['name']}")
                for each in kind["fields"]
            }
        if not is_nullable:
            raise CannotBeBlankError
        return None

    def _has_released(self, path: str) -> bool:
        return any(each.startswith(f"{path}.") for each in self._released)


def only_value(schema: Any) -> Any:
    """Return what a type is when it is not null; None if that can be several things."""
    if not isinstance(schema, list):
        return schema
    values = [each for each in schema if each != "null"]
    return values[0] if len(values) == 1 else None
