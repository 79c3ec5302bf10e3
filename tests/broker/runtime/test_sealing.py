"""Sealing: payload at rest opens only with its key, at its place, unchanged."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.errors import ConfigurationError
from broker.runtime.sealing import (
    SealBrokenError,
    Sealer,
    create_key_file,
    load_key_file,
    rotate_key_file,
)

SEALER = Sealer(keys={"0a0b0c0d": bytes(range(32))}, current="0a0b0c0d")


@given(st.binary(), st.binary())
def test_what_was_sealed_opens_at_its_place(plain: bytes, place: bytes) -> None:
    """Sealing loses nothing."""
    assert SEALER.open(SEALER.seal(plain, place), place) == plain


def test_sealed_bytes_hide_the_plain_ones() -> None:
    """Neither the content nor its repetition shows."""
    first, second = (SEALER.seal(b"Testperson" * 20, b"place") for _ in range(2))

    assert b"Testperson" not in first
    assert first != second


def test_a_row_moved_to_another_place_does_not_open() -> None:
    """Somebody who can write the file cannot swap two referrals."""
    sealed = SEALER.seal(b"view", b"topic/0/1")

    with pytest.raises(SealBrokenError):
        SEALER.open(sealed, b"topic/0/2")


@given(st.data())
def test_any_change_breaks_the_seal(data: st.DataObject) -> None:
    """One flipped bit anywhere is noticed, and nothing else is ever raised."""
    sealed = bytearray(SEALER.seal(b"view", b"place"))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8

    with pytest.raises(SealBrokenError):
        SEALER.open(bytes(sealed), b"place")


@given(st.binary(max_size=64))
def test_foreign_bytes_are_refused(sealed: bytes) -> None:
    """Damaged rows give our error, not one of the library."""
    with pytest.raises(SealBrokenError):
        SEALER.open(sealed, b"place")


def test_the_key_file_is_ours_alone_and_made_once(tmp_path: Path) -> None:
    """Setup may run again: the key stays, and only the owner may read it."""
    path = tmp_path / "secrets" / "sealing.key"

    made = create_key_file(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert create_key_file(path) == made == load_key_file(path)
    assert [each.name for each in path.parent.iterdir()] == ["sealing.key"]


def test_rotation_keeps_what_older_keys_have_sealed(tmp_path: Path) -> None:
    """A new key seals from now on; nothing becomes unreadable."""
    path = tmp_path / "sealing.key"
    old = create_key_file(path)
    sealed = old.seal(b"view", b"place")

    new = rotate_key_file(path)

    assert new.open(sealed, b"place") == b"view"
    assert new.current != old.current
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SealBrokenError):
        old.open(new.seal(b"view", b"place"), b"place")


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """A leaked key is worse than a process that does not start."""
    path = tmp_path / "sealing.key"
    create_key_file(path)
    path.chmod(0o640)

    with pytest.raises(ConfigurationError, match="0600"):
        load_key_file(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"current": "00000000", "keys": {}}),
        json.dumps({"current": "00000000", "keys": {"00000000": "AAAA"}}),
        json.dumps({"current": "x", "keys": {"x": "A" * 44}}),
    ],
)
def test_a_damaged_key_file_stops_the_start(tmp_path: Path, content: str) -> None:
    """Whatever stands in the file, the message says what to do."""
    path = tmp_path / "sealing.key"
    path.touch(0o600)
    path.write_text(content)

    with pytest.raises(ConfigurationError, match="key file"):
        load_key_file(path)


def test_keys_never_show_in_a_log_line() -> None:
    """The representation of a sealer holds no key."""
    assert "keys" not in repr(SEALER)
