"""
The agreements that ship: their own tests, and claims proved over every combination of facts.

Nothing here is sampled. The vocabulary of facts is closed, so every plan that any event can lead to
is made, and each claim is checked on all of them.
"""

from collections.abc import Iterator
from datetime import date
from itertools import combinations

import pytest

from broker.codec.agreement_tests import run_tests
from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.domain.agreements import Route
from broker.domain.clauses import PartyKind
from broker.domain.decisions import Effect, Plan
from broker.domain.facts import CONCEALED, FACTS
from broker.domain.purposes import PURPOSES

CATALOGUE = load_catalogue()
BOOK = load_book(None, CATALOGUE, today=date(2026, 11, 22))
EVENTS = tuple(CATALOGUE.events.values())
EVERY_COMBINATION = [
    frozenset(names) for count in range(len(FACTS) + 1) for names in combinations(FACTS, count)
]
LEAVES = {path: leaf for event in EVENTS for path, leaf in event.leaves.items()}
CRISIS = ("midshire-police", "northvale-crisis", "crisis-response")
COUNCIL_PURPOSES = ("safeguarding-adult", "safeguarding-child")


def all_plans(purpose: str | None = None) -> Iterator[tuple[Route, Plan]]:
    """Yield every plan that any event under any facts can lead to."""
    for route in BOOK.routes():
        if purpose in (None, route.purpose):
            for event in EVENTS:
                for plan in BOOK.plans(*route, event):
                    yield route, plan


def plan_of(route: tuple[str, str, str], *facts: str, event_type: str = "referral_made") -> Plan:
    """Return one plan."""
    return BOOK.plan(*route, CATALOGUE.event(event_type), frozenset(facts))


def paths(*groups: str) -> set[str]:
    """Return the leaves of these groups."""
    return {path for path, leaf in LEAVES.items() if leaf.group in groups}


@pytest.mark.parametrize("outcome", run_tests(BOOK, CATALOGUE), ids=lambda outcome: outcome.name)
def test_the_agreements_pass_their_own_tests(outcome: object) -> None:
    """What both sides rely on holds, and every purpose relies on something."""
    assert outcome.failures == ()


def test_the_enumerated_plans_are_all_plans() -> None:
    """Every one of the 4096 combinations of facts leads to a plan that was enumerated."""
    for route in BOOK.routes():
        for event in EVENTS:
            enumerated = {plan.facts: plan for plan in BOOK.plans(*route, event)}
            for facts in EVERY_COMBINATION:
                plan = BOOK.plan(*route, event, facts)
                assert enumerated[plan.facts] is plan or enumerated[plan.facts] == plan


def test_at_least_four_purposes_are_agreed() -> None:
    """The example is wide enough to copy from."""
    assert len({route.purpose for route in BOOK.routes()}) >= 4


def test_every_route_joins_known_parties() -> None:
    """Every caller of the interface is a party named here."""
    named = {party for route in BOOK.routes() for party in (route.sender, route.recipient)}

    assert named == set(BOOK.parties)


def test_no_protected_leaf_is_ever_released() -> None:
    """Class S8 goes by no rule: addresses of refuges, sources, history, the raw log."""
    protected = {path for path, leaf in LEAVES.items() if leaf.sensitivity == "S8"}

    assert protected
    assert not any(protected & plan.released.keys() for _, plan in all_plans())


def test_an_informant_never_leaves_by_rule() -> None:
    """Not for crisis response, not for anything, whatever else holds."""
    informant = paths("informant")

    assert len(informant) == 4
    assert not any(informant & plan.released.keys() for _, plan in all_plans())


@pytest.mark.parametrize("fact", sorted(CONCEALED))
def test_a_concealed_fact_changes_nothing_anywhere(fact: str) -> None:
    """With and without an anonymous informant, an intelligence source, a protected address."""
    for route in BOOK.routes():
        for event in EVENTS:
            for facts in (each for each in EVERY_COMBINATION if fact not in each):
                assert BOOK.plan(*route, event, facts | {fact}) == BOOK.plan(*route, event, facts)


def test_a_forgotten_fact_never_releases_more() -> None:
    """An update leaves sections out; what its facts then miss must fail closed."""
    for route in BOOK.routes():
        for event in EVENTS:
            plans = list(BOOK.plans(*route, event))
            for more in plans:
                for less in plans:
                    if less.facts < more.facts:
                        assert released_whole(less) <= released_whole(more)
                        assert less.released.keys() <= more.released.keys()


def released_whole(plan: Plan) -> set[str]:
    """Return the leaves that go unreduced."""
    return {path for path, reduction in plan.released.items() if reduction is None}


def test_no_diagnosis_medication_or_session_content_reaches_the_police() -> None:
    """Of health content the police get the outcome written for them and nothing else, ever."""
    allowed = {"outcome.police_outcome", "outcome.police_summary"}
    health = paths("triage_assessment", "outcome") - allowed

    for route, plan in all_plans():
        if BOOK.parties[route.recipient].kind is PartyKind.POLICE:
            assert not health & plan.released.keys()


def test_a_text_for_the_police_goes_only_when_confirmed() -> None:
    """Without a clinician's confirmation and reason it stays."""
    for _, plan in all_plans("police-outcome-feedback"):
        if "outcome.police_summary" in plan.released:
            assert "police_release_confirmed" in plan.facts


def test_feedback_holds_operational_fields_only() -> None:
    """No name, no health, no staff reference goes back by itself."""
    for _, plan in all_plans("police-outcome-feedback"):
        released = plan.released.keys() - {"outcome.police_summary"}
        assert {LEAVES[path].sensitivity for path in released} <= {"S0"}


def test_an_investigation_always_waits_for_a_person() -> None:
    """Nothing goes by rule, whatever the event and whatever holds."""
    plans = [plan for _, plan in all_plans("crime-investigation")]

    assert plans
    assert {plan.held_because for plan in plans} == {"needs-person"}


@pytest.mark.parametrize("purpose", COUNCIL_PURPOSES)
def test_the_council_gets_nothing_without_a_safeguarding_decision(purpose: str) -> None:
    """The route waits for a person; only the news of a withdrawal goes."""
    for _, plan in all_plans(purpose):
        if "safeguarding_concern" not in plan.facts:
            if plan.event_type == "referral_withdrawn":
                assert plan.released.keys() == {
                    "withdrawal.reason", "withdrawal.by_role", "withdrawal.at",
                }  # fmt: skip
            else:
                assert plan.held_because == "needs-person"
                assert not plan.released


@pytest.mark.parametrize("purpose", ["crisis-response", "place-of-safety-handover"])
def test_a_team_always_gets_what_it_needs_to_act(purpose: str) -> None:
    """No combination of facts takes away where, how urgent, how dangerous, whom to phone."""
    needed = {
        "subject.location_now.position", "subject.location_now.description", "subject.identity.names",
        "risk.suicide.attempt_now", "risk.weapon", "risk.physical_red_flags",
        "safety_warnings.#", "safety_warnings.kind", "safety_warnings.advice",
        "safety_warnings.review_by", "subject.contact.safe_to_contact", "dependants.children_present",
        "clock.respond_by", "handover_summary", "staff.call_back_number", "legal_status.detained",
    }  # fmt: skip

    for _, plan in all_plans(purpose):
        if plan.event_type == "referral_made":
            assert needed <= released_whole(plan)


@pytest.mark.parametrize(
    "purpose", ["crisis-response", "place-of-safety-handover", "responder-safety"]
)
def test_no_responder_is_left_without_safety_information(purpose: str) -> None:
    """Whoever attends gets every field whose presence is shown, so nothing is ever only held."""
    shown = {path for path, leaf in LEAVES.items() if leaf.presence == "show"}

    for _, plan in all_plans(purpose):
        assert shown & plan.decisions.keys() <= plan.released.keys()
        assert not any(entry["held"] for entry in plan.manifest["entries"])


def test_withdrawals_reach_everybody_without_waiting() -> None:
    """Whoever was told must hear that it is over."""
    for route in BOOK.routes():
        if BOOK.parties[route.sender].kind is PartyKind.POLICE:
            plan = plan_of(route, event_type="referral_withdrawn")
            assert "withdrawal.reason" in plan.released
            assert plan.held_because == ""


def test_manifests_are_constants_of_their_key() -> None:
    """Agreement, version, purpose, event type and relevant facts decide a manifest, nothing else."""
    manifests: dict[object, object] = {}
    for route in BOOK.routes():
        for event in EVENTS:
            for facts in EVERY_COMBINATION:
                plan = BOOK.plan(*route, event, facts)
                assert manifests.setdefault(plan.key, plan.manifest) == plan.manifest


def test_every_missing_group_is_named_in_the_manifest() -> None:
    """Nothing is withheld silently, in any plan."""
    for _, plan in all_plans():
        lacking = {
            LEAVES[path].group
            for path, decision in plan.decisions.items()
            if decision.effect is not Effect.RELEASE
        }
        assert {entry["group"] for entry in plan.manifest["entries"]} == lacking


def test_no_plan_grants_an_item_without_its_length() -> None:
    """Arrays go with their length or not at all."""
    for _, plan in all_plans():
        for path in plan.released:
            outer = path.rpartition(".")[0]
            if f"{outer}.#" in plan.decisions:
                assert plan.decisions[f"{outer}.#"].effect is Effect.RELEASE


def test_the_second_force_has_no_way_to_the_council() -> None:
    """An agreement between two others is not an agreement with everybody."""
    for purpose in PURPOSES:
        assert BOOK.find("eastmoor-police", "midshire-council", purpose) is None
        assert BOOK.find("eastmoor-police", "midshire-ambulance", purpose) is None


def test_two_teams_can_decline_one_after_the_other() -> None:
    """Both crisis teams get the same, so a second can take what the first does not."""
    first = plan_of(CRISIS)
    second = plan_of(("midshire-police", "northvale-liaison", "crisis-response"))

    assert first.decisions == second.decisions
    assert first.manifest == second.manifest


def test_nobody_needs_a_name_of_staff() -> None:
    """Collar numbers and staff references stay at home."""
    staff = {path for path, leaf in LEAVES.items() if leaf.sensitivity == "S6"}

    assert not any(staff & plan.released.keys() for _, plan in all_plans())


def test_contacts_are_invented() -> None:
    """Telephone numbers come from the range kept for fiction."""
    for route in BOOK.routes():
        clause = BOOK.clause(*route)
        assert "01632 960" in clause.ask
