"""Decisions and plans: default deny, the stronger effect wins, only named facts matter."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.clauses import Rule
from broker.domain.decisions import (
    NOT_GRANTED,
    Decision,
    Effect,
    EventLeaves,
    Plan,
    Reduction,
    strongest,
)
from broker.domain.facts import FROM_SECTIONS
from broker.domain.manifest import SAFETY_FACT, ManifestHead, build_manifest
from broker.domain.planning import decide, fact_combinations, named_facts, relevant_facts
from tests.strategies_agreements import FACTS, SMALL, UPDATE, clause, event, facts, leaf, rules

HEAD = ManifestHead(agreement="a", agreement_version=1, purpose="crisis-response", ask="desk")
some_rules = st.lists(rules(), max_size=6, unique_by=lambda rule: rule.id)


def rule(effect: Effect, *paths: str, name: str = "r", **conditions: frozenset[str]) -> Rule:
    """Return a rule about these leaves."""
    reductions = dict.fromkeys(paths, Reduction.PRESENT) if effect is Effect.REDUCE else {}
    leaves = frozenset(paths)
    return Rule(
        id=name, effect=effect, leaves=leaves, because="-", reductions=reductions, **conditions
    )


def effects(*clause_rules: Rule, given: frozenset[str] = frozenset()) -> dict[str, Effect]:
    """Return the effect on each leaf of the small event."""
    decisions = decide(clause(*clause_rules), SMALL, given)
    return {path: decision.effect for path, decision in decisions.items()}


def manifest_of(*clause_rules: Rule, given: frozenset[str] = frozenset()) -> dict[str, object]:
    """Return the manifest of the small event."""
    relevant, decisions = relevant_facts(clause(*clause_rules), SMALL, given)
    return build_manifest(HEAD, SMALL.leaves, decisions, relevant)


def test_without_rules_everything_is_withheld() -> None:
    """Default deny: a leaf that nobody names does not go."""
    decisions = decide(clause(), SMALL, frozenset())

    assert set(decisions) == set(SMALL.leaves)
    assert {each.effect for each in decisions.values()} == {Effect.WITHHOLD}
    assert {each.clause for each in decisions.values()} == {NOT_GRANTED}


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        (Effect.RELEASE, Effect.REDUCE),
        (Effect.REDUCE, Effect.NEEDS_PERSON),
        (Effect.NEEDS_PERSON, Effect.WITHHOLD),
    ],
)
def test_the_stronger_effect_wins_in_either_order(weaker: Effect, stronger: Effect) -> None:
    """Withhold beats needs a person beats reduce beats release."""
    first, second = rule(weaker, "risk.plain", name="a"), rule(stronger, "risk.plain", name="b")

    assert effects(first, second)["risk.plain"] is stronger
    assert effects(second, first)["risk.plain"] is stronger


def test_equal_effects_are_told_apart_by_clause() -> None:
    """Which of two rules is cited does not depend on which stands first."""
    one = Decision(path="p", effect=Effect.WITHHOLD, clause="a")
    other = Decision(path="p", effect=Effect.WITHHOLD, clause="b")

    assert strongest([one, other], "p") == strongest([other, one], "p") == one


def test_a_rule_applies_only_under_its_conditions() -> None:
    """All of when must hold, none of unless may."""
    conditional = rule(
        Effect.RELEASE, "risk.plain", when=frozenset({"detained"}), unless=frozenset({"out"})
    )

    assert effects(conditional)["risk.plain"] is Effect.WITHHOLD
    assert effects(conditional, given=frozenset({"detained"}))["risk.plain"] is Effect.RELEASE
    assert effects(conditional, given=frozenset({"detained", "out"}))["risk.plain"] is (
        Effect.WITHHOLD
    )


def test_nothing_inside_an_array_goes_without_its_length() -> None:
    """A recipient must not see items of an array it does not know to be there."""
    kind = rule(Effect.RELEASE, "warnings.kind")
    length = rule(Effect.RELEASE, "warnings.#", name="length")

    assert effects(kind)["warnings.kind"] is Effect.WITHHOLD
    assert effects(kind, length)["warnings.kind"] is Effect.RELEASE


def test_nested_arrays_need_both_lengths() -> None:
    """The inner length alone opens nothing."""
    inner = rule(Effect.RELEASE, "warnings.inner.#", "warnings.inner.text")
    outer = rule(Effect.RELEASE, "warnings.#", name="outer")

    assert effects(inner)["warnings.inner.#"] is Effect.WITHHOLD
    assert effects(inner)["warnings.inner.text"] is Effect.WITHHOLD
    assert effects(inner, outer)["warnings.inner.text"] is Effect.RELEASE


def test_withholding_the_length_withholds_what_is_inside() -> None:
    """The clause that withholds the length is the one that is cited."""
    both = rule(Effect.RELEASE, "warnings.#", "warnings.kind")
    hide = rule(Effect.WITHHOLD, "warnings.#", name="hide")

    decision = decide(clause(both, hide), SMALL, frozenset())["warnings.kind"]

    assert (decision.effect, decision.clause) == (Effect.WITHHOLD, "hide")


@given(some_rules, facts)
def test_withhold_always_wins(drawn: list[Rule], given: frozenset[str]) -> None:
    """Whatever else an agreement says, what it withholds does not go."""
    decided = effects(*drawn, given=given)

    for each in drawn:
        if each.effect is Effect.WITHHOLD and each.applies(given):
            assert {decided[path] for path in each.leaves} == {Effect.WITHHOLD}


@given(some_rules.flatmap(lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn))), facts)
def test_the_order_of_rules_is_irrelevant(
    orders: tuple[list[Rule], list[Rule]], given: frozenset[str]
) -> None:
    """Decisions, their clauses and the manifest are the same in any order."""
    one, other = orders

    assert decide(clause(*one), SMALL, given) == decide(clause(*other), SMALL, given)
    assert manifest_of(*one, given=given) == manifest_of(*other, given=given)


@given(some_rules, rules(effects=[Effect.RELEASE], name="more"), facts)
def test_a_further_release_never_releases_less(
    drawn: list[Rule], more: Rule, given: frozenset[str]
) -> None:
    """Adding a release rule can only add leaves."""
    less = decide(clause(*drawn), SMALL, given)
    after = decide(clause(*drawn, more), SMALL, given)

    assert {p for p in less if less[p].is_released} <= {p for p in after if after[p].is_released}


@given(some_rules, rules(effects=[Effect.WITHHOLD, Effect.NEEDS_PERSON], name="less"), facts)
def test_a_further_restriction_never_releases_more(
    drawn: list[Rule], less: Rule, given: frozenset[str]
) -> None:
    """Adding a rule that withholds or asks a person can only take leaves away."""
    before = decide(clause(*drawn), SMALL, given)
    after = decide(clause(*drawn, less), SMALL, given)

    assert {p for p in after if after[p].is_released} <= {
        p for p in before if before[p].is_released
    }


@given(some_rules, facts)
def test_a_protected_leaf_never_goes(drawn: list[Rule], given: frozenset[str]) -> None:
    """Even rules that no file could hold release nothing of class S8 and no raw log."""
    decisions = decide(clause(*drawn), SMALL, given)

    assert not decisions["warnings.source"].is_released
    assert not decisions["log"].is_released


@given(some_rules, facts)
def test_only_named_facts_are_relevant(drawn: list[Rule], given: frozenset[str]) -> None:
    """A plan rests on the facts its rules name, and on the safety fact where that is shown."""
    relevant, decisions = relevant_facts(clause(*drawn), SMALL, given)

    assert relevant <= named_facts(clause(*drawn), SMALL) | {SAFETY_FACT}
    assert decisions == decide(clause(*drawn), SMALL, given)


@given(some_rules, facts, facts)
def test_irrelevant_facts_change_nothing(
    drawn: list[Rule], given: frozenset[str], other: frozenset[str]
) -> None:
    """Two sets of facts with the same relevant part give the same decisions and manifest."""
    one = relevant_facts(clause(*drawn), SMALL, given)
    another = relevant_facts(clause(*drawn), SMALL, other)

    if one[0] == another[0]:
        assert one == another
        assert manifest_of(*drawn, given=given) == manifest_of(*drawn, given=other)


@given(some_rules, facts)
def test_the_enumeration_of_facts_misses_no_plan(drawn: list[Rule], given: frozenset[str]) -> None:
    """Whatever is proved over all combinations is proved for every event."""
    stated = clause(*drawn)
    enumerated = [relevant_facts(stated, SMALL, each) for each in fact_combinations(stated, SMALL)]

    assert relevant_facts(stated, SMALL, given) in enumerated


def test_a_rule_about_another_event_brings_no_fact() -> None:
    """A fact that cannot change this event's view is not disclosed by it."""
    elsewhere = rule(Effect.RELEASE, "outcome.summary", when=frozenset({"detained"}))

    assert named_facts(clause(elsewhere), SMALL) == frozenset()


def test_safety_information_counts_only_while_something_shown_is_withheld() -> None:
    """With every shown leaf released the fact changes nothing, so it is not relevant."""
    shown = [path for path, each in SMALL.leaves.items() if each.presence == "show"]
    grant = rule(Effect.RELEASE, *shown)

    assert relevant_facts(clause(grant), SMALL, frozenset({SAFETY_FACT}))[0] == frozenset()
    assert relevant_facts(clause(), SMALL, frozenset({SAFETY_FACT}))[0] == {SAFETY_FACT}


@given(some_rules, facts, st.frozensets(st.sampled_from(sorted(FROM_SECTIONS & set(FACTS)))))
def test_an_update_that_leaves_sections_out_never_releases_more(
    drawn: list[Rule], given: frozenset[str], left_out: frozenset[str]
) -> None:
    """Whatever held for the referral still binds an update that does not repeat it."""
    first = decide(clause(*drawn), SMALL, given)
    later = decide(clause(*drawn), UPDATE, given - left_out)

    for path, decision in later.items():
        if decision.effect is Effect.RELEASE:
            assert first[path].effect is Effect.RELEASE
        if decision.effect is Effect.REDUCE:
            assert first[path].is_released
            assert first[path].reduction in (None, decision.reduction)


def test_a_refusal_is_not_forgotten_by_an_update() -> None:
    """The update says nothing of consent; what the refusal withheld stays withheld."""
    grant = rule(Effect.RELEASE, "risk.plain", "risk.shown")
    refused = rule(
        Effect.WITHHOLD, "risk.plain", name="refused", when=frozenset({"sharing_refused"})
    )

    first = decide(clause(grant, refused), SMALL, frozenset())
    later = decide(clause(grant, refused), UPDATE, frozenset())

    assert first["risk.plain"].effect is Effect.RELEASE
    assert (later["risk.plain"].effect, later["risk.plain"].clause) == (Effect.WITHHOLD, "refused")
    assert later["risk.shown"].effect is Effect.RELEASE


def test_of_two_possible_reductions_an_update_takes_neither() -> None:
    """Neither reduced form says less than the other, so the case is undecidable."""
    child = frozenset({"subject_is_child"})
    one = rule(Effect.REDUCE, "risk.plain", when=child)
    other = Rule(
        id="other", effect=Effect.REDUCE, leaves=one.leaves, because="-", unless=child,
        reductions=dict.fromkeys(one.leaves, Reduction.COUNT),
    )  # fmt: skip

    assert decide(clause(one, other), UPDATE, frozenset())["risk.plain"].effect is Effect.WITHHOLD
    assert decide(clause(one, other), UPDATE, child)["risk.plain"].effect is Effect.REDUCE


def test_a_decision_that_may_be_missing_is_asked_for() -> None:
    """An update does not repeat the safeguarding decision: a person looks, instead of nobody."""
    decided = frozenset({"safeguarding_concern"})
    first_decide = rule(
        Effect.NEEDS_PERSON, "risk.plain", "risk.shown", name="first", unless=decided
    )
    grant = rule(Effect.RELEASE, "risk.plain")
    never = rule(Effect.WITHHOLD, "risk.sibling", name="never", when=decided)

    decisions = decide(clause(first_decide, grant, never), UPDATE, frozenset())

    assert decisions["risk.plain"].effect is Effect.NEEDS_PERSON
    assert decisions["risk.shown"].effect is Effect.NEEDS_PERSON
    assert decisions["risk.sibling"].clause == "never"


def test_every_event_states_its_own_urgency() -> None:
    """A fact that each event decides is never taken to hold in silence."""
    held_back = rule(Effect.WITHHOLD, "risk.plain", name="b", when=frozenset({"immediate_risk"}))
    grant = rule(Effect.RELEASE, "risk.plain")

    decisions = decide(clause(grant, held_back), UPDATE, frozenset())

    assert decisions["risk.plain"].effect is Effect.RELEASE


def test_the_manifest_names_group_reason_and_clause() -> None:
    """Whoever reads a view sees what is missing, why, and by which clause."""
    manifest = manifest_of(
        rule(Effect.RELEASE, "risk.plain", "risk.shown", "risk.sibling"),
        rule(Effect.REDUCE, "risk.sibling", name="less"),
        rule(Effect.NEEDS_PERSON, "log", name="ask-first"),
        rule(Effect.WITHHOLD, "warnings.source", name="no-source"),
    )

    assert manifest == {
        "agreement": "a",
        "agreement_version": 1,
        "purpose": "crisis-response",
        "entries": [
            {
                "group": "narrative",
                "reason": "needs_a_person",
                "clause": "ask-first",
                "held": False,
            },
            {"group": "risk", "reason": "reduced", "clause": "less", "held": False},
            {"group": "warning", "reason": "not_granted", "clause": None, "held": False},
            {
                "group": "warning",
                "reason": "withheld_by_rule",
                "clause": "no-source",
                "held": False,
            },
        ],
        "ask": "desk",
        "complete": True,
    }


def test_a_withheld_shown_leaf_says_that_something_is_held() -> None:
    """Phone before visiting: only where safety information was recorded, and only there."""
    without = manifest_of()
    recorded = manifest_of(given=frozenset({SAFETY_FACT}))

    assert not any(entry["held"] for entry in without["entries"])
    assert {e["group"] for e in recorded["entries"] if e["held"]} == {"risk", "warning"}


def test_a_concealed_leaf_never_says_that_something_is_held() -> None:
    """The manifest of a view without the concealed value is the same."""
    hidden = event(leaf("secret", "hidden"), leaf("risk.shown", presence="show"))
    relevant, decisions = relevant_facts(clause(), hidden, frozenset({SAFETY_FACT}))

    manifest = build_manifest(HEAD, hidden.leaves, decisions, relevant)

    assert {e["group"] for e in manifest["entries"] if e["held"]} == {"risk"}


def test_a_reduced_shown_leaf_is_not_called_held() -> None:
    """The recipient has its reduced form and the reason, and needs no call."""
    manifest = manifest_of(
        rule(Effect.REDUCE, "risk.shown"),
        rule(Effect.RELEASE, "warnings.#", "warnings.kind", name="w"),
        given=frozenset({SAFETY_FACT}),
    )

    assert not any(entry["held"] for entry in manifest["entries"])


@given(some_rules, facts)
def test_the_manifest_tells_exactly_the_groups_that_lack_something(
    drawn: list[Rule], given: frozenset[str]
) -> None:
    """Nothing is withheld silently, and nothing is announced that is not missing."""
    decisions = decide(clause(*drawn), SMALL, given)
    lacking = {
        SMALL.leaves[path].group
        for path, decision in decisions.items()
        if decision.effect is not Effect.RELEASE
    }

    manifest = manifest_of(*drawn, given=given)

    assert {entry["group"] for entry in manifest["entries"]} == lacking


def plan(decisions: Mapping[str, Decision], **changes: object) -> Plan:
    """Return a plan with these decisions."""
    stated = {
        "agreement_id": "a",
        "agreement_version": 1,
        "recipient": "team",
        "purpose": "crisis-response",
        "event_type": "referral_made",
        "facts": frozenset(),
        "manifest": {},
        "basis": {},
    }
    return Plan(decisions=decisions, **{**stated, **changes})


def test_a_plan_lists_what_goes_and_how() -> None:
    """Released and reduced leaves are there, the others are not."""
    made = plan(
        decide(
            clause(
                rule(Effect.RELEASE, "risk.plain", "risk.shown"),
                rule(Effect.REDUCE, "risk.shown", name="less"),
            ),
            SMALL,
            frozenset(),
        )
    )

    assert made.released == {"risk.plain": None, "risk.shown": Reduction.PRESENT}
    assert made.held_because == ""


def test_a_plan_that_only_waits_is_held_for_a_person() -> None:
    """Nothing goes, and somebody must decide."""
    made = plan(decide(clause(rule(Effect.NEEDS_PERSON, "log")), SMALL, frozenset()))

    assert made.awaiting == ("log",)
    assert made.needs_person
    assert made.held_because == "needs-person"


def test_a_plan_that_releases_something_does_not_wait() -> None:
    """The structured fields go at once; the log waits."""
    waits, goes = rule(Effect.NEEDS_PERSON, "log"), rule(Effect.RELEASE, "risk.plain", name="b")
    made = plan(decide(clause(waits, goes), SMALL, frozenset()))

    assert made.awaiting == ("log",)
    assert made.held_because == ""


def test_a_plan_without_any_grant_is_sent_empty() -> None:
    """An event of which nothing is granted still tells by its envelope that it happened."""
    assert plan(decide(clause(), SMALL, frozenset())).held_because == ""


def test_a_suspended_plan_is_held_whatever_it_grants() -> None:
    """A signed suspension stops the route."""
    made = plan(
        decide(clause(rule(Effect.RELEASE, "risk.plain")), SMALL, frozenset()), is_suspended=True
    )

    assert made.held_because == "suspended"


def test_the_catalogue_fits_what_plans_need() -> None:
    """Plans work on real events without a translation between."""
    from broker.codec.catalogue import load_catalogue

    real: EventLeaves = load_catalogue().event("referral_made")

    assert set(decide(clause(), real, frozenset(FACTS))) == set(real.leaves)
