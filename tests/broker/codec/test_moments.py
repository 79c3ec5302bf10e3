"""Moments: text with offset, and what is assumed without."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from broker.codec.moments import AMBIGUOUS, ASSUMED, NONEXISTENT, read_moment, write_moment
from tests.strategies import values_of


@given(values_of({"type": "record", "name": "Moment", "namespace": "crisis.types", "fields": []}))
def test_what_is_written_is_read_back(moment: dict) -> None:
    """Instant and stated offset survive."""
    assert read_moment(write_moment(moment))[0] == moment


@pytest.mark.parametrize(
    ("text", "hour", "offset"),
    [
        ("2026-11-22T14:02:11+00:00", 14, "+00:00"),
        ("2026-11-22T14:02:11Z", 14, "+00:00"),
        ("2026-11-22t14:02z", 14, "+00:00"),
        ("2026-07-01 12:00:00+01:00", 11, "+01:00"),
        ("2026-07-01T12:00:00.123456789+0100", 11, "+01:00"),
        ("2026-07-01T12:00-05", 17, "-05:00"),
    ],
)
def test_a_stated_offset_is_kept(text: str, hour: int, offset: str) -> None:
    """The instant is UTC, and what the sender's clock showed is not lost."""
    moment, codes = read_moment(text)

    assert (moment["utc"].hour, moment["offset"], codes) == (hour, offset, [])


@pytest.mark.parametrize(
    ("text", "utc_hour", "codes"),
    [
        ("2026-11-22T14:00:00", 14, [ASSUMED]),
        ("2026-07-01T14:00:00", 13, [ASSUMED]),
        ("2026-10-25T01:30:00", 0, [ASSUMED, AMBIGUOUS]),
        ("2026-10-25T02:30:00", 2, [ASSUMED]),
        ("2026-03-29T01:30:00", 1, [ASSUMED, NONEXISTENT]),
    ],
)
def test_without_an_offset_it_is_civil_time_and_flagged(
    text: str, utc_hour: int, codes: list[str]
) -> None:
    """Summer time is applied, the hour that comes twice and the one that is missing are flagged."""
    moment, found = read_moment(text)

    assert (moment["utc"].hour, moment["offset"], found) == (utc_hour, "", codes)


def test_an_ambiguous_hour_is_written_with_its_offset() -> None:
    """The later of two equal civil times must not be read back as the earlier."""
    later = {"utc": datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "offset": ""}

    assert read_moment(write_moment(later))[0]["utc"] == later["utc"]


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2026-11-22", "22/11/2026 14:02", "2026-13-01T00:00:00Z", "14:02", "2026-11-22T25:00Z",
     "2026-W47-7T10:00Z", "2026-11-22T14:02:11+99:00", "0001-01-01T00:00:00+14:00", "٢٠٢٦-11-22T14:02Z", "2026-11-22T14:02Z "],
)  # fmt: skip
def test_anything_else_is_no_moment(text: str) -> None:
    """The rule is named, the value is not."""
    with pytest.raises(ValueError, match=r"^(no such date|not a date)") as refused:
        read_moment(text)

    assert not text or text not in str(refused.value)


def test_a_strange_offset_is_written_as_utc() -> None:
    """An offset that is none does not stop a recipient from getting the time."""
    moment = {"utc": datetime(2026, 1, 1, tzinfo=UTC), "offset": "+99:99"}

    assert write_moment(moment) == "2026-01-01T00:00:00+00:00"
