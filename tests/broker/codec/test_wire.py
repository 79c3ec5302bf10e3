"""The Confluent prefix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codec.wire import PREFIX_BYTES, frame, unframe
from broker.domain.errors import MalformedMessageError


@given(st.integers(0, 2**32 - 1), st.binary(max_size=20))
def test_what_is_framed_can_be_unframed(schema_id: int, value: bytes) -> None:
    """The id comes back, and the position is where the value starts."""
    found, start = unframe(frame(schema_id) + value)

    assert (found, start) == (schema_id, PREFIX_BYTES)


def test_prefix_is_the_one_that_confluent_documents() -> None:
    """A zero byte, then the id in four bytes, most significant first."""
    assert frame(0x01020304) == bytes([0, 1, 2, 3, 4])


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1", b"\1\0\0\0\1value", b"{}{}{}"])
def test_anything_else_is_refused(data: bytes) -> None:
    """Too short or another first byte is no framed value."""
    with pytest.raises(MalformedMessageError):
        unframe(data)
