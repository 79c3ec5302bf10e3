"""
What has happened, referral by referral, as the topics tell it.

Pure: records in, cases out. The same records give the same chronicle in whatever order the topics
are read, except that the events of one referral keep theirs.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from broker.domain.lifecycle import Referral, Step, advance, begin

Native = Mapping[str, Any]
Place = tuple[int, int]
"""Partition and offset in `events`."""

_SECTIONS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "referral_accepted": ("acceptance", "team", "role", "seen_by"),
    "referral_phone_handover": ("phone_handover", "to_team", "to_role", ""),
    "referral_declined": ("decline", "team", "role", ""),
    "referral_taken_back": ("take_back", "", "by_role", ""),
    "referral_withdrawn": ("withdrawal", "", "by_role", ""),
    "referral_acknowledged": ("acknowledgement", "team", "role", ""),
}
"""Section of the body, and its fields for team, role and deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One event of the log.

    Attributes:
        place: Where it stands in `events`.
        native: Envelope and body, decoded.
        size_bytes: Of the record's value.
        seen_at_ms: The log's own timestamp.
    """

    place: Place
    native: Native
    size_bytes: int
    seen_at_ms: int

    @property
    def envelope(self) -> Native:
        """Return the whole envelope."""
        found: Native = self.native["envelope"]
        return found

    @property
    def event_id(self) -> str:
        """Return its id."""
        return str(self.envelope["event_id"])

    @property
    def event_type(self) -> str:
        """Return its type."""
        return str(self.envelope["event_type"])

    @property
    def sender(self) -> str:
        """Return who sent it."""
        return str(self.envelope["sender"])

    @property
    def routes(self) -> frozenset[tuple[str, str]]:
        """Return its addressees, each once."""
        return frozenset((each["recipient"], each["purpose"]) for each in self.envelope["routes"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSeen:
    """One view of a release topic."""

    recipient: str
    purpose: str
    release_id: str
    native: Native
    schema: Native
    value: bytes
    seen_at_ms: int

    @property
    def event_id(self) -> str:
        """Return the id of the event it was cut from."""
        return str(self.native["envelope"]["event_id"])

    @property
    def referral_id(self) -> str:
        """Return the id of its referral."""
        return str(self.native["envelope"]["referral_id"])

    @property
    def event_type(self) -> str:
        """Return its type."""
        return str(self.native["envelope"]["event_type"])


@dataclass(slots=True, kw_only=True)
class Case:
    """One referral: its events in order, and what follows from them."""

    referral_id: str
    events: list[Event] = field(default_factory=list)
    state: Referral | None = None

    @property
    def code(self) -> str:
        """Return a short name that can be read out."""
        return short_code(self.referral_id)

    @property
    def made(self) -> Event:
        """Return the making."""
        return next(event for event in self.events if event.event_type == "referral_made")

    def has(self, party: str, event_type: str) -> bool:
        """Whether a party has sent an event of this type."""
        return any((each.sender, each.event_type) == (party, event_type) for each in self.events)

    def last(self, event_type: str) -> Event | None:
        """Return the last event of a type."""
        return next((e for e in reversed(self.events) if e.event_type == event_type), None)


@dataclass(slots=True)
class Chronicle:
    """
    Everything read so far.

    Attributes:
        cases: By referral id, in the order they were made.
        events: In the order read.
        views: Likewise.
        disclosures: Likewise, decoded.
        held: Likewise, decoded.
        dead: Headers of dead letters.
    """

    cases: dict[str, Case] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    views: list[ViewSeen] = field(default_factory=list)
    disclosures: list[Native] = field(default_factory=list)
    held: list[Native] = field(default_factory=list)
    dead: list[Mapping[str, bytes]] = field(default_factory=list)

    def add_event(self, event: Event) -> None:
        """Take one event into its case."""
        self.events.append(event)
        referral_id = event.envelope["referral_id"]
        case = self.cases.setdefault(referral_id, Case(referral_id=referral_id))
        case.events.append(event)
        step = step_of(event)
        if case.state is None:
            case.state = begin(step) if event.event_type == "referral_made" else None
        else:
            case.state = advance(case.state, step)

    def views_of(self, referral_id: str) -> list[ViewSeen]:
        """Return the views of one referral in the order read."""
        return [view for view in self.views if view.referral_id == referral_id]

    def disclosures_of(self, referral_id: str) -> list[Native]:
        """Return the disclosures of one referral in the order read."""
        return [each for each in self.disclosures if each["referral_id"] == referral_id]


def step_of(event: Event) -> Step:
    """Reduce an event to what responsibility depends on."""
    section, team, role, due = _SECTIONS.get(event.event_type, ("", "", "", ""))
    body = event.native.get(section) or {}
    routes = [recipient for recipient, _ in event.routes]
    hands_over = event.event_type == "referral_phone_handover" and len(set(routes)) == 1
    due_at = body.get(due) if due else (event.native.get("clock") or {}).get("accept_by")
    return Step(
        event_type=event.event_type,
        party=event.sender,
        at=event.envelope["recorded_at"],
        rank=event.envelope["urgency"]["rank"],
        team=body.get(team) or "",
        role=body.get(role) or "",
        due_at=instant(due_at),
        to_party=routes[0] if hands_over else "",
    )


def instant(moment: Native | None) -> datetime | None:
    """Return the instant of a native moment."""
    return None if moment is None else moment["utc"]


def short_code(referral_id: str) -> str:
    """
    Return a short name for a referral.

    >>> short_code("3f0f8d0c5b5f0d4d9f6f1f0c6f0f3c11")
    'R-H4HY'
    """
    return f"R-{base64.b32encode(bytes.fromhex(referral_id[:6])).decode()[:4]}"
