"""Strict JSON: what two readers could understand differently is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.errors import MalformedMessageError
from broker.domain.json_text import parse_json, shown

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


def problems(data: bytes, **limits: int) -> tuple[tuple[str, str], ...]:
    """Return why a text is refused; fails if it is not."""
    with pytest.raises(MalformedMessageError) as caught:
        parse_json(data, **limits)
    return caught.value.problems


@given(JSON)
def test_what_is_json_is_read_as_it_stands(value: Any) -> None:
    """Reading is the inverse of writing, with escapes or without."""
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_every_key_that_is_there_twice_is_named_by_its_path() -> None:
    """Also deep inside, and once for each."""
    text = b'{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "d": 1, "d": 2}]}'

    assert problems(text) == (
        ("$.a.b", "key is there twice"),
        ("$.c[0].d", "key is there twice"),
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"", "not JSON at line 1 column 1"),
        (b"{} {}", "not JSON at line 1 column 4"),
        (b"{'a': 1}", "not JSON at line 1 column 2"),
        (b"NaN", "NaN and infinity are not JSON"),
        (b"[-Infinity]", "NaN and infinity are not JSON"),
        (b"1e400", "a number is too large"),
        (b"1" * 65, "a number is too large"),
        (b"1" * 5000, "a number is too large"),
        (b'"\xc3"', "not UTF-8 at byte 1"),
        ("\ufeff{}".encode("utf-16"), "not UTF-8 at byte 0"),
        (b'"\\udc00"', "not valid Unicode"),
        (b"[" * 5000, "nested deeper than 32"),
    ],
)
def test_what_is_not_strict_json_is_refused(text: bytes, rule: str) -> None:
    """The rule is named, the text is not repeated."""
    assert problems(text) == (("$", rule),)


def test_a_pair_of_surrogates_is_a_character() -> None:
    """Only a lone half is refused."""
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_depth_is_counted_exactly() -> None:
    """As deep as allowed is read, one deeper is not."""
    assert parse_json(b"[[[1]]]", max_depth=3) == [[[1]]]
    assert problems(b"[[[1]]]", max_depth=2) == (("$[0][0][0]", "nested deeper than 2"),)


def test_a_byte_order_mark_is_passed_over() -> None:
    """Some systems write one."""
    assert parse_json(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize("key", ["Jane Testperson", "n9990000018", "é", "a" * 41, "", "1a"])
def test_a_key_that_could_name_a_person_is_not_shown(key: str) -> None:
    """Paths end in answers and findings."""
    assert shown(key) == "*"
    text = json.dumps({key: {"x": 1}}).replace('"x": 1', '"x": 1, "x": 2').encode()
    assert problems(text) == (("$.*.x", "key is there twice"),)


@given(st.binary(max_size=100))
def test_no_bytes_whatever_break_it(data: bytes) -> None:
    """It reads or refuses."""
    try:
        value = parse_json(data)
    except MalformedMessageError:
        return
    json.dumps(value, allow_nan=False).encode()
