"""What stands side by side is what was sent and what was got, and nothing else."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.simulation.chronicle import Event
from broker.simulation.comparison import Treatment, compare, desk_number, field_words
from broker.simulation.words import clock, span, text_at, words

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Tags:
    """What the comparison asks of a leaf."""

    group: str
    is_length: bool = False


LEAVES: Any = {
    "risk.weapon": Tags("risk"),
    "risk.absconding": Tags("risk"),
    "subject.identity.birth_date": Tags("subject.identity"),
    "safety_warnings.#": Tags("safety_warning", is_length=True),
    "safety_warnings.kind": Tags("safety_warning"),
    "informant.name": Tags("informant"),
}
NATIVE = {
    "envelope": {"occurred_at": {"utc": NOW, "offset": "+00:00"}},
    "risk": {"weapon": "yes", "absconding": "no"},
    "subject": {"identity": {"birth_date": {"value": "1994-09-30", "estimated": False}}},
    "safety_warnings": [{"kind": "dog"}, {"kind": "blade"}],
    "informant": None,
}
EVENT = Event(place=(0, 0), native=NATIVE, size_bytes=1, seen_at_ms=0)
TEAM = Treatment(
    recipient="northvale-crisis",
    released=frozenset({"risk.weapon", "safety_warnings.kind"}),
    reduced={"subject.identity.birth_date": "age-band"},
    withheld={"risk.absconding": "crisis.others"},
    ask="Desk, 01632 960123, day and night",
    native={
        "risk": {"weapon": "yes"},
        "subject": {"identity": {"age_band": "25-34"}},
        "safety_warnings": [{"kind": "dog"}, {"kind": "blade"}],
    },
)
COUNCIL = Treatment(
    recipient="midshire-council",
    released=frozenset(),
    reduced={},
    withheld={},
    why_held="needs person",
)


def test_each_field_is_shown_as_it_was_got() -> None:
    """Whole, reduced or withheld with whom to ask; what was not sent has no row."""
    rows = compare(EVENT, LEAVES, [TEAM])

    assert [(row.group, row.sent, row.got["northvale-crisis"].text) for row in rows] == [
        ("risk", "weapon yes", "weapon yes"),
        ("risk", "absconding no", "— withheld: risk (ask: 01632 960123)"),
        ("subject.identity", "birth date 1994-09-30", "age band 25-34 (reduced)"),
        ("safety_warning", "kind dog / blade", "kind dog / blade"),
    ]


def test_fields_of_a_group_that_were_treated_alike_share_a_row() -> None:
    """To somebody who got nothing, the whole group is one line."""
    rows = compare(EVENT, LEAVES, [COUNCIL])

    assert rows[0].sent == "weapon yes · absconding no"
    assert {row.got["midshire-council"].text for row in rows} == {"— nothing: held, needs person"}


def test_a_value_is_taken_from_the_view_and_not_from_the_event() -> None:
    """If a view held something else than was sent, the difference would be seen."""
    strange = Treatment(
        recipient="x", released=frozenset({"risk.weapon"}), reduced={}, withheld={},
        native={"risk": {"weapon": "no"}},
    )  # fmt: skip

    assert compare(EVENT, LEAVES, [strange])[0].got["x"].text == "weapon no"


def test_values_read_as_people_write_them() -> None:
    """Names, codes, times and yes or no; a day other than today is named."""
    yesterday = NOW - timedelta(days=1)
    assert words({"family": "Glynŵr-Test", "given": "Angharad"}) == "Angharad Glynŵr-Test"
    assert words({"scheme": "snomed", "version": None, "code": "1", "text": None}) == "snomed 1"
    assert words({"utc": yesterday, "offset": "+00:00"}, NOW.date()) == "21 Nov 14:02"
    assert words("not_asked") == "not asked"
    assert words(value=True) == "yes"
    assert clock(NOW, NOW.date()) == "14:02"
    assert text_at(NATIVE, "informant.name") == ""


def test_spans_grow_their_units() -> None:
    """Seconds, minutes, hours and days, each where it says most."""
    assert [span(timedelta(seconds=s)) for s in (0.84, 41, 600, 7200)] == [
        "0.8 s",
        "0:41",
        "10:00",
        "2:00 h",
    ]


def test_whom_to_ask_is_a_number_where_there_is_one() -> None:
    """In a narrow column the number is what counts."""
    assert desk_number("Desk, 01632 960123, day and night") == "01632 960123"
    assert desk_number("the duty officer") == "the duty officer"
    assert field_words("subject.identity.nhs_number.value") == "NHS number"
