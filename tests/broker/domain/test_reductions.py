"""Reductions: less than a leaf says, and never an error."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.reductions import Reduction

OCCURRED_AT = {"utc": datetime(2026, 11, 22, 14, 2, 11, 5, tzinfo=UTC), "offset": "+00:00"}

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.datetimes(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["value", "postcode", "utc", "offset"]), inner)
    ),
)


@pytest.mark.parametrize(
    ("born", "band"),
    [
        ("2026-11-22", "0-11"),
        ("2014-11-23", "0-11"),
        ("2014-11-22", "12-15"),
        ("2010-11-22", "16-17"),
        ("2008-11-23", "16-17"),
        ("2008-11-22", "18-24"),
        ("2001-11-22", "25-34"),
        ("1941-11-23", "75-84"),
        ("1941-11-22", "85+"),
        ("2008-11", "16-17"),
        ("2008", "16-17"),
    ],
)
def test_age_band_changes_on_the_birthday(born: Any, band: Any) -> None:
    """The day before a birthday is the lower band; a vague date counts as the youngest age."""
    reduced = Reduction.AGE_BAND.apply({"value": born, "estimated": False}, OCCURRED_AT)

    assert reduced == band


@pytest.mark.parametrize("born", ["", "soon", "2026-11-23", "1990-13-01", "19900517"])
def test_age_band_of_no_birth_date_is_withheld(born: Any) -> None:
    """What is no date, or lies after the event, says nothing."""
    assert Reduction.AGE_BAND.apply({"value": born, "estimated": False}, OCCURRED_AT) is None


def test_age_counts_by_the_senders_calendar() -> None:
    """Half past midnight in the sender's summer is the birthday already."""
    occurred_at = {"utc": datetime(2026, 5, 16, 23, 30, tzinfo=UTC), "offset": "+01:00"}

    reduced = Reduction.AGE_BAND.apply({"value": "2008-05-17", "estimated": False}, occurred_at)

    assert reduced == "18-24"


@pytest.mark.parametrize(
    ("postcode", "district"),
    [("ZZ99 3VZ", "ZZ99"), ("sw1a1aa", "SW1A"), (" m1 1ae ", "M1"), ("ZZ99", None), (None, None)],
)
def test_postcode_district_is_the_outward_code(postcode: Any, district: Any) -> None:
    """Only a whole postcode has a district; half of one could be anything."""
    address = {"lines": ["1 Invented Way"], "postcode": postcode, "uprn": None}

    assert Reduction.POSTCODE_DISTRICT.apply(address) == district


@pytest.mark.parametrize(("born", "year"), [("1990-05-17", 1990), ("1990", 1990), ("90", None)])
def test_year_of_birth_needs_four_digits(born: Any, year: Any) -> None:
    """Day and month are cut; a year of two digits is none."""
    assert Reduction.YEAR_OF_BIRTH.apply({"value": born, "estimated": True}) == year


def test_coarse_time_keeps_the_hour_and_the_offset() -> None:
    """Minutes and below are cut."""
    reduced = Reduction.COARSE_TIME.apply(OCCURRED_AT)

    assert reduced == {"utc": datetime(2026, 11, 22, 14, tzinfo=UTC), "offset": "+00:00"}


@pytest.mark.parametrize(
    ("value", "present", "count"), [(None, False, None), ([], False, 0), ([1, 2], True, 2)]
)
def test_present_always_answers_and_count_only_where_there_is_a_list(
    value: Any, present: Any, count: Any
) -> None:
    """An absent list has no count, and nothing is present in it."""
    assert Reduction.PRESENT.apply(value) is present
    assert Reduction.COUNT.apply(value) == count


@pytest.mark.parametrize("value", [False, 0, {"value": None}])
def test_a_value_that_looks_empty_is_present_all_the_same(value: Any) -> None:
    """No, zero and a record are answers; only empty texts, lists and maps are none."""
    assert Reduction.PRESENT.apply(value) is True


@pytest.mark.parametrize("reduction", Reduction)
@given(value=ANYTHING, occurred_at=ANYTHING)
def test_no_reduction_ever_fails(reduction: Any, value: Any, occurred_at: Any) -> None:
    """Whatever a leaf holds, a reduction answers with a value of its type or with None."""
    kinds = {"string": str, "int": int, "boolean": bool, "crisis.types.Moment": dict}

    reduced = reduction.apply(value, occurred_at)

    assert reduced is None or isinstance(reduced, kinds[reduction.avro_type])


@given(st.dates(), st.integers(0, 3))
def test_bands_of_neighbouring_days_are_equal_or_adjacent(day: Any, later: Any) -> None:
    """An age band has no gaps and no overlaps."""
    moments = [datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=each) for each in (0, later)]
    bands = [
        Reduction.AGE_BAND.apply({"value": day.isoformat()}, {"utc": utc, "offset": "+00:00"})
        for utc in moments
    ]

    starts = [None if band is None else int(band.rstrip("+").split("-")[0]) for band in bands]

    assert None in starts or starts[0] <= starts[1]


@pytest.mark.parametrize(
    ("reduction", "field", "name"),
    [
        (Reduction.AGE_BAND, "birth_date", "age_band"),
        (Reduction.YEAR_OF_BIRTH, "birth_date", "year_of_birth"),
        (Reduction.POSTCODE_DISTRICT, "address", "postcode_district"),
        (Reduction.POSTCODE_DISTRICT, "protected_address", "protected_postcode_district"),
        (Reduction.COARSE_TIME, "arrived_at", "arrived_at_hour"),
        (Reduction.COUNT, "children", "children_count"),
        (Reduction.PRESENT, "weapon", "weapon_present"),
    ],
)
def test_a_reduced_form_has_a_name_of_its_own(reduction: Any, field: Any, name: Any) -> None:
    """No reader can mistake the reduced form for the field."""
    assert reduction.field_name(field) == name


def test_reductions_know_what_they_apply_to() -> None:
    """An age band of an address is refused when the agreement is loaded, not at three at night."""
    inlined = {"type": "record", "name": "BirthDate", "namespace": "crisis.types", "fields": []}

    assert Reduction.AGE_BAND.applies_to(inlined)
    assert Reduction.AGE_BAND.applies_to("crisis.types.BirthDate")
    assert not Reduction.AGE_BAND.applies_to("crisis.types.Address")
    assert Reduction.COUNT.applies_to({"type": "array", "items": "string"})
    assert not Reduction.COUNT.applies_to(["string", "int"])
    assert Reduction.PRESENT.applies_to("string")
