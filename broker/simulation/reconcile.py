"""
Counts in and out: everything accepted is released, held or dead, each once, and has its record.

Pure. An empty list of faults is the proof; a fault names ids, never content.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from broker.simulation.chronicle import Chronicle, Event

NO_ROUTE = ("", "")
VIEWED = ("released", "envelope_only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """
    What went in and what came out.

    Attributes:
        accepted: Events in `events`, each id once.
        due: (event, route) pairs they make.
        outcomes: Disclosures by outcome, what was held and later resolved counted once.
        views: Records in release topics.
        dead: Dead letters.
        faults: What does not add up.
    """

    accepted: int
    due: int
    outcomes: dict[str, int]
    views: int
    dead: int
    faults: tuple[str, ...] = field(default=())

    @property
    def add_up(self) -> bool:
        """Whether everything accepted came out once."""
        return not self.faults


def reconcile(chronicle: Chronicle, receipts: Collection[str] = ()) -> Counts:
    """
    Hold what came out against what went in.

    Args:
        chronicle: Everything read, up to the end of every topic.
        receipts: Event ids that intake gave receipts for; each must have arrived.
    """
    events = {event.event_id: event for event in chronicle.events}
    due = {(event.event_id, *route) for event in events.values() for route in _routes(event)}
    settled: dict[tuple[str, str, str], str] = {}
    twice: Counter[tuple[str, str, str]] = Counter()
    for each in chronicle.disclosures:
        key = (each["event_id"], each["recipient"], each["purpose"])
        if key in settled and not each["supersedes"]:
            twice[key] += 1
        settled[key] = each["outcome"]
    faults = [
        *_missing("accepted and not in the log", set(receipts) - events.keys()),
        *_dead_or_missing(due - settled.keys(), len(chronicle.dead)),
        *_missing("disclosed, but never accepted", {key[0] for key in settled.keys() - due}),
        *_missing("disclosed twice", {key[0] for key in twice}),
        *_views(chronicle, settled),
    ]
    return Counts(
        accepted=len(events),
        due=len(due),
        outcomes=dict(Counter(settled.values())),
        views=len(chronicle.views),
        dead=len(chronicle.dead),
        faults=tuple(faults),
    )


def _routes(event: Event) -> Collection[tuple[str, str]]:
    return event.routes or {NO_ROUTE}


def _views(chronicle: Chronicle, settled: dict[tuple[str, str, str], str]) -> Iterator[str]:
    viewed = Counter((view.event_id, view.recipient, view.purpose) for view in chronicle.views)
    recorded = {key for key, outcome in settled.items() if outcome in VIEWED}
    yield from _missing("released without a record", {key[0] for key in viewed.keys() - recorded})
    yield from _missing("recorded but not released", {key[0] for key in recorded - viewed.keys()})
    yield from _missing("released twice", {key[0] for key, n in viewed.items() if n > 1})
    open_held = {each["release_id"] for each in chronicle.held if each["kind"] == "held"}
    held = sum(outcome == "held" for outcome in settled.values())
    resolved = sum(each["kind"] == "resolved" for each in chronicle.held)
    if len(open_held) - resolved != held:
        yield f"held: {held} on record, {len(open_held) - resolved} waiting"


def _dead_or_missing(missing: set[tuple[str, str, str]], dead: int) -> Iterator[str]:
    # A dead letter says where it stood, not what it was: only the number can be held against it.
    events = {event_id for event_id, _, _ in missing}
    if len(events) > dead:
        yield from _missing("accepted, neither released nor held nor dead", events)


def _missing(what: str, ids: Collection[str]) -> Iterator[str]:
    yield from (f"{what}: {event_id}" for event_id in sorted(ids))
