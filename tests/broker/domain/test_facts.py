"""Facts derived from events: exact where a clock is concerned, total whatever the event holds."""

from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codec.catalogue import load_catalogue
from broker.domain.facts import CONCEALED, FACTS, FROM_SECTIONS, derive_facts

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CALM = {"urgency": {"rank": "routine"}, "occurred_at": {"utc": NOON, "offset": "+00:00"}}


def born(text: str, at: datetime = NOON, offset: str = "+00:00") -> dict[str, Any]:
    """Return an event about somebody born then."""
    made = {"envelope": {**CALM, "occurred_at": {"utc": at, "offset": offset}}}
    return made | {"subject": {"identity": {"birth_date": {"value": text, "estimated": False}}}}


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return a calm event that holds *value* at *path*."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return {"envelope": CALM, **value}


def test_facts_are_the_symbols_of_the_schema() -> None:
    """What is derived is what an envelope can carry, and nothing of it is forgotten."""
    schema = load_catalogue().type_schema("crisis.types.Fact")

    assert set(FACTS) == set(schema["symbols"]) - {"unknown"}


def test_a_calm_event_has_no_facts() -> None:
    """No condition holds by accident."""
    assert derive_facts({"envelope": CALM}) == frozenset()


@pytest.mark.parametrize(
    ("path", "value", "fact"),
    [
        ("consent_and_basis.consent_to_share", "refused", "sharing_refused"),
        ("consent_and_basis.objection", "yes", "sharing_refused"),
        ("consent_and_basis.capacity", "lacks", "lacks_capacity"),
        ("consent_and_basis.safeguarding_decision", "MASH-0412", "safeguarding_concern"),
        ("subject.identity.age_estimate", 17, "subject_is_child"),
        ("subject.contact.protected_address", {"lines": []}, "protected_address"),
        ("risk.suicide.attempt_now", "yes", "immediate_risk"),
        ("legal_status.detained", "yes", "detained"),
        ("legal_status.power", "s136", "detained"),
        ("informant.wants_anonymity", "yes", "informant_wants_anonymity"),
        ("routing.out_of_area", "yes", "out_of_area"),
        ("risk.weapon", "yes", "safety_information_recorded"),
        ("risk.physical_red_flags", ["overdose"], "safety_information_recorded"),
        ("dependants.children_present", "yes", "safety_information_recorded"),
        ("safety_warnings", [{"kind": "animals"}], "safety_information_recorded"),
        ("subject.contact.safe_to_contact", {"text": "unsafe"}, "safety_information_recorded"),
        (
            "subject.contact.safe_to_contact",
            {"do_not_disclose_purpose": True},
            "safety_information_recorded",
        ),
        ("incident.log", [{"provenance": {"kind": "intelligence"}}], "intelligence_source"),
    ],
)
def test_a_value_makes_its_fact(path: str, value: Any, fact: str) -> None:
    """Each fact follows from the fields it is about, and from nothing else."""
    assert derive_facts(nested(path, value)) == {fact}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("consent_and_basis.consent_to_share", "given"),
        ("consent_and_basis.capacity", "unknown"),
        ("consent_and_basis.safeguarding_decision", "  "),
        ("dependants.children", [{"concern": "alone at home"}]),
        ("legal_status.power", "none"),
        ("risk.weapon", "unknown"),
        ("risk.physical_red_flags", []),
        ("safety_warnings", []),
        ("subject.contact.safe_to_contact", {"voice": "safe", "do_not_disclose_purpose": False}),
        ("informant.wants_anonymity", "no"),
        ("subject.identity.age_estimate", 18),
    ],
)
def test_a_value_short_of_a_fact_makes_none(path: str, value: Any) -> None:
    """A worry is no decision, an empty list is no warning, not knowing is not knowing."""
    assert derive_facts(nested(path, value)) == frozenset()


def test_a_statement_of_not_being_detained_beats_the_power() -> None:
    """A power that has ended is still recorded; the person is free all the same."""
    released = {"envelope": CALM, "legal_status": {"detained": "no", "power": "s136"}}

    assert "detained" not in derive_facts(released)


def test_an_intelligence_warning_is_both_safety_and_intelligence() -> None:
    """The warning counts for those who attend; its source is what must not show."""
    warned = nested("safety_warnings", [{"basis": "intelligence"}])

    assert derive_facts(warned) == {"intelligence_source", "safety_information_recorded"}


@pytest.mark.parametrize("rank", ["immediate", "unknown", None, "whatever", 3])
def test_an_urgency_nobody_understands_is_immediate(rank: Any) -> None:
    """A default to routine has cost lives."""
    assert derive_facts({"envelope": {**CALM, "urgency": {"rank": rank}}}) == {"immediate_risk"}


@pytest.mark.parametrize("rank", ["urgent", "soon", "routine"])
def test_a_lower_urgency_is_not_immediate(rank: Any) -> None:
    """Otherwise everything would be immediate and nothing would."""
    assert derive_facts({"envelope": {**CALM, "urgency": {"rank": rank}}}) == frozenset()


@pytest.mark.parametrize(
    ("text", "is_child"),
    [
        ("2008-11-23", True),  # 17 years and 364 days
        ("2008-11-22", False),  # eighteenth birthday
        ("2008-11-21", False),
        ("2008-11", True),  # may be born on the 30th
        ("2008-10", False),
        ("2008", True),  # may be born in December
        ("2007", False),
        ("2026", True),
        ("2026-11", True),
    ],
)
def test_childhood_ends_on_the_eighteenth_birthday(text: str, is_child: bool) -> None:  # noqa: FBT001 - a table
    """Who may still be a child is treated as one."""
    assert ("subject_is_child" in derive_facts(born(text))) is is_child


def test_the_senders_calendar_decides_not_utc() -> None:
    """At 23:30 UTC in summer it is already the birthday in London."""
    eve = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)

    assert derive_facts(born("2008-07-01", eve, "+01:00")) == frozenset()
    assert derive_facts(born("2008-07-01", eve, "+00:00")) == {"subject_is_child"}


def test_without_an_offset_the_sender_lives_in_london() -> None:
    """The same moment without a stated offset is still the birthday in summer."""
    eve = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)

    assert derive_facts(born("2008-07-01", eve, "")) == frozenset()


def test_a_leap_day_child_comes_of_age_in_march() -> None:
    """In a year without 29 February, childhood lasts through the 28th."""
    last, first = (datetime(2026, *day, 12, tzinfo=UTC) for day in ((2, 28), (3, 1)))

    assert derive_facts(born("2008-02-29", last)) == {"subject_is_child"}
    assert derive_facts(born("2008-02-29", first)) == frozenset()


def test_a_birth_date_beats_an_estimated_age() -> None:
    """An officer's guess counts only where no date is known."""
    guessed = born("1990-05-17")
    guessed["subject"]["identity"]["age_estimate"] = 16

    assert derive_facts(guessed) == frozenset()


@pytest.mark.parametrize("text", ["about 1990", "", "2031-01-01", "2008-13-01", "2008-11-40"])
def test_a_date_that_is_none_leaves_the_estimate(text: str) -> None:
    """What cannot be read is unknown, and the estimate stands in for it."""
    guessed = born(text)
    guessed["subject"]["identity"]["age_estimate"] = 12

    assert derive_facts(born(text)) == frozenset()
    assert derive_facts(guessed) == {"subject_is_child"}


def test_a_confirmation_needs_role_and_reason() -> None:
    """A clinician who gives no reason has not confirmed that the police may see more."""
    role, reason = {"confirmed_by_role": "shift lead"}, {"confirmed_reason": "risk to officers"}

    assert derive_facts({"envelope": CALM, "outcome": role}) == frozenset()
    assert derive_facts({"envelope": CALM, "outcome": reason}) == frozenset()
    assert derive_facts({"envelope": CALM, "outcome": role | reason}) == {
        "police_release_confirmed"
    }


SHOWN = {
    "subject.contact.safe_to_contact": {"letter": "unsafe"},
    "risk.weapon": "yes",
    "risk.physical_red_flags": ["head injury"],
    "dependants.children_present": "yes",
    "safety_warnings": [{"advice": "two staff"}],
}
"""A value to be careful about, for every field whose presence is shown."""


def test_every_shown_field_counts_as_safety_information() -> None:
    """A recipient told nothing of a withheld warning is the worst that can happen."""
    leaves = load_catalogue().event("referral_made").leaves.values()
    shown = {leaf.path for leaf in leaves if leaf.presence == "show"}

    assert shown == {path for path in shown if path.startswith(tuple(SHOWN))}
    for path, value in SHOWN.items():
        assert "safety_information_recorded" in derive_facts(nested(path, value))


def test_no_concealed_fact_is_unknown() -> None:
    """The facts that no agreement may name exist."""
    assert FACTS.keys() >= CONCEALED


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.datetimes() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PATHS = (
    "envelope", "envelope.occurred_at", "envelope.occurred_at.utc", "envelope.occurred_at.offset",
    "envelope.urgency", "envelope.urgency.rank", "subject", "subject.identity.birth_date",
    "subject.identity.birth_date.value", "subject.identity.age_estimate", "risk.weapon",
    "risk.suicide", "safety_warnings", "safety_warnings.basis", "incident.log", "legal_status",
    "legal_status.power", "subject.contact.safe_to_contact", "outcome.confirmed_reason",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(PATHS), json_like))
def test_derivation_never_raises(values: dict[str, Any]) -> None:
    """Whatever stands in the fields, the answer is a set of known facts."""
    made = deepcopy(born("2008-11-23"))
    for path, value in values.items():
        inner = made
        *outer, last = path.split(".")
        for name in outer:
            if not isinstance(inner.get(name), dict):
                inner[name] = {}
            inner = inner[name]
        inner[last] = value

    assert derive_facts(made) <= FACTS.keys()


@given(
    st.dates(date(1990, 1, 1), date(2015, 12, 31)),
    st.datetimes(datetime(2016, 1, 2), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["+14:00", "-12:00"]),
)
def test_age_agrees_with_counting_birthdays(birthday: date, now: datetime, offset: str) -> None:
    """The slow way gives the same answer: has the eighteenth birthday come?"""
    today = (now + timedelta(hours=int(offset[:3]))).date()
    passed = sum(
        (year, birthday.month, birthday.day) <= (today.year, today.month, today.day)
        for year in range(birthday.year + 1, today.year + 1)
    )

    facts = derive_facts(born(birthday.isoformat(), now, offset))

    assert ("subject_is_child" in facts) is (passed < 18)


def test_facts_from_sections_are_facts() -> None:
    """What may hold without being derived is part of the vocabulary."""
    assert FACTS.keys() >= FROM_SECTIONS


def test_facts_that_every_event_decides_are_not_from_sections() -> None:
    """Urgency stands in every envelope, and a clinician confirms one text, not the next."""
    assert not FROM_SECTIONS & {"immediate_risk", "police_release_confirmed"}
