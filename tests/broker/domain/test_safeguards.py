"""What no agreement may allow, whatever two parties sign."""

import pytest

from broker.codec.catalogue import load_catalogue
from broker.domain.clauses import Rule
from broker.domain.decisions import Effect, Reduction
from broker.domain.facts import CONCEALED
from broker.domain.safeguards import enclosing_lengths, find_breaches
from tests.strategies_agreements import clause

LEAVES = {
    path: leaf for event in load_catalogue().events.values() for path, leaf in event.leaves.items()
}
FEEDBACK = "police-outcome-feedback"


def rule(effect: Effect, *paths: str, name: str = "r", **conditions: frozenset[str]) -> Rule:
    """Return a rule about these leaves."""
    reductions = dict.fromkeys(paths, Reduction.PRESENT) if effect is Effect.REDUCE else {}
    leaves = frozenset(paths)
    return Rule(
        id=name, effect=effect, leaves=leaves, because="-", reductions=reductions, **conditions
    )


def breaches(*rules: Rule, purpose: str = "crisis-response", to_police: bool = False) -> list[str]:
    """Return what a clause with these rules breaks."""
    found = find_breaches(clause(*rules, purpose=purpose), LEAVES, to_police=to_police)
    return [breach for _, breach in found]


def test_an_ordinary_grant_breaks_nothing() -> None:
    """The safeguards leave room for what crisis teams need."""
    assert breaches(rule(Effect.RELEASE, "risk.weapon", "subject.location_now.position")) == []


@pytest.mark.parametrize("effect", [Effect.RELEASE, Effect.REDUCE])
@pytest.mark.parametrize(
    "path",
    [
        "subject.contact.protected_address",
        "safety_warnings.source",
        "safety_warnings.basis",
        "offence.history",
        "incident.log",
        "informant.name",
        "informant.wants_anonymity",
        "changes.paths",
        "unmapped",
    ],
)
def test_protected_leaves_go_by_no_rule(effect: Effect, path: str) -> None:
    """Neither whole nor reduced, not even whether they are there."""
    assert f"`{path}` is never released by rule" in breaches(rule(effect, path))


def test_every_leaf_of_class_s8_is_protected() -> None:
    """The class decides, not a list of names."""
    protected = [path for path, leaf in LEAVES.items() if leaf.sensitivity == "S8"]

    found = breaches(rule(Effect.RELEASE, *protected))

    assert {f"`{path}` is never released by rule" for path in protected} <= set(found)


def test_a_person_may_decide_on_the_log_but_not_on_what_was_never_mapped() -> None:
    """What has no place in the schemas has no reader either."""
    assert breaches(rule(Effect.NEEDS_PERSON, "incident.log", "offence.history")) == []
    assert breaches(rule(Effect.NEEDS_PERSON, "unmapped")) == ["`unmapped` is never released"]


@pytest.mark.parametrize("fact", sorted(CONCEALED))
def test_a_concealed_fact_is_no_condition(fact: str) -> None:
    """Even a rule that withholds would tell, by its clause, that the fact holds."""
    for effect in (Effect.RELEASE, Effect.WITHHOLD):
        found = breaches(rule(effect, "risk.weapon", when=frozenset({fact})))

        assert found == [f"a condition on `{fact}` would tell the recipient that it holds"]


def test_a_condition_that_cannot_hold_is_refused() -> None:
    """A rule that never applies is a mistake, not a rule."""
    both = frozenset({"detained"})

    assert breaches(rule(Effect.RELEASE, "risk.weapon", when=both, unless=both)) == [
        "can never apply: a fact is required and excluded"
    ]


def test_an_investigation_gets_nothing_by_rule() -> None:
    """A person decides each case, however harmless the field."""
    assert breaches(rule(Effect.RELEASE, "incident.urn"), purpose="crime-investigation") == [
        "`incident.urn`: for crime-investigation a person decides each case"
    ]
    assert breaches(rule(Effect.NEEDS_PERSON, "incident.urn"), purpose="crime-investigation") == []


@pytest.mark.parametrize("effect", [Effect.RELEASE, Effect.REDUCE, Effect.NEEDS_PERSON])
@pytest.mark.parametrize(
    "path",
    [path for path in LEAVES if path.startswith("outcome.")],
)
def test_of_an_outcome_only_the_police_outcome_goes_back(effect: Effect, path: str) -> None:
    """Diagnosis, category and session content never do, not even by a person's decision here."""
    allowed = path == "outcome.police_outcome"

    assert (breaches(rule(effect, path), purpose=FEEDBACK, to_police=True) == []) is allowed


def test_the_text_for_the_police_needs_a_confirmation() -> None:
    """A clinician confirmed it, or it stays."""
    path = "outcome.police_summary"
    confirmed = frozenset({"police_release_confirmed"})

    assert breaches(rule(Effect.RELEASE, path), purpose=FEEDBACK, to_police=True) == [
        f"`{path}` goes only when `police_release_confirmed`"
    ]
    assert (
        breaches(rule(Effect.RELEASE, path, when=confirmed), purpose=FEEDBACK, to_police=True) == []
    )


@pytest.mark.parametrize("path", ["acceptance.seen_by", "decline.text", "acceptance.person_ref"])
def test_feedback_is_operational(path: str) -> None:
    """When a patient will be seen, what was said and by whom stays with the team."""
    assert breaches(rule(Effect.RELEASE, path), purpose=FEEDBACK, to_police=True) == [
        f"`{path}` is not operational, and {FEEDBACK} gets nothing else"
    ]


@pytest.mark.parametrize("path", ["triage_assessment.diagnosis", "triage_assessment.medication"])
@pytest.mark.parametrize("purpose", ["missing-or-awol", "responder-safety", "crisis-response"])
def test_health_content_goes_to_the_police_for_no_purpose(path: str, purpose: str) -> None:
    """Calling it by another purpose does not help."""
    assert breaches(rule(Effect.RELEASE, path), purpose=purpose, to_police=True) == [
        f"`{path}` is never released to the police by rule"
    ]
    assert breaches(rule(Effect.RELEASE, path), purpose=purpose) == []


def test_granting_inside_an_array_names_its_length() -> None:
    """Whoever may see the items may see how many there are, and must be told so."""
    kind = rule(Effect.RELEASE, "safety_warnings.kind")
    length = rule(Effect.RELEASE, "safety_warnings.#", name="length")

    assert breaches(kind) == ["grants what is inside an array but not `safety_warnings.#`"]
    assert breaches(kind, length) == []


def test_a_length_under_narrower_conditions_is_not_enough() -> None:
    """Where the items go, the length goes too."""
    kind = rule(Effect.RELEASE, "safety_warnings.kind")
    sometimes = rule(
        Effect.RELEASE, "safety_warnings.#", name="length", when=frozenset({"detained"})
    )

    assert breaches(kind, sometimes) != []


def test_a_reduced_length_is_not_enough() -> None:
    """A count beside the items would be a second truth."""
    kind = rule(Effect.RELEASE, "safety_warnings.kind")
    reduced = rule(Effect.REDUCE, "safety_warnings.#", name="length")

    assert breaches(kind, reduced) != []


def test_two_reductions_of_one_leaf_must_not_meet() -> None:
    """The order of rules would decide; so the file is refused."""
    path = frozenset({"subject.identity.birth_date"})
    detained = frozenset({"detained"})
    band = Rule(
        id="band", effect=Effect.REDUCE, leaves=path, because="-",
        reductions=dict.fromkeys(path, Reduction.AGE_BAND), when=detained,
    )  # fmt: skip
    year = {"effect": Effect.REDUCE, "leaves": path, "because": "-"}
    year["reductions"] = dict.fromkeys(path, Reduction.YEAR_OF_BIRTH)

    meeting = breaches(band, Rule(id="year", **year))
    apart = breaches(band, Rule(id="year", unless=detained, **year))

    assert meeting == ["`subject.identity.birth_date` is reduced another way by rule `band`"]
    assert apart == []


def test_lengths_of_arrays_are_found_from_the_outside_in() -> None:
    """A leaf names the arrays it stands in; a length does not stand in itself."""
    assert enclosing_lengths("dependants.children.name", LEAVES) == ("dependants.children.#",)
    assert enclosing_lengths("dependants.children.#", LEAVES) == ()
    assert enclosing_lengths("risk.weapon", LEAVES) == ()
