"""
What no agreement may allow, whatever two parties sign.

Checked twice: when a file is loaded, with the place that breaks a rule, and again in every plan,
where a leaf that is never released by rule stays withheld even if an agreement was built by hand.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from broker.domain.clauses import PurposeClause, Rule
from broker.domain.decisions import Effect, LeafTags
from broker.domain.facts import CONCEALED
from broker.domain.purposes import PURPOSES, Purpose, Release

Breach = tuple[str, str]
"""Rule id, and what it breaks."""

NEVER_GROUPS: Final = frozenset({"unmapped", "narrative", "informant", "envelope", "internal"})
"""
Groups no rule releases. An informant's wish to stay unknown cannot be a condition, because the
condition itself would tell that there is one; so nothing of an informant goes by rule.
"""

NEVER_AT_ALL: Final = frozenset({"unmapped", "envelope", "internal"})
"""Groups that not even a person's decision can release."""

NEVER_PATHS: Final = frozenset({"changes.paths"})
"""The list of changed paths names fields that the recipient may not know of."""

FEEDBACK: Final = "police-outcome-feedback"
POLICE_SUMMARY: Final = "outcome.police_summary"
POLICE_OUTCOME: Final = "outcome.police_outcome"
CONFIRMED: Final = "police_release_confirmed"

HEALTH_CONTENT: Final = frozenset({"triage_assessment", "outcome"})
"""Groups of which the police get nothing by rule but the outcome written for them."""


def never_by_rule(leaf: LeafTags) -> bool:
    """Tell whether no rule can release a leaf: protected, narrative, informant, unmapped."""
    return leaf.sensitivity == "S8" or leaf.group in NEVER_GROUPS or leaf.path in NEVER_PATHS


def enclosing_lengths(path: str, leaves: Mapping[str, LeafTags]) -> tuple[str, ...]:
    """Return the length leaves of the arrays that a leaf stands in, outermost first."""
    names = path.split(".")
    stems = (".".join(names[:count]) for count in range(1, len(names)))
    return tuple(length for stem in stems if (length := f"{stem}.#") in leaves and length != path)


def find_breaches(
    clause: PurposeClause, leaves: Mapping[str, LeafTags], *, to_police: bool
) -> list[Breach]:
    """
    List everything in a clause that no agreement may allow.

    Args:
        clause: Its leaves are known ones.
        leaves: Every leaf of every event.
        to_police: Whether a recipient is a police party.
    """
    breaches = [breach for rule in clause.rules for breach in _in_rule(clause, rule, leaves)]
    if to_police:
        breaches += [breach for rule in clause.rules for breach in _health_content(rule, leaves)]
    breaches += _without_length(clause, leaves)
    breaches += _two_reductions(clause)
    return breaches


def _in_rule(clause: PurposeClause, rule: Rule, leaves: Mapping[str, LeafTags]) -> Iterator[Breach]:
    if rule.when & rule.unless:
        yield rule.id, "can never apply: a fact is required and excluded"
    for fact in sorted(rule.facts & CONCEALED):
        yield rule.id, f"a condition on `{fact}` would tell the recipient that it holds"
    for leaf in (leaves[path] for path in sorted(rule.leaves)):
        if rule.grants and never_by_rule(leaf):
            yield rule.id, f"`{leaf.path}` is never released by rule"
        if rule.effect is Effect.NEEDS_PERSON and leaf.group in NEVER_AT_ALL:
            yield rule.id, f"`{leaf.path}` is never released"
        yield from _against_purpose(PURPOSES[clause.purpose], rule, leaf)


def _against_purpose(purpose: Purpose, rule: Rule, leaf: LeafTags) -> Iterator[Breach]:
    if purpose.release is Release.BY_PERSON and rule.grants:
        yield rule.id, f"`{leaf.path}`: for {purpose.code} a person decides each case"
    if purpose.code == FEEDBACK and leaf.group == "outcome":
        yield from _feedback(rule, leaf)
    elif purpose.release is Release.OPERATIONAL and rule.grants and leaf.sensitivity != "S0":
        yield rule.id, f"`{leaf.path}` is not operational, and {purpose.code} gets nothing else"


def _feedback(rule: Rule, leaf: LeafTags) -> Iterator[Breach]:
    if rule.effect is Effect.WITHHOLD or leaf.path == POLICE_OUTCOME:
        return
    if leaf.path != POLICE_SUMMARY:
        yield rule.id, f"`{leaf.path}` never goes back to the police"
    elif CONFIRMED not in rule.when:
        yield rule.id, f"`{leaf.path}` goes only when `{CONFIRMED}`"


def _health_content(rule: Rule, leaves: Mapping[str, LeafTags]) -> Iterator[Breach]:
    for path in sorted(rule.leaves - {POLICE_OUTCOME, POLICE_SUMMARY}):
        if rule.grants and leaves[path].group in HEALTH_CONTENT:
            yield rule.id, f"`{path}` is never released to the police by rule"


def _without_length(clause: PurposeClause, leaves: Mapping[str, LeafTags]) -> Iterator[Breach]:
    releasing = [rule for rule in clause.rules if rule.effect is Effect.RELEASE]
    for rule in (rule for rule in clause.rules if rule.grants):
        lengths = {each for path in rule.leaves for each in enclosing_lengths(path, leaves)}
        for length in sorted(lengths):
            if not any(length in other.leaves and other.covers(rule) for other in releasing):
                yield rule.id, f"grants what is inside an array but not `{length}`"


def _two_reductions(clause: PurposeClause) -> Iterator[Breach]:
    reducing = [rule for rule in clause.rules if rule.effect is Effect.REDUCE]
    for place, rule in enumerate(reducing):
        for other in reducing[place + 1 :]:
            for path in sorted(rule.leaves & other.leaves):
                differ = rule.reductions[path] is not other.reductions[path]
                if differ and rule.meets(other):
                    yield other.id, f"`{path}` is reduced another way by rule `{rule.id}`"
