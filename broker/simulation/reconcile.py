"""
Counts in and out: everything accepted is released, held or dead, each once, and has its record.

Pure. An empty list of faults is the proof; a fault names ids, never content.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from broker.simulation.chronicle import Chronicle, Event, Place

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
        *_lost({key[0] for key in due - settled.keys()}, {key[0] for key in settled}, chronicle),
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


def _lost(missing: set[str], settled: set[str], chronicle: Chronicle) -> Iterator[str]:
    """Hold dead letters against events by the place that their headers name."""
    standing = {event.place: event.event_id for event in chronicle.events}
    copies = Counter(standing.values())
    dead = Counter(map(_source, chronicle.dead))
    buried = {standing[place] for place in dead if place in standing}
    yield from _missing("accepted, neither released nor held nor dead", missing - buried)
    # An id that came again with other content: the first is released, only the second is dead.
    both = {event_id for event_id in buried & settled if copies[event_id] == 1}
    yield from _missing("dead, and on record as well", both)
    for place, count in dead.items():
        if place not in standing:
            yield "dead letter of nothing that was accepted" + _at(place)
        if count > 1:
            yield "dead twice" + _at(place)


def _source(headers: Mapping[str, bytes]) -> Place | None:
    try:
        return int(headers["source-partition"]), int(headers["source-offset"])
    except (KeyError, ValueError):
        return None


def _at(place: Place | None) -> str:
    return f": partition {place[0]}, offset {place[1]}" if place else ": no place in its headers"


def _missing(what: str, ids: Collection[str]) -> Iterator[str]:
    yield from (f"{what}: {event_id}" for event_id in sorted(ids))
