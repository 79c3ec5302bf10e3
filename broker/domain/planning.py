"""Works out the plan of one clause for one event type: pure, and independent of the rules' order."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Final

from broker.domain.clauses import PurposeClause
from broker.domain.decisions import NOT_GRANTED, Decision, Effect, EventLeaves, LeafTags, strongest
from broker.domain.facts import FROM_SECTIONS
from broker.domain.manifest import SAFETY_FACT, withholds_shown
from broker.domain.safeguards import enclosing_lengths, never_by_rule

FIRST_EVENT: Final = "referral_made"

NEVER_RELEASED: Final = "never-by-rule"
"""Stands for the clause where no agreement could have released a leaf."""


def named_facts(clause: PurposeClause, event: EventLeaves) -> frozenset[str]:
    """Return the facts that can matter to an event's plan: those of rules about its leaves."""
    about = (rule for rule in clause.rules if not rule.leaves.isdisjoint(event.leaves))
    return frozenset().union(*(rule.facts for rule in about))


def decide(
    clause: PurposeClause, event: EventLeaves, facts: frozenset[str]
) -> Mapping[str, Decision]:
    """
    Return a decision for every leaf of an event, in canonical order; by default withhold.

    Where a fact is undecided, the strictest of what it may lead to counts.
    """
    readings = [_decide(clause, event, each) for each in _possible(clause, event, facts)]
    decisions = {path: _strictest(path, readings) for path in event.leaves}
    return MappingProxyType(
        {path: _inside(decision, decisions, event.leaves) for path, decision in decisions.items()}
    )


def relevant_facts(
    clause: PurposeClause, event: EventLeaves, facts: frozenset[str]
) -> tuple[frozenset[str], Mapping[str, Decision]]:
    """Return the part of *facts* that the plan rests on, and the decisions."""
    relevant = facts & named_facts(clause, event)
    decisions = decide(clause, event, relevant)
    if withholds_shown(event.leaves, decisions):
        relevant |= facts & {SAFETY_FACT}
    return relevant, decisions


def fact_combinations(clause: PurposeClause, event: EventLeaves) -> Iterator[frozenset[str]]:
    """Yield every combination of facts that can give a plan of its own."""
    return _subsets(named_facts(clause, event) | {SAFETY_FACT})


def _possible(
    clause: PurposeClause, event: EventLeaves, facts: frozenset[str]
) -> Iterator[frozenset[str]]:
    # After the first event, not to be derived does not mean not to hold: somebody refused
    # yesterday, and today's update says nothing of consent.
    undecided: frozenset[str] = frozenset()
    if event.event_type != FIRST_EVENT:
        undecided = (named_facts(clause, event) & FROM_SECTIONS) - facts
    return (facts | more for more in _subsets(undecided))


def _subsets(names: frozenset[str]) -> Iterator[frozenset[str]]:
    for count in range(len(names) + 1):
        yield from map(frozenset, combinations(sorted(names), count))


def _decide(
    clause: PurposeClause, event: EventLeaves, facts: frozenset[str]
) -> Mapping[str, Decision]:
    rules = [rule for rule in clause.rules if rule.applies(facts)]
    return {
        path: _guard(leaf, strongest((r.decide(path) for r in rules if path in r.leaves), path))
        for path, leaf in event.leaves.items()
    }


def _strictest(path: str, readings: Sequence[Mapping[str, Decision]]) -> Decision:
    found = [reading[path] for reading in readings]
    # A leaf that one reading does not grant and another leaves to a person waits for that person.
    ruled = [each for each in found if not each.is_released and each.clause != NOT_GRANTED]
    winner = strongest(ruled or found, path)
    if winner.reduction and {each.reduction for each in found} - {None, winner.reduction}:
        # Of two reduced forms neither says less than the other.
        return Decision(path=path, effect=Effect.WITHHOLD, clause=winner.clause)
    return winner


def _guard(leaf: LeafTags, decision: Decision) -> Decision:
    if decision.is_released and never_by_rule(leaf):
        return Decision(path=leaf.path, effect=Effect.WITHHOLD, clause=NEVER_RELEASED)
    return decision


def _inside(
    decision: Decision, decisions: Mapping[str, Decision], leaves: Mapping[str, LeafTags]
) -> Decision:
    # INVARIANT: what is inside an array never goes without the array's length.
    if not decision.is_released:
        return decision
    for length in enclosing_lengths(decision.path, leaves):
        if decisions[length].effect is not Effect.RELEASE:
            clause = decisions[length].clause
            return Decision(path=decision.path, effect=Effect.WITHHOLD, clause=clause)
    return decision
