"""
Who holds responsibility for a referral, and what is due next; never nobody.

Delivered, acknowledged, accepted and seen are four facts; only two things move responsibility away
from its holder: an acceptance and a phone hand-over. A decline moves nothing: whoever holds the
referral holds it until a named person takes it back or another team accepts. Time is an argument
of every step, so that the same events give the same answer whenever they are read.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from types import MappingProxyType
from typing import Final

ACCEPT_WITHIN: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "immediate": timedelta(minutes=10),
        "unknown": timedelta(minutes=10),
        "urgent": timedelta(minutes=30),
        "soon": timedelta(hours=2),
        "routine": timedelta(hours=24),
    }
)
"""From the making to somebody's acceptance; an unknown urgency counts as the highest."""

REACT_WITHIN: Final = timedelta(minutes=5)
"""From a decline that nobody else has made good to a person taking the referral back."""


class Stage(StrEnum):
    """How far a referral, or one recipient's part in it, has come."""

    MADE = "made"
    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    TAKEN_BACK = "taken back"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class Flag(StrEnum):
    """What a person should look at, although nothing was refused."""

    SECOND_ACCEPT = "second-accept"
    OUTCOME_BEFORE_ACCEPT = "outcome-before-accept"
    AFTER_WITHDRAWAL = "after-withdrawal"
    AFTER_CLOSE = "after-close"


class Due(StrEnum):
    """What has to happen by a deadline."""

    ACCEPT = "accept by"
    REACT = "take back by"
    SEEN = "seen by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """What is due next, and when."""

    what: Due
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """
    Who is responsible for the person now.

    Attributes:
        party: Party id; never empty.
        team: In the party's own words; empty where it named none.
        role: Of the person who took it over; empty for the sender.
        since: When responsibility came to them.
    """

    party: str
    since: datetime
    team: str = ""
    role: str = ""

    @property
    def title(self) -> str:
        """Return the team, or the party where it named no team."""
        return self.team or self.party


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One lifecycle event, reduced to what responsibility depends on.

    Attributes:
        event_type: Symbol of `crisis.types.EventType`.
        party: Who sent it.
        at: When it happened.
        rank: Urgency, of a ``referral_made`` or an update that changes it.
        team: Who takes over: of an acceptance or a phone hand-over.
        role: Role of the named person.
        due_at: Accept-by of a making, seen-by of an acceptance; None leaves it to the urgency.
        to_party: Whom a phone hand-over goes to, if the event says so.
    """

    event_type: str
    party: str
    at: datetime
    rank: str = ""
    team: str = ""
    role: str = ""
    due_at: datetime | None = None
    to_party: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """
    One referral after some steps.

    Attributes:
        sender: Who made it, and to whom it falls back.
        made_at: Start of the clocks.
        rank: Urgency.
        holder: Who is responsible now.
        stage: The furthest that anybody has taken it.
        parts: Stage of each recipient that answered.
        deadline: None once nothing is awaited any more.
        flags: What a person should look at.
        accepted_at: Of the acceptance that counts.
    """

    sender: str
    made_at: datetime
    rank: str
    holder: Holder
    stage: Stage = Stage.MADE
    parts: Mapping[str, Stage] = field(default_factory=dict)
    deadline: Deadline | None = None
    flags: frozenset[Flag] = frozenset()
    accepted_at: datetime | None = None

    @property
    def is_answered(self) -> bool:
        """Whether a team has accepted it, or at least one has declined it."""
        return self.accepted_at is not None or Stage.DECLINED in self.parts.values()


def begin(step: Step) -> Referral:
    """Open a referral with its making: the sender holds it until somebody else does."""
    rank = step.rank if step.rank in ACCEPT_WITHIN else "unknown"
    due = step.due_at or step.at + ACCEPT_WITHIN[rank]
    return Referral(
        sender=step.party,
        made_at=step.at,
        rank=rank,
        holder=Holder(party=step.party, since=step.at),
        deadline=Deadline(what=Due.ACCEPT, at=due),
    )


def advance(referral: Referral, step: Step) -> Referral:
    """Return the referral after one more step; a step never heard of changes nothing."""
    take = _STEPS.get(step.event_type)
    return _flag_late(take(referral, step), referral) if take else referral


def follow(steps: Iterable[Step]) -> Referral | None:
    """Return the referral after all steps, of which the first must be its making; None without."""
    steps = iter(steps)
    first = next(steps, None)
    return None if first is None else reduce(advance, steps, begin(first))


def _received(referral: Referral, step: Step) -> Referral:
    return _reach(referral, step, Stage.RECEIVED)


def _acknowledged(referral: Referral, step: Step) -> Referral:
    return _reach(referral, step, Stage.ACKNOWLEDGED)


def _accepted(referral: Referral, step: Step) -> Referral:
    if referral.accepted_at is not None and not _is_holder(referral.holder, step):
        # The first team keeps it: two teams that each rely on the other would be nobody's.
        flagged = referral.flags | {Flag.SECOND_ACCEPT}
        return replace(_part(referral, step, Stage.ACCEPTED), flags=flagged)
    seen_by = Deadline(what=Due.SEEN, at=step.due_at) if step.due_at else None
    moved = _reach(referral, step, Stage.ACCEPTED)
    # Who took it over by phone has had it since then; the message only confirms it.
    since = referral.accepted_at or step.at
    return replace(moved, holder=_take_over(step, step.party), accepted_at=since, deadline=seen_by)


def _declined(referral: Referral, step: Step) -> Referral:
    after = _part(referral, step, Stage.DECLINED)
    held_elsewhere = referral.accepted_at is not None and referral.holder.party != step.party
    if held_elsewhere or referral.stage in (Stage.WITHDRAWN, Stage.CLOSED):
        return after
    react = Deadline(what=Due.REACT, at=step.at + REACT_WITHIN)
    sooner = min((each for each in (referral.deadline, react) if each), key=lambda due: due.at)
    return replace(after, stage=Stage.DECLINED, deadline=sooner, accepted_at=None)


def _handed_over(referral: Referral, step: Step) -> Referral:
    to_party = step.to_party or (step.party if step.party != referral.sender else "")
    holder = _take_over(step, to_party or step.team or referral.holder.party)
    return replace(
        referral, holder=holder, stage=Stage.ACCEPTED, accepted_at=step.at, deadline=None
    )


def _taken_back(referral: Referral, step: Step) -> Referral:
    holder = Holder(party=referral.sender, since=step.at, role=step.role)
    due = Deadline(what=Due.ACCEPT, at=step.at + ACCEPT_WITHIN[referral.rank])
    return replace(referral, holder=holder, stage=Stage.TAKEN_BACK, accepted_at=None, deadline=due)


def _withdrawn(referral: Referral, step: Step) -> Referral:
    holder = Holder(party=referral.sender, since=step.at, role=step.role)
    return replace(referral, holder=holder, stage=Stage.WITHDRAWN, deadline=None)


def _outcome(referral: Referral, step: Step) -> Referral:
    early = referral.accepted_at is None
    flags = referral.flags | ({Flag.OUTCOME_BEFORE_ACCEPT} if early else set())
    after = _part(referral, step, Stage.CLOSED)
    if early:
        # An outcome that nobody took responsibility for closes nothing.
        return replace(after, flags=flags)
    return replace(after, stage=Stage.CLOSED, deadline=None)


_STEPS: Final[Mapping[str, Callable[[Referral, Step], Referral]]] = MappingProxyType(
    {
        "referral_received": _received,
        "referral_acknowledged": _acknowledged,
        "referral_accepted": _accepted,
        "referral_declined": _declined,
        "referral_phone_handover": _handed_over,
        "referral_taken_back": _taken_back,
        "referral_withdrawn": _withdrawn,
        "referral_outcome": _outcome,
    }
)

_ORDER: Final = tuple(Stage)


def _part(referral: Referral, step: Step, stage: Stage) -> Referral:
    return replace(referral, parts={**referral.parts, step.party: stage})


def _reach(referral: Referral, step: Step, stage: Stage) -> Referral:
    """Move forward only: a receipt that arrives after the acceptance takes nothing back."""
    part = referral.parts.get(step.party)
    if part is None or _ORDER.index(part) < _ORDER.index(stage):
        referral = _part(referral, step, stage)
    if referral.stage in (Stage.WITHDRAWN, Stage.CLOSED):
        return referral
    open_again = stage is Stage.ACCEPTED or _ORDER.index(referral.stage) < _ORDER.index(stage)
    return replace(referral, stage=stage) if open_again else referral


def _is_holder(holder: Holder, step: Step) -> bool:
    """Whether a step comes from the holder; on the phone a team may have been named, not a party."""
    same_team = bool(step.team) and step.team.casefold() == holder.team.casefold()
    return holder.party == step.party or (same_team and holder.party == holder.team)


def _take_over(step: Step, party: str) -> Holder:
    return Holder(party=party, team=step.team, role=step.role, since=step.at)


def _flag_late(after: Referral, before: Referral) -> Referral:
    late = {Stage.WITHDRAWN: Flag.AFTER_WITHDRAWAL, Stage.CLOSED: Flag.AFTER_CLOSE}
    flag = late.get(before.stage)
    return replace(after, flags=after.flags | {flag}) if flag and after != before else after
