"""Hypothesis strategies for rules and clauses over a small event that has every kind of leaf."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from broker.codec.catalogue import Leaf
from broker.domain.clauses import PurposeClause, Rule
from broker.domain.decisions import Effect, Reduction

FACTS = ("immediate_risk", "detained", "subject_is_child")
"""The first is decided by every event, the others by sections that later events may leave out."""


@dataclass(frozen=True, eq=False)
class SmallEvent:
    """An event as plans see it."""

    event_type: str
    leaves: Mapping[str, Leaf]


def leaf(
    path: str, group: str = "risk", sensitivity: str = "S3", presence: str = "conceal", **tags: Any
) -> Leaf:
    """Return a leaf with tags that no rule trips over."""
    tags = {"doc": "", "since": 1, "avro_type": "string", **tags}
    return Leaf(path=path, group=group, sensitivity=sensitivity, presence=presence, **tags)


def event(*leaves: Leaf, event_type: str = "referral_made") -> SmallEvent:
    """Return an event of these leaves, in this order."""
    return SmallEvent(event_type, MappingProxyType({each.path: each for each in leaves}))


SMALL = event(
    leaf("risk.plain"),
    leaf("risk.shown", presence="show"),
    leaf("risk.sibling"),
    leaf("warnings.#", "warning", presence="show", avro_type="int", is_length=True),
    leaf("warnings.kind", "warning", presence="show"),
    leaf("warnings.source", "warning", sensitivity="S8"),
    leaf("warnings.inner.#", "warning", avro_type="int", is_length=True),
    leaf("warnings.inner.text", "warning"),
    leaf("log", "narrative", sensitivity="S8"),
)

UPDATE = SmallEvent("referral_updated", SMALL.leaves)
"""The same leaves in a later event, which may leave sections out."""

facts = st.frozensets(st.sampled_from((*FACTS, "safety_information_recorded")))


@st.composite
def rules(draw: st.DrawFn, effects: Sequence[Effect] = tuple(Effect), name: str = "r") -> Rule:
    """Draw one rule; its conditions can hold together."""
    leaves = draw(st.frozensets(st.sampled_from(sorted(SMALL.leaves)), min_size=1))
    when = draw(st.frozensets(st.sampled_from(FACTS), max_size=2))
    effect = draw(st.sampled_from(effects))
    return Rule(
        id=f"{name}.{draw(st.integers(0, 999))}",
        effect=effect,
        leaves=leaves,
        because="it is drawn",
        reductions=dict.fromkeys(leaves, Reduction.PRESENT) if effect is Effect.REDUCE else {},
        when=when,
        unless=draw(st.frozensets(st.sampled_from(FACTS), max_size=2)) - when,
    )


def clause(*clause_rules: Rule, purpose: str = "crisis-response", **changes: Any) -> PurposeClause:
    """Return a clause from ``police`` to ``team`` with these rules."""
    stated = {"senders": ("police",), "recipients": ("team",), "ask": "desk, 01632 960000"}
    return PurposeClause(purpose=purpose, rules=tuple(clause_rules), **{**stated, **changes})
