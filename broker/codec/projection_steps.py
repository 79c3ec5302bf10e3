"""
What a generated projection calls where one byte is not enough.

Everything here accepts exactly what our own encoder writes: shortest numbers, one block, no
duplicate key. Anything else raises, and the projection leaves the event to its slow twin.
"""

from struct import Struct
from typing import Final

from broker.codec.avro_bytes import MAX_ITEMS
from broker.codec.avro_numbers import Position, read_int, read_long

ONE_BYTE_LENGTHS: Final = tuple(
    1 + (byte >> 1) if byte < 0x80 and not byte & 1 else 0 for byte in range(256)
)
"""By the byte that states a length: the length and that byte; 0 if one byte cannot state it."""

NULLABLE_LENGTHS: Final = tuple(size and size + 1 for size in ONE_BYTE_LENGTHS)
"""The same with the byte of the union before it."""

eight_bytes: Final = Struct("<Q").unpack_from
"""Reads eight bytes at a position as one little-endian word."""

CONTINUES: Final = 0x8080808080808080
SEVEN_CONTINUE: Final = 0x0080808080808080
"""Of such a word, the bits that say whether another byte of the number follows."""

_TIMESTAMPS: Final = range(-62_135_596_800_000_000, 253_402_300_800_000_000)
"""Microseconds; years 1 to 9999."""


class Doubt(Exception):  # noqa: N818 - a signal to take the slow way; never leaves the projection
    """These are not bytes as our own encoder writes them."""


def after_int(data: bytes, at: Position) -> Position:
    """Return the position after an int."""
    return read_int(data, at)[1]


def after_long(data: bytes, at: Position) -> Position:
    """Return the position after a long."""
    return read_long(data, at)[1]


def after_timestamp(data: bytes, at: Position) -> Position:
    """Return the position after a timestamp that a calendar can show."""
    micros, at = read_long(data, at)
    if micros not in _TIMESTAMPS:
        raise Doubt
    return at


def after_ordinal(data: bytes, at: Position, count: int) -> Position:
    """Return the position after an ordinal below *count*."""
    ordinal, at = read_int(data, at)
    if not 0 <= ordinal < count:
        raise Doubt
    return at


def after_bytes(data: bytes, at: Position) -> Position:
    """Return the position after a length and what it measures."""
    length, at = read_length(data, at)
    return at + length


def after_text(data: bytes, at: Position) -> Position:
    """Return the position after a text, which is checked."""
    length, at = read_length(data, at)
    end = at + length
    text = data[at:end]
    if not text.isascii():
        text.decode()
    return end


def read_length(data: bytes, at: Position) -> tuple[int, Position]:
    """Return a length or a count, and the position after it."""
    low, high = data[at], data[at + 1]
    if low >= 0x80 and 0 < high < 0x80 and not low & 1:
        return (high << 7 | low & 0x7F) >> 1, at + 2
    length, at = read_long(data, at)
    if not 0 <= length <= len(data):
        raise Doubt
    return length, at


def read_count(data: bytes, at: Position) -> tuple[int, Position]:
    """Return the count of a block, and the position after it."""
    count, at = read_length(data, at)
    if count > MAX_ITEMS:
        raise Doubt
    return count, at
