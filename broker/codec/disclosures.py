"""
The records of `disclosures` and `held`, and the hash chain that seals them.

A disclosure is written as frame, chain, rest: `chain` is SHA-256 over the rest, and the rest begins
with the chain of the record before. Whoever changes, drops or swaps a record breaks every later one.
Paths and keyed digests only: no value of an event ever stands here (the held event itself does, in
`held`, which is restricted like `events`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, Final

from broker.codec import avro, wire
from broker.codec.catalogue_files import read_types
from broker.domain.errors import MalformedMessageError
from broker.resources import schemas_folder

GENESIS: Final = bytes(32)
"""What the first record of a partition has for `previous`; also: no such digest."""

CHAIN_BYTES: Final = 32
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
CONTINUES: Final = 0x80
"""The bit that says another byte of a number follows."""

SHORT: Final = tuple(bytes((size << 1,)) for size in range(64))
"""Lengths that take one byte."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One disclosure without its frame, and the chain value that the next one builds on."""

    record: bytes
    chain: bytes


@cache
def _records() -> dict[str, Any]:
    return read_types(schemas_folder() / "records")


def disclosure_schema() -> dict[str, Any]:
    """Return the schema of `crisis.records.Disclosure`."""
    found: dict[str, Any] = _records()["crisis.records.Disclosure"]
    return found


def held_schema() -> dict[str, Any]:
    """Return the schema of `crisis.records.Held`."""
    found: dict[str, Any] = _records()["crisis.records.Held"]
    return found


def encode_plan(plan: Mapping[str, Any] | None) -> bytes:
    """Encode the constant part of a disclosure once; None for a route without an agreement."""
    if plan is None:
        return b"\x00"
    schema = disclosure_schema()["fields"][-1]["type"][1]
    return b"\x02" + avro.encode(schema, plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What differs from one disclosure to the next; see `crisis.records.Disclosure`."""

    event_id: str
    referral_id: str
    event_type: str
    sender: str
    recipient: str
    purpose: str
    outcome: str
    reason: str
    decided_at: datetime
    source_partition: int
    source_offset: int
    release_id: str
    supersedes: str
    content_digest: bytes
    event_digest: bytes
    view_digest: bytes


def seal(previous: bytes, head: Head, encoded_plan: bytes) -> Sealed:
    """Encode one disclosure behind *previous* (a chain value, or GENESIS)."""
    rest = _encode_head(previous, head) + encoded_plan
    chain = sha256(rest).digest()
    return Sealed(chain + rest, chain)


def _encode_head(previous: bytes, head: Head) -> bytes:
    # By hand, field by field in the order of the schema: a quarter of what the general encoder
    # takes, once for each view. A test holds it to the general encoder.
    return b"".join(
        (
            previous,
            _text(head.event_id),
            _text(head.referral_id),
            _word(head.event_type),
            _word(head.sender),
            _word(head.recipient),
            _word(head.purpose),
            _long(_outcomes()[head.outcome]),
            _word(head.reason),
            _instant(head.decided_at),
            _long(head.source_partition),
            _long(head.source_offset),
            _text(head.release_id),
            _text(head.supersedes),
            head.content_digest,
            head.event_digest,
            head.view_digest,
        )
    )


@cache
def _outcomes() -> Mapping[str, int]:
    field = next(f for f in disclosure_schema()["fields"] if f["name"] == "outcome")
    return {symbol: ordinal for ordinal, symbol in enumerate(field["type"]["symbols"])}


def _text(text: str) -> bytes:
    raw = text.encode()
    size = len(raw)
    return (SHORT[size] if size < len(SHORT) else _long(size)) + raw


_word = lru_cache(maxsize=1024)(_text)
"""For words of closed sets, which come again with every event."""


@lru_cache(maxsize=8)
def _instant(instant: datetime) -> bytes:
    return _long((instant - EPOCH) // MICROSECOND)


def _long(number: int) -> bytes:
    # Avro's zigzag varint; the numbers here are never negative.
    number <<= 1
    if number < CONTINUES:
        return bytes((number,))
    out = bytearray()
    while number >= CONTINUES:
        out.append(number & (CONTINUES - 1) | CONTINUES)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_disclosure(value: bytes) -> Mapping[str, Any]:
    """Decode one disclosure; raises MalformedMessageError if it is not one."""
    _, position = wire.unframe(value)
    found: Mapping[str, Any] = avro.decode(disclosure_schema(), value[position:])
    return found


def encode_held(held: Mapping[str, Any]) -> bytes:
    """Encode one record of `held`, without its frame."""
    return avro.encode(held_schema(), held)


def read_held(value: bytes) -> Mapping[str, Any]:
    """Decode one record of `held`; raises MalformedMessageError if it is not one."""
    _, position = wire.unframe(value)
    found: Mapping[str, Any] = avro.decode(held_schema(), value[position:])
    return found


def chain_of(value: bytes) -> bytes:
    """Return the chain value of an encoded disclosure without decoding it."""
    _, position = wire.unframe(value)
    return value[position : position + CHAIN_BYTES]


def breaks(values: Iterable[bytes], previous: bytes | None = GENESIS) -> Iterator[int]:
    """
    Yield the place of every record that does not fit the one before or its own seal.

    Args:
        values: Encoded disclosures of one partition, in order.
        previous: Chain value before the first; None if unknown (the beginning has expired).
    """
    for place, value in enumerate(values):
        try:
            _, position = wire.unframe(value)
        except MalformedMessageError:
            yield place
            previous = None
            continue
        chain, rest = value[position : position + CHAIN_BYTES], value[position + CHAIN_BYTES :]
        linked = previous is None or rest[:CHAIN_BYTES] == previous
        if not linked or sha256(rest).digest() != chain:
            yield place
        previous = chain
