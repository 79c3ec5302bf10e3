"""The book of agreements: routes, overlaps, plans, and what lapsed paperwork does not do."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given

from broker.domain.agreements import Agreement, AgreementBook, Route, in_force
from broker.domain.clauses import Party, PartyKind, Rule, Suspension
from broker.domain.decisions import Effect
from broker.domain.errors import AgreementError, PolicyDeniedError
from tests.strategies_agreements import SMALL, clause, event, facts, leaf

TODAY = date(2026, 11, 22)
ROUTE = ("police", "team", "crisis-response")
STOP = Suspension(signed_by="Medical Director", at=TODAY, reason="breach under review")

RELEASE = Rule(
    id="plain", effect=Effect.RELEASE, leaves=frozenset({"risk.plain", "risk.shown"}), because="-"
)
CHILD = Rule(
    id="child",
    effect=Effect.RELEASE,
    leaves=frozenset({"risk.sibling"}),
    because="-",
    when=frozenset({"subject_is_child"}),
)


def party(party_id: str, kind: PartyKind = PartyKind.MENTAL_HEALTH, **changes: str) -> Party:
    """Return a party."""
    return Party(**{"id": party_id, "name": "n", "kind": kind, "organisation": "o", **changes})


def agreement(name: str = "police.team", **changes: Any) -> Agreement:
    """Return an agreement in force from ``police`` to ``team``."""
    stated = {
        "id": name,
        "version": 1,
        "catalogue": 1,
        "title": name,
        "parties": (party("police", PartyKind.POLICE), party("team")),
        "clauses": (clause(RELEASE, CHILD, basis={"article_6": "6(1)(e)"}),),
        "valid_from": date(2026, 1, 1),
        "review_by": date(2026, 12, 31),
        "valid_to": date(2027, 12, 31),
        "digest": "ab" * 32,
    }
    return Agreement(**{**stated, **changes})


def test_a_covered_route_is_found() -> None:
    """Sender, recipient and purpose lead to the one agreement that covers them."""
    signed = agreement()
    book = AgreementBook([signed])

    assert book.find(*ROUTE) is signed
    assert book.routes() == (Route(*ROUTE),)
    assert book.lanes() == {("team", "crisis-response")}


@pytest.mark.parametrize(
    "route",
    [
        ("team", "police", "crisis-response"),
        ("police", "team", "care-coordination"),
        ("police", "stranger", "crisis-response"),
    ],
)
def test_an_agreement_covers_nothing_beyond_its_words(route: tuple[str, str, str]) -> None:
    """Neither the way back, nor another purpose, nor a stranger."""
    book = AgreementBook([agreement()])

    assert book.find(*route) is None
    with pytest.raises(PolicyDeniedError):
        book.plan(*route, SMALL, frozenset())


def test_overlapping_agreements_are_refused() -> None:
    """Two answers to one question would make the order of files decide."""
    with pytest.raises(AgreementError) as caught:
        AgreementBook([agreement("one"), agreement("two")])

    assert caught.value.problems == (
        ("two.purpose.crisis-response", "overlaps `one` for police to team"),
    )


def test_two_clauses_of_one_agreement_overlap_as_well() -> None:
    """One file can contradict itself too."""
    with pytest.raises(AgreementError):
        AgreementBook([agreement(clauses=(clause(RELEASE), clause(CHILD)))])


def test_a_party_is_described_once() -> None:
    """Files that disagree about who somebody is are refused."""
    other = agreement(
        "two",
        parties=(party("police", PartyKind.POLICE, name="another name"), party("team")),
        clauses=(clause(RELEASE, purpose="care-coordination"),),
    )

    with pytest.raises(AgreementError) as caught:
        AgreementBook([agreement("one"), other])

    assert caught.value.problems == (
        ("two.party.police", "another agreement describes this party differently"),
    )


def test_every_problem_is_named_at_once() -> None:
    """Nobody has to start the broker three times to learn of three mistakes."""
    other = agreement("two", parties=(party("police", name="x"), party("team", name="y")))

    with pytest.raises(AgreementError) as caught:
        AgreementBook([agreement("one"), other])

    assert len(caught.value.problems) == 3


def test_a_plan_cites_its_agreement() -> None:
    """Whoever reads a disclosure finds the version, the file and the basis."""
    plan = AgreementBook([agreement()]).plan(*ROUTE, SMALL, frozenset())

    assert (plan.agreement_id, plan.agreement_version) == ("police.team", 1)
    assert plan.agreement_digest == "ab" * 32
    assert plan.basis == {"article_6": "6(1)(e)"}
    assert plan.manifest["ask"] == "desk, 01632 960000"


def test_plans_rest_on_relevant_facts_only() -> None:
    """A fact that no rule names is not even part of the plan."""
    book = AgreementBook([agreement()])
    plan = book.plan(*ROUTE, SMALL, frozenset({"subject_is_child", "out_of_area"}))

    assert plan.facts == {"subject_is_child"}
    assert "risk.sibling" in plan.released


@given(facts, facts)
def test_equal_keys_mean_equal_plans(one: frozenset[str], other: frozenset[str]) -> None:
    """Plans may be cached by their key, and manifests are constants of it."""
    book = AgreementBook([agreement()])
    first, second = book.plan(*ROUTE, SMALL, one), book.plan(*ROUTE, SMALL, other)

    assert (first.key == second.key) is (first == second)


def test_plans_are_made_once() -> None:
    """The same relevant facts give the same object, whatever else holds."""
    book = AgreementBook([agreement()])

    one = book.plan(*ROUTE, SMALL, frozenset({"detained"}))

    assert book.plan(*ROUTE, SMALL, frozenset({"immediate_risk"})) is one


def test_another_schema_of_the_same_event_has_plans_of_its_own() -> None:
    """A field that only one version knows is decided for that version."""
    book = AgreementBook([agreement()])
    grown = event(leaf("risk.plain"), leaf("risk.new"))

    assert set(book.plan(*ROUTE, SMALL, frozenset()).decisions) == set(SMALL.leaves)
    assert set(book.plan(*ROUTE, grown, frozenset()).decisions) == {"risk.plain", "risk.new"}


def test_all_plans_of_a_route_can_be_enumerated() -> None:
    """Child or not, safety information recorded or not: four plans, each once."""
    book = AgreementBook([agreement()])
    keys = [plan.facts for plan in book.plans(*ROUTE, SMALL)]

    assert len(keys) == len(set(keys)) == 4
    assert list(book.plans("team", "police", "crisis-response", SMALL)) == []


@pytest.mark.parametrize("lapsed", ["review_by", "valid_to"])
def test_a_lapsed_date_narrows_nothing(lapsed: str) -> None:
    """Paperwork never cuts a lifeline: the plan is the same, marked overdue."""
    stale = agreement(**{lapsed: TODAY - timedelta(days=1)})
    fresh = AgreementBook([agreement()], today=TODAY).plan(*ROUTE, SMALL, frozenset())

    plan = AgreementBook([stale], today=TODAY).plan(*ROUTE, SMALL, frozenset())

    assert plan.decisions == fresh.decisions
    assert plan.held_because == ""
    assert (plan.overdue_days, fresh.overdue_days) == (1, 0)


def test_the_last_day_is_not_overdue() -> None:
    """An agreement is in time through the day it names."""
    ends = agreement(review_by=TODAY)

    assert ends.overdue_days(TODAY) == 0
    assert ends.overdue_days(TODAY + timedelta(days=3)) == 3


def test_overdue_agreements_are_listed_by_id() -> None:
    """Governance staff are told which, and for how long."""
    stale = agreement("stale", review_by=date(2026, 11, 1))
    fine = agreement("fine", clauses=(clause(RELEASE, purpose="care-coordination"),))

    assert AgreementBook([stale, fine]).overdue(TODAY) == {"stale": 21}


@pytest.mark.parametrize(
    "suspended",
    [
        agreement(suspension=STOP),
        agreement(clauses=(clause(RELEASE, suspension=STOP),)),
    ],
)
def test_only_a_signed_suspension_holds(suspended: Agreement) -> None:
    """The route is still known, its lane still exists, and its events are held."""
    book = AgreementBook([suspended])

    assert book.plan(*ROUTE, SMALL, frozenset()).held_because == "suspended"
    assert book.find(*ROUTE) is suspended
    assert book.lanes() == {("team", "crisis-response")}


def test_a_suspended_purpose_leaves_the_others_alone() -> None:
    """A doubt about one purpose stops that one."""
    other = clause(RELEASE, purpose="care-coordination")
    book = AgreementBook([agreement(clauses=(clause(RELEASE, suspension=STOP), other))])

    assert book.plan("police", "team", "care-coordination", SMALL, frozenset()).held_because == ""


def test_the_youngest_version_that_has_begun_is_in_force() -> None:
    """The next version can be filed ahead; it counts from its first day."""
    now = agreement(version=1)
    following = agreement(version=2, valid_from=TODAY + timedelta(days=1))

    assert in_force([following, now], TODAY) == (now,)
    assert in_force([following, now], TODAY + timedelta(days=1)) == (following,)


def test_an_ended_version_stays_in_force_until_another_begins() -> None:
    """No gap between two signatures leaves anybody without help."""
    ended = agreement(version=1, review_by=date(2026, 6, 1), valid_to=date(2026, 6, 30))

    assert in_force([ended], TODAY) == (ended,)


def test_nothing_is_in_force_before_it_begins() -> None:
    """A signature for next month releases nothing today."""
    assert in_force([agreement(valid_from=TODAY + timedelta(days=30))], TODAY) == ()
