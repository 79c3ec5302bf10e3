"""
One event in, what happens on each of its routes out; nothing is written here.

Filtering fails closed and never silently: if a body cannot be projected, the recipient gets the
envelope with a manifest that says so and whom to phone; if not even the envelope can be read, the
record is a dead letter. Both are counted, and both page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from broker.codec import avro, wire
from broker.codec.catalogue import EventSchema
from broker.domain import ids
from broker.domain.errors import InputError, MalformedMessageError, UnknownSchemaError
from broker.domain.facts import derive_facts
from broker.processes.release_lanes import NO_PLAN, Lane, LaneKey, Lanes

log = structlog.get_logger()

NO_ROUTE: Final = ("", "")
UPDATE: Final = "referral_updated"
UNCHANGED: Final = "nothing-granted-changed"
"""Why an update whose changes are all withheld is recorded and not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteResult:
    """
    What happens on one route.

    Attributes:
        outcome: Symbol of `crisis.records.DisclosureOutcome`.
        reason: Stable name of why nothing, or only the envelope, is released.
        topic: Where `view` goes; empty without one.
        view: The framed view, or None.
        encoded_plan: For the disclosure.
        tells_of_safety: Whether the view says that safety information is held back.
    """

    recipient: str
    purpose: str
    release_id: str
    outcome: str
    reason: str = ""
    topic: str = ""
    view: bytes | None = None
    encoded_plan: bytes = NO_PLAN
    tells_of_safety: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One event and the results of its routes; an event without a route has one result, no_route."""

    event_id: str
    referral_id: str
    event_type: str
    sender: str
    rank: str
    recorded_at: Any
    content_digest: bytes
    event_digest: bytes
    routes: tuple[RouteResult, ...]


class LanesMissing(Exception):  # noqa: N818 - a request, not an error: make these, then ask again
    """Some lanes of this event have not been made yet."""

    def __init__(self, keys: tuple[LaneKey, ...]) -> None:
        super().__init__()
        self.keys = keys


class Decider:
    """Decides events by lanes that have been made; pure given its lanes."""

    def __init__(
        self,
        *,
        events: Mapping[int, EventSchema],
        envelope_schema: Mapping[str, Any],
        lanes: Lanes,
        secret: bytes,
        environment: str,
        reference_check: bool,
        max_view_bytes: int,
    ) -> None:
        self._lanes = lanes
        self._secret = secret
        self._environment = environment
        self._reference_check = reference_check
        self._max_view_bytes = max_view_bytes
        self._events = events
        self._envelope_schema = envelope_schema
        self._public = public_part(envelope_schema)

    def decide(self, value: bytes) -> Decided:
        """
        Decide every route of one framed event.

        Raises:
            InputError: Not even the envelope can be read; the record is a dead letter.
            LanesMissing: Make the lanes named and ask again.
        """
        number, start = wire.unframe(value)
        event = self._events.get(number)
        if event is None:
            raise UnknownSchemaError("no event schema has this id @ frame")
        # Every projection reads these bytes again, strictly: a view never rests on this look alone.
        envelope = avro.peek(self._envelope_schema, value, start)
        if envelope["event_type"] != event.event_type:
            raise MalformedMessageError([("envelope.event_type", "does not fit the schema")])
        crosses = envelope["environment"] not in (self._environment, "canary")
        return Decided(
            event_id=envelope["event_id"],
            referral_id=envelope["referral_id"],
            event_type=event.event_type,
            sender=envelope["sender"],
            rank=envelope["urgency"]["rank"],
            recorded_at=envelope["recorded_at"],
            content_digest=envelope["content_digest"],
            event_digest=ids.digest(self._secret, value),
            routes=self._routes(event, envelope, value, start, crosses=crosses),
        )

    def _routes(
        self,
        event: EventSchema,
        envelope: dict[str, Any],
        value: bytes,
        start: int,
        *,
        crosses: bool,
    ) -> tuple[RouteResult, ...]:
        facts = frozenset(envelope["facts"])
        stated = {(route["recipient"], route["purpose"]) for route in envelope["routes"]}
        if not stated:
            return (self._result(envelope, NO_ROUTE, outcome="no_route", reason="no-route"),)
        if crosses:
            return tuple(
                self._result(envelope, route, outcome="held", reason="environment")
                for route in sorted(stated)
            )
        lanes: dict[tuple[str, str], Lane] = {}
        missing: list[LaneKey] = []
        for route in sorted(stated):
            key = (event.event_type, envelope["sender"], *route, facts)
            lane = self._lanes.get(key)
            if lane is None:
                missing.append(key)
            else:
                lanes[route] = lane
        if missing:
            raise LanesMissing(tuple(missing))
        trusted = not self._reference_check or self._facts_hold(event, value, start, facts)
        return tuple(
            self._apply(event, envelope, route, lane, value, start, trusted=trusted)
            for route, lane in lanes.items()
        )

    def _facts_hold(
        self, event: EventSchema, value: bytes, start: int, facts: frozenset[str]
    ) -> bool:
        # Facts choose what is released: they are derived again, never taken on trust.
        try:
            # What these bytes hold beyond doubt is the projection's matter; it reads them strictly.
            return derive_facts(avro.peek(event.schema, value, start)) == facts
        except InputError:
            return False

    def _apply(
        self,
        event: EventSchema,
        envelope: dict[str, Any],
        route: tuple[str, str],
        lane: Lane,
        value: bytes,
        start: int,
        *,
        trusted: bool,
    ) -> RouteResult:
        if lane.why_held:
            return self._result(envelope, route, outcome="held", reason=lane.why_held, lane=lane)
        outcome, reason = "released", ""
        try:
            head, body = self._project(lane, value, start, trusted=trusted)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the alert must still go out
            log.error(
                "filter failed",
                code=getattr(error, "code", "defect"),
                error=type(error).__name__,
                event_id=envelope["event_id"],
                recipient=route[0],
                purpose=route[1],
            )
            head, body = self._public_bytes(envelope), lane.empty_body
            outcome, reason = "envelope_only", "filter-failed"
        if outcome == "released" and event.event_type == UPDATE and body == lane.unchanged_body:
            return self._result(envelope, route, outcome="unchanged", reason=UNCHANGED, lane=lane)
        manifest = lane.manifest if outcome == "released" else lane.manifest_incomplete
        view = b"".join((lane.frame, head, manifest, body))
        if len(view) > self._max_view_bytes:
            return self._result(envelope, route, outcome="held", reason="oversize", lane=lane)
        return self._result(envelope, route, outcome=outcome, reason=reason, lane=lane, view=view)

    def _project(
        self, lane: Lane, value: bytes, start: int, *, trusted: bool
    ) -> tuple[bytes, bytes]:
        if not trusted or lane.project is None or lane.reference is None:
            raise MalformedMessageError([("envelope.facts", "do not follow from the event")])
        found = lane.project(value, start)
        if self._reference_check and found != lane.reference(value, start):
            raise MalformedMessageError([("body", "projection and reference differ")])
        return found

    def _public_bytes(self, envelope: Mapping[str, Any]) -> bytes:
        return avro.encode(
            self._public,
            {field["name"]: envelope[field["name"]] for field in self._public["fields"]},
        )

    def _result(
        self,
        envelope: dict[str, Any],
        route: tuple[str, str],
        *,
        outcome: str,
        reason: str,
        lane: Lane | None = None,
        view: bytes | None = None,
    ) -> RouteResult:
        recipient, purpose = route
        return RouteResult(
            recipient=recipient,
            purpose=purpose,
            release_id=ids.release_id(self._secret, envelope["event_id"], recipient, purpose),
            outcome=outcome,
            reason=reason,
            topic=lane.topic if lane and view is not None else "",
            view=view,
            encoded_plan=lane.encoded_plan if lane else NO_PLAN,
            tells_of_safety=bool(lane and view is not None and lane.tells_of_safety),
        )


def public_part(envelope_schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of the envelope's fields that every view carries."""
    names = [field["name"] for field in envelope_schema["fields"]]
    cut = names.index("correlation_id")
    return {**envelope_schema, "fields": envelope_schema["fields"][:cut]}
