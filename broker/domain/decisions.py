"""
What an agreement says of one event type under given facts: a decision for every leaf.

The stronger effect wins, whatever the order of the rules: withhold, needs a person, reduce, release.
A leaf that no rule names is withheld.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from broker.domain.reductions import Reduction

__all__ = [
    "NEEDS_PERSON",
    "NOT_GRANTED",
    "SUSPENDED",
    "Decision",
    "Effect",
    "EventLeaves",
    "LeafTags",
    "Plan",
    "Reduction",
    "strongest",
]

NOT_GRANTED: Final = "not-granted"
"""Stands for the clause where no rule names a leaf."""

NEEDS_PERSON: Final = "needs-person"
SUSPENDED: Final = "suspended"


class Effect(StrEnum):
    """What happens to a leaf; a later member beats an earlier one."""

    RELEASE = "release"
    REDUCE = "reduce"
    NEEDS_PERSON = "needs-person"
    WITHHOLD = "withhold"


_STRENGTH: Final = {effect: strength for strength, effect in enumerate(Effect)}


class LeafTags(Protocol):
    """What a decision needs to know of a leaf; `broker.codec.catalogue.Leaf` fits."""

    @property
    def path(self) -> str:
        """From the record of the event, e.g. ``subject.identity.birth_date``."""
        ...

    @property
    def group(self) -> str:
        """What agreements grant together."""
        ...

    @property
    def sensitivity(self) -> str:
        """``S0`` to ``S8``."""
        ...

    @property
    def presence(self) -> str:
        """``show`` or ``conceal``."""
        ...

    @property
    def since(self) -> int:
        """Catalogue version that brought it."""
        ...

    @property
    def avro_type(self) -> Any:
        """Its type without the null branch."""
        ...

    @property
    def is_length(self) -> bool:
        """Whether it is the length of an array of records."""
        ...


class EventLeaves(Protocol):
    """What a plan needs to know of an event; `broker.codec.catalogue.EventSchema` fits."""

    @property
    def event_type(self) -> str:
        """E.g. ``referral_made``."""
        ...

    @property
    def leaves(self) -> Mapping[str, LeafTags]:
        """By path, in canonical order; of the body only."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    What happens to one leaf, and which rule says so.

    Attributes:
        path: Leaf path.
        effect: RELEASE, REDUCE, NEEDS_PERSON or WITHHOLD.
        clause: Id of the rule, or `NOT_GRANTED`.
        reduction: With REDUCE only.
    """

    path: str
    effect: Effect
    clause: str
    reduction: Reduction | None = None

    @property
    def is_released(self) -> bool:
        """Whether the recipient gets it, whole or reduced."""
        return self.effect in (Effect.RELEASE, Effect.REDUCE)


def strongest(decisions: Iterable[Decision], path: str) -> Decision:
    """
    Return the decision that wins for *path*; without any, the leaf is not granted.

    Equal effects are told apart by clause, so that the order of rules never matters.
    """
    default = Decision(path=path, effect=Effect.WITHHOLD, clause=NOT_GRANTED)
    return min(decisions, key=lambda each: (-_STRENGTH[each.effect], each.clause), default=default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Everything that is the same for all events of one type under the same relevant facts.

    Attributes:
        agreement_id: Which agreement says so.
        agreement_version: Which version of it.
        agreement_digest: SHA-256 of its file, hex; empty if it came from no file.
        recipient: Party id.
        purpose: Purpose code.
        event_type: E.g. ``referral_made``.
        facts: Of the facts that the clause names, those that hold. No other fact changes a plan.
        decisions: By leaf path, in canonical order; every leaf of the event has one.
        manifest: Native form of `crisis.types.Manifest`.
        basis: Lawful and confidentiality bases by name.
        overdue_days: Days the agreement was past its end or review when it was loaded.
        is_suspended: Whether a signed suspension stops this purpose.
    """

    agreement_id: str
    agreement_version: int
    agreement_digest: str = ""
    recipient: str
    purpose: str
    event_type: str
    facts: frozenset[str]
    decisions: Mapping[str, Decision]
    manifest: Mapping[str, Any]
    basis: Mapping[str, str]
    overdue_days: int = 0
    is_suspended: bool = False

    @property
    def key(self) -> tuple[str, int, str, str, str, frozenset[str]]:
        """Return what tells this plan from any other; fit for a cache."""
        return (
            self.agreement_id,
            self.agreement_version,
            self.recipient,
            self.purpose,
            self.event_type,
            self.facts,
        )

    @property
    def released(self) -> Mapping[str, Reduction | None]:
        """Return the leaves the recipient gets, each with its reduction or None."""
        return {
            path: decision.reduction
            for path, decision in self.decisions.items()
            if decision.is_released
        }

    @property
    def awaiting(self) -> tuple[str, ...]:
        """Return the leaves that only a named person can let go."""
        found = self.decisions.values()
        return tuple(each.path for each in found if each.effect is Effect.NEEDS_PERSON)

    @property
    def needs_person(self) -> bool:
        """Whether nothing may go until a named person decides."""
        return bool(self.awaiting) and not self.released

    @property
    def held_because(self) -> str:
        """Return why nothing may go now, as a stable name; empty if a view can go."""
        if self.is_suspended:
            return SUSPENDED
        return NEEDS_PERSON if self.needs_person else ""
