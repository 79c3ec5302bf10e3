"""Strict JSON in, documents out."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.errors import MalformedMessageError
from connectors.canonical_json import SPEC


def translate(message: bytes) -> list[Any]:
    """Return the documents of a message."""
    assert SPEC.translate_in is not None
    return [inbound.document for inbound in SPEC.translate_in(message, {})]


def test_one_object_is_one_event() -> None:
    """The document is passed on as it stands."""
    assert translate(b'{"a": [1, 2.5, null, "\xc3\xa9"]}') == [{"a": [1, 2.5, None, "é"]}]


def test_an_array_is_several_events() -> None:
    """In their order."""
    assert translate(b'[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("message", "path", "rule"),
    [
        (b"3", "$", "not an object"),
        (b"[{}, 3]", "$[1]", "not an object"),
        (b"[]", "$", "not 1 to 500 events"),
        (b"[" + b"{}," * 500 + b"{}]", "$", "not 1 to 500 events"),
    ],
)
def test_what_holds_no_events_is_refused(message: bytes, path: str, rule: str) -> None:
    """Only objects are events, and not too many of them."""
    with pytest.raises(MalformedMessageError) as caught:
        translate(message)

    assert caught.value.problems == ((path, rule),)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_whatever_break_it(message: bytes) -> None:
    """Random bytes are strict JSON or refused by path and rule."""
    with contextlib.suppress(MalformedMessageError):
        for document in translate(message):
            json.dumps(document, allow_nan=False).encode()
