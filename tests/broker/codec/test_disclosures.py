"""Disclosures: the hand-written head, and the chain."""

from dataclasses import asdict
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from broker.codec import avro, wire
from broker.codec.disclosures import (
    GENESIS,
    Head,
    breaks,
    disclosure_schema,
    encode_plan,
    read_disclosure,
    seal,
)

digests = st.binary(min_size=32, max_size=32)
EARLIEST = datetime(2020, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone
heads = st.builds(
    Head,
    event_id=st.text(),
    referral_id=st.text(),
    event_type=st.text(),
    sender=st.text(),
    recipient=st.text(),
    purpose=st.text(),
    outcome=st.sampled_from(["released", "envelope_only", "held", "no_route", "unchanged"]),
    reason=st.text(max_size=300),
    decided_at=st.datetimes(min_value=EARLIEST, timezones=st.just(UTC)),
    source_partition=st.integers(0, 2**31 - 1),
    source_offset=st.integers(0, 2**62),
    release_id=st.text(),
    supersedes=st.text(),
    content_digest=digests,
    event_digest=digests,
    view_digest=digests,
)


@given(heads, digests)
def test_the_quick_encoder_agrees_with_the_general_one(head, previous):
    """What is written by hand is byte for byte what the schema says."""
    sealed = seal(previous, head, encode_plan(None))

    native = {**asdict(head), "chain": sealed.chain, "previous": previous, "plan": None}
    assert sealed.record == avro.encode(disclosure_schema(), native)
    assert dict(read_disclosure(wire.frame(7) + sealed.record)) == native


@given(st.lists(heads, min_size=2, max_size=6), st.data())
def test_any_change_breaks_the_chain(several, data):
    """Changing one byte, leaving one out or swapping two is found."""
    values, chain = [], GENESIS
    for head in several:
        sealed = seal(chain, head, encode_plan(None))
        values.append(wire.frame(7) + sealed.record)
        chain = sealed.chain
    place = data.draw(st.integers(0, len(values) - 2))
    byte = data.draw(st.integers(5, len(values[place]) - 1))
    changed = bytearray(values[place])
    changed[byte] ^= 1

    assert list(breaks(values)) == []
    assert list(breaks([*values[:place], bytes(changed), *values[place + 1 :]]))
    assert list(breaks(values[:place] + values[place + 1 :]))
    assert list(breaks(values[::-1]))
