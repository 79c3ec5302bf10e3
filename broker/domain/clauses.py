"""The parts of an agreement: who signed, and per purpose what may go from whom to whom, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from broker.domain.decisions import Decision, Effect, Reduction


class PartyKind(StrEnum):
    """What kind of organisation a party belongs to."""

    POLICE = "police"
    MENTAL_HEALTH = "mental-health"
    AMBULANCE = "ambulance"
    LOCAL_AUTHORITY = "local-authority"
    ACUTE_HOSPITAL = "acute-hospital"
    PRIMARY_CARE = "primary-care"
    VOLUNTARY = "voluntary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """
    A sender or recipient: one team, desk or control room.

    Attributes:
        id: As routes and keys state it.
        name: For people.
        kind: What kind of organisation it belongs to.
        organisation: Who answers for it and signs.
    """

    id: str
    name: str
    kind: PartyKind
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signed for an organisation, in which role, when."""

    organisation: str
    name: str
    role: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A signed decision to stop sharing; nothing else narrows an agreement in force."""

    signed_by: str
    at: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    One sentence of an agreement.

    Attributes:
        id: Unique in its agreement; decisions and manifests cite it.
        effect: What it does to its leaves.
        leaves: Leaf paths; groups are spelt out.
        reductions: With REDUCE, the reduced form of each leaf.
        when: Facts that must hold for it to apply.
        unless: Facts of which none may hold.
        because: Why the parties agreed on it.
    """

    id: str
    effect: Effect
    leaves: frozenset[str]
    because: str
    reductions: Mapping[str, Reduction] = field(default_factory=lambda: MappingProxyType({}))
    when: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()

    @property
    def facts(self) -> frozenset[str]:
        """Return the facts it names."""
        return self.when | self.unless

    @property
    def grants(self) -> bool:
        """Whether the recipient gets something by it."""
        return self.effect in (Effect.RELEASE, Effect.REDUCE)

    def applies(self, facts: frozenset[str]) -> bool:
        """Tell whether it applies to an event for which these facts hold."""
        return self.when <= facts and not self.unless & facts

    def meets(self, other: "Rule") -> bool:
        """Tell whether any event is subject to both rules."""
        return not (self.when | other.when) & (self.unless | other.unless)

    def covers(self, other: "Rule") -> bool:
        """Tell whether it applies to every event that *other* applies to."""
        return self.when <= other.when and self.unless <= other.unless

    def decide(self, path: str) -> Decision:
        """Return what it says of one of its leaves."""
        return Decision(
            path=path, effect=self.effect, clause=self.id, reduction=self.reductions.get(path)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeClause:
    """
    What an agreement allows for one purpose.

    Attributes:
        purpose: Purpose code.
        senders: Party ids.
        recipients: Party ids; each gets the same.
        rules: In any order; see `broker.domain.decisions`.
        basis: Lawful bases and the basis in confidentiality, by name.
        ask: Desk and number for whoever needs more than the view holds.
        obligations: What the recipient undertakes.
        retention: How long the recipient keeps it, in words.
        onward_sharing: To whom the recipient may pass it on, in words.
        suspension: Stops this purpose only.
    """

    purpose: str
    senders: tuple[str, ...]
    recipients: tuple[str, ...]
    rules: tuple[Rule, ...]
    ask: str
    basis: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    obligations: tuple[str, ...] = ()
    retention: str = ""
    onward_sharing: str = "none"
    suspension: Suspension | None = None
