"""
The books of an installation: what was accepted against what became of it.

`read` gathers the evidence as any outsider could, committed records only; `faults` is pure and
names every rule that is broken, by ids and places. An empty list is the proof:
accepted = released + held + dead, each once, every view with its disclosure and the reverse, order
kept, chain whole, everything with the agency it was meant for.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar

from broker.codec import avro, wire
from broker.codec.catalogue import load_catalogue
from broker.codec.disclosures import GENESIS, breaks, read_disclosure, read_held
from broker.codec.registry import schema_id
from broker.domain import ids
from broker.domain.errors import InputError, TransportError
from broker.domain.streams import Log, Partition, Record
from broker.processes.deliver_dispatch import RECEIPT_FOR
from broker.processes.release_decider import public_part
from broker.runtime import topics
from broker.simulation.cast import FHIR, ROLES
from connectors.fhir_r4_bars.transport import request_guid
from tests.faults.installation import Installation, until

VIEWED = frozenset({"released", "envelope_only"})
NO_ROUTE = ("", "")

T = TypeVar("T")
Route = tuple[str, str]
Place = tuple[int, int]
"""Partition and offset in `events`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSeen:
    """One record of `events`."""

    place: Place
    event_id: str
    referral_id: str
    event_type: str
    sender: str
    routes: frozenset[Route]
    receipt_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSeen:
    """One record of a release topic."""

    place: Place
    route: Route
    event_id: str
    referral_id: str
    event_type: str
    release_id: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    Everything that the books are made of.

    Attributes:
        secret: Of the site: ids and digests are keyed with it.
        accepted: Event ids that a sender has a receipt for.
        chains: Raw disclosures by partition, in order.
        dead: Where in `events` the dead letters stood.
        delivered: What each served recipient got, in order: request id and body.
        unreadable: Places of records that are not what their topic is for.
    """

    secret: bytes = field(repr=False)
    accepted: Collection[str]
    events: tuple[EventSeen, ...]
    views: tuple[ViewSeen, ...]
    disclosures: tuple[Mapping[str, Any], ...]
    held: tuple[Mapping[str, Any], ...]
    chains: Mapping[int, tuple[bytes, ...]]
    dead: tuple[Place, ...]
    delivered: Mapping[str, tuple[tuple[str, bytes], ...]]
    unreadable: tuple[str, ...] = ()

    @property
    def first(self) -> dict[str, EventSeen]:
        """Return the first record of every event; later ones are repeats."""
        found: dict[str, EventSeen] = {}
        for event in self.events:
            found.setdefault(event.event_id, event)
        return found

    @property
    def waiting(self) -> dict[tuple[str, str, str], list[str]]:
        """Return the release ids that are held now, by referral and route."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for record in self.held:
            key = (record["referral_id"], record["recipient"], record["purpose"])
            if record["kind"] == "held":
                found.setdefault(key, []).append(record["release_id"])
            elif record["release_id"] in found.get(key, ()):
                found[key].remove(record["release_id"])
        return {key: waiting for key, waiting in found.items() if waiting}


def faults(evidence: Evidence) -> list[str]:
    """Return every broken rule; one that begins with `!` can never come right by itself."""
    return [
        *_unreadable(evidence),
        *_ids("accepted and not in the log", set(evidence.accepted) - evidence.first.keys()),
        *_ids("! dead twice", (each for each, n in Counter(evidence.dead).items() if n > 1)),
        *_disclosed(evidence),
        *_viewed(evidence),
        *_held(evidence),
        *_ordered(evidence),
        *_chained(evidence),
        *_delivered(evidence),
        *_receipted(evidence),
    ]


def _unreadable(evidence: Evidence) -> Iterator[str]:
    for place in evidence.unreadable:
        topic, number, offset = place.split("/")
        if not topic.endswith(".events"):
            yield f"! unreadable: {place}"
        elif (int(number), int(offset)) not in evidence.dead:
            yield f"accepted, not readable and not dead: {place}"


def _disclosed(evidence: Evidence) -> Iterator[str]:
    due = {
        (event.event_id, *route)
        for event in evidence.first.values()
        if event.place not in evidence.dead
        for route in event.routes or {NO_ROUTE}
    }
    once: Counter[tuple[str, str, str]] = Counter()
    released: dict[str, str] = {}
    for record in evidence.disclosures:
        key = (record["event_id"], record["recipient"], record["purpose"])
        if record["supersedes"]:
            if released.get(record["supersedes"]) != "held":
                yield f"! released from held, but not held before: {key}"
        else:
            once[key] += 1
            event = evidence.first.get(record["event_id"])
            at = (record["source_partition"], record["source_offset"])
            if event and event.place != at:
                yield f"! disclosed for another place than it stands at: {key}"
        released[record["release_id"]] = record["outcome"]
    yield from _ids("accepted, neither released nor held nor dead", due - once.keys())
    yield from _ids("disclosed and not accepted", once.keys() - due)
    yield from _ids("! disclosed twice", (key for key, times in once.items() if times > 1))


def _viewed(evidence: Evidence) -> Iterator[str]:
    stated = {
        record["release_id"]: record["view_digest"]
        for record in evidence.disclosures
        if record["outcome"] in VIEWED
    }
    times = Counter(view.release_id for view in evidence.views)
    yield from _ids("view without a disclosure", times.keys() - stated.keys())
    yield from _ids("disclosure without its view", stated.keys() - times.keys())
    yield from _ids("! view twice", (each for each, count in times.items() if count > 1))
    for view in evidence.views:
        expected = ids.release_id(evidence.secret, view.event_id, *view.route)
        if view.release_id != expected:
            yield f"! view under the id of another: {view.release_id}"
        if stated.get(view.release_id) not in (None, ids.digest(evidence.secret, view.value)):
            yield f"! view is not the one on record: {view.release_id}"
    for record in evidence.disclosures:
        if record["outcome"] not in VIEWED and record["view_digest"] != GENESIS:
            yield f"! nothing released, but a digest of it: {record['release_id']}"


def _held(evidence: Evidence) -> Iterator[str]:
    on_record: Counter[str] = Counter()
    for record in evidence.disclosures:
        if record["outcome"] == "held":
            on_record[record["release_id"]] += 1
        elif record["supersedes"]:
            on_record[record["release_id"]] -= 1
    waiting = Counter(each for held in evidence.waiting.values() for each in held)
    on_record = +on_record
    yield from _ids("held on record, but not waiting", on_record.keys() - waiting.keys())
    yield from _ids("waiting, but not held on record", waiting.keys() - on_record.keys())
    yield from _ids("! held twice", (each for each, count in waiting.items() if count > 1))


def _ordered(evidence: Evidence) -> Iterator[str]:
    first, last = evidence.first, dict[tuple[str, Route], tuple[Place, Place]]()
    for view in sorted(evidence.views, key=lambda view: (view.route, view.place)):
        event = first.get(view.event_id)
        if event is None:
            continue
        if event.place[0] != view.place[0]:
            yield f"! view in another partition than its event: {view.release_id}"
        before = last.get((view.referral_id, view.route))
        if before and before[0] > event.place:
            yield f"! out of order: {view.release_id}"
        last[view.referral_id, view.route] = event.place, view.place
    waiting = evidence.waiting
    for (referral_id, *route), held in waiting.items():
        earliest = min(
            (event.place for event in first.values()
             if ids.release_id(evidence.secret, event.event_id, *route) in held),
            default=(0, 0),
        )  # fmt: skip
        latest = last.get((referral_id, (route[0], route[1])))
        if latest and latest[0] > earliest:
            yield f"! overtook what is held: {referral_id}"


def _chained(evidence: Evidence) -> Iterator[str]:
    for number, values in evidence.chains.items():
        yield from (f"! chain broken: {number}/{place}" for place in breaks(values))


def _delivered(evidence: Evidence) -> Iterator[str]:
    for party, got in evidence.delivered.items():
        views = [view for view in evidence.views if view.route[0] == party]
        expected = {_request_id(party, view.release_id): view for view in views}
        bodies: dict[str, bytes] = {}
        for request_id, body in got:
            if bodies.setdefault(request_id, body) != body:
                yield f"! sent again with other bytes: {party} {request_id}"
        yield from _ids(f"not delivered to {party}", expected.keys() - bodies.keys())
        yield from _ids(
            f"delivered to {party} under an unknown id", bodies.keys() - expected.keys()
        )
        last: dict[tuple[str, Route], Place] = {}
        for request_id in bodies:
            if (view := expected.get(request_id)) is None:
                continue
            if last.get((view.referral_id, view.route), view.place) > view.place:
                yield f"! delivered to {party} out of order: {request_id}"
            last[view.referral_id, view.route] = view.place


def _receipted(evidence: Evidence) -> Iterator[str]:
    receipts = {
        (event.sender, event.receipt_for)
        for event in evidence.first.values()
        if event.event_type == "referral_received"
    }
    for view in evidence.views:
        party = view.route[0]
        is_due = party in evidence.delivered and view.event_type in RECEIPT_FOR
        if is_due and (party, view.release_id) not in receipts:
            yield f"no receipt in the log: {party} {view.release_id}"


def _request_id(party: str, release_id: str) -> str:
    return request_guid(release_id) if ROLES[party].format == FHIR else release_id


def _ids(what: str, found: Iterable[object]) -> Iterator[str]:
    yield from (f"{what}: {each}" for each in sorted(map(str, found)))


async def read(site: Installation, accepted: Collection[str] = ()) -> Evidence:
    """
    Gather the evidence now.

    What comes later in the flow is read first: whatever is seen of it has its causes in what is
    read after it, also while everything is moving.
    """
    space, secret = site.stage.settings.namespace, site.stage.settings.secret()
    delivered = {party: tuple(site.agencies.received.get(party, ())) for party in site.served}
    found = await read_topics(site.log, site.topics())
    disclosures = found[topics.disclosures_topic(space)]
    events, unreadable_events = _split(_event, found[topics.events_topic(space)])
    views: list[ViewSeen] = []
    unreadable = unreadable_events
    for lane, topic in site.release_topics().items():
        some, strange = _split(partial(_view, lane), found[topic])
        views += some
        unreadable += strange
    dead = tuple(map(_source, found[topics.dead_letters_topic(space)]))
    chains: dict[int, list[bytes]] = {}
    for record in disclosures:
        chains.setdefault(record.partition.number, []).append(record.value)
    return Evidence(
        secret=secret,
        accepted=tuple(accepted),
        events=tuple(events),
        views=tuple(views),
        disclosures=tuple(read_disclosure(record.value) for record in disclosures),
        held=tuple(read_held(record.value) for record in found[topics.held_topic(space)]),
        chains={number: tuple(values) for number, values in chains.items()},
        dead=dead,
        delivered=delivered,
        unreadable=tuple(unreadable),
    )


def _split(read_one: Callable[[Record], T], records: Iterable[Record]) -> tuple[list[T], list[str]]:
    good, strange = [], []
    for record in records:
        try:
            good.append(read_one(record))
        except (InputError, KeyError):
            place = record.partition
            strange.append(f"{place.topic}/{place.number}/{record.offset}")
    return good, strange


async def settle(
    site: Installation,
    accepted: Collection[str],
    *,
    nothing_held: bool = True,
    all_but: Collection[tuple[str, str, str]] = (),
) -> Evidence:
    """
    Wait until the books are in order and return them; what can never come right fails at once.

    Args:
        site: The installation.
        accepted: Event ids of all receipts.
        nothing_held: Whether to wait as well until nothing is held any more.
        all_but: Referrals and routes that may be held, with `nothing_held`.
    """
    latest: tuple[Evidence | None, list[str]] = (None, ["! never read"])

    async def in_order() -> bool:
        nonlocal latest
        try:
            evidence = await read(site, accepted)
        except TransportError:
            return False
        found = faults(evidence)
        if nothing_held:
            found += [f"still held: {key}" for key in evidence.waiting.keys() - set(all_but)]
        latest = evidence, found
        return not found or any(fault.startswith("!") for fault in found)

    await until(in_order, lambda: f"the books are in order: {_shown(latest[1])}")
    evidence, found = latest
    if evidence is None or found:
        raise AssertionError(f"the books are not in order: {_shown(found)}")
    return evidence


def _shown(found: list[str]) -> str:
    found = sorted(found)  # what can never come right comes first
    return "\n".join(["", *found[:20], f"and {len(found) - 20} more" if len(found) > 20 else ""])


async def read_topics(log: Log, names: Iterable[str]) -> dict[str, list[Record]]:
    """Return every committed record of each topic, up to where its end is now, in order."""
    found: dict[str, list[Record]] = {}
    for name in names:
        found[name] = []
        partitions = [Partition(name, number) for number in range(await log.partitions(name))]
        reader = await log.open_reader(partitions)
        try:
            ends = {each: await reader.end(each) for each in partitions}
            while any([await reader.position(each) < end for each, end in ends.items()]):
                records = await reader.fetch(0.2)
                found[name] += [each for each in records if each.offset < ends[each.partition]]
        finally:
            await reader.aclose()
        found[name].sort(key=lambda record: (record.partition, record.offset))
    return found


def _event(record: Record) -> EventSeen:
    number, start = wire.unframe(record.value)
    native = avro.decode(_event_schemas()[number], record.value[start:])
    envelope = native["envelope"]
    receipt = native.get("receipt") or {}
    return EventSeen(
        place=(record.partition.number, record.offset),
        event_id=envelope["event_id"],
        referral_id=envelope["referral_id"],
        event_type=envelope["event_type"],
        sender=envelope["sender"],
        routes=frozenset((each["recipient"], each["purpose"]) for each in envelope["routes"]),
        receipt_for=receipt.get("request_id") or "",
    )


def _view(route: Route, record: Record) -> ViewSeen:
    release_id = dict(record.headers)["release-id"]
    _, start = wire.unframe(record.value)
    envelope = avro.peek(_public_envelope(), record.value, start)
    return ViewSeen(
        place=(record.partition.number, record.offset),
        route=route,
        event_id=envelope["event_id"],
        referral_id=envelope["referral_id"],
        event_type=envelope["event_type"],
        release_id=release_id.decode(),
        value=record.value,
    )


def _source(record: Record) -> Place:
    headers = dict(record.headers)
    return int(headers["source-partition"]), int(headers["source-offset"])


@cache
def _public_envelope() -> dict[str, Any]:
    return public_part(load_catalogue().type_schema("crisis.types.Envelope"))


@cache
def _event_schemas() -> dict[int, Any]:
    return {schema_id(each.schema): each.schema for each in load_catalogue().events.values()}
