"""
Lanes: what an agreement says for one kind of event under given facts, compiled and ready to apply.

A lane is made once for each (writer schema, sender, recipient, purpose, facts) and then only
copies bytes. Making one asks the registry for the view's schema id; applying one asks nobody.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from broker import __version__
from broker.codec import avro, wire
from broker.codec.catalogue import Catalogue, EventSchema, Schema
from broker.codec.disclosures import encode_plan
from broker.codec.registry import SchemaRegistry, subject_name
from broker.codec.views import compile_view
from broker.domain.agreements import AgreementBook
from broker.domain.decisions import Effect, Plan
from broker.domain.errors import UnknownSchemaError
from broker.runtime.topics import release_topic

NO_PLAN = encode_plan(None)

PlanKey = tuple[str, int, str, str, str, frozenset[str]]
"""`Plan.key`."""

LaneKey = tuple[str, str, str, str, frozenset[str]]
"""Event type, sender, recipient, purpose, facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """
    A compiled plan.

    Attributes:
        topic: Where its views go; empty if nothing may be released.
        why_held: Stable name of why nothing may be released; empty if views can go out.
        frame: Confluent prefix of the view's schema.
        manifest: Encoded manifest, the same for every view of this lane.
        manifest_incomplete: The manifest of an envelope-only view.
        project: Event bytes and start to envelope bytes and body bytes.
        reference: The slow twin of `project`.
        empty_body: Body of a view that says nothing at all.
        unchanged_body: Body of an event that holds nothing of what is granted.
        encoded_plan: What the disclosure says of the plan.
        tells_of_safety: Whether its views say that safety information is held back.
    """

    topic: str
    why_held: str
    frame: bytes = b""
    manifest: bytes = b""
    manifest_incomplete: bytes = b""
    project: Callable[[bytes, int], tuple[bytes, bytes]] | None = None
    reference: Callable[[bytes, int], tuple[bytes, bytes]] | None = None
    empty_body: bytes = b""
    unchanged_body: bytes = b""
    encoded_plan: bytes = NO_PLAN
    tells_of_safety: bool = False


class Lanes:
    """Makes lanes and keeps them."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        book: AgreementBook,
        registry: SchemaRegistry,
        namespace: str,
    ) -> None:
        self._catalogue = catalogue
        self._book = book
        self._registry = registry
        self._namespace = namespace
        self._lanes: dict[LaneKey, Lane] = {}
        self._compiled: dict[tuple[str, *PlanKey], Lane] = {}
        self._manifest_schema = catalogue.type_schema("crisis.types.Manifest")

    def get(self, key: LaneKey) -> Lane | None:
        """Return the lane if it has been made."""
        return self._lanes.get(key)

    async def make(self, key: LaneKey) -> Lane:
        """Make and keep the lane of *key*; a route that no agreement covers gives a held one."""
        event_type, sender, recipient, purpose, facts = key
        event = self._catalogue.event(event_type)
        if self._book.find(sender, recipient, purpose) is None:
            lane = Lane(topic="", why_held="no-agreement")
        else:
            plan = self._book.plan(sender, recipient, purpose, event, facts)
            lane = await self._lane_of(sender, plan, event)
        self._lanes[key] = lane
        return lane

    async def make_all(self) -> None:
        """Compile every plan there can be, so that no referral waits for it."""
        for route in self._book.routes():
            for event in self._catalogue.events.values():
                for plan in self._book.plans(*route, event):
                    await self._lane_of(route.sender, plan, event)

    def turn_day(self, today: date) -> None:
        """Count overdue days from *today*: the record says how long a lapsed agreement went on."""
        self._book = AgreementBook(self._book.agreements, today=today)
        self._lanes, self._compiled = {}, {}

    def forget_held(self) -> None:
        """Drop what could not be released, so that the next look asks again."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.why_held}

    async def _lane_of(self, sender: str, plan: Plan, event: EventSchema) -> Lane:
        # Facts that the agreement does not name make no difference: most keys share a lane.
        key = (sender, *plan.key)
        lane = self._compiled.get(key)
        if lane is None:
            lane = await self._compile(plan, event)
            if not lane.why_held:
                self._compiled[key] = lane
        return lane

    async def _compile(self, plan: Plan, event: EventSchema) -> Lane:
        encoded_plan = encode_plan(describe(plan))
        if plan.held_because:
            return Lane(topic="", why_held=plan.held_because, encoded_plan=encoded_plan)
        codec = await asyncio.to_thread(
            compile_view, event, plan.released, recipient=plan.recipient, purpose=plan.purpose
        )
        topic = release_topic(self._namespace, plan.recipient, plan.purpose)
        try:
            schema_id = await self._registry.id_of(view_subject(topic, codec.schema), codec.schema)
        except UnknownSchemaError:
            return Lane(topic="", why_held="not-provisioned", encoded_plan=encoded_plan)
        return Lane(
            topic=topic,
            why_held="",
            frame=wire.frame(schema_id),
            manifest=avro.encode(self._manifest_schema, plan.manifest),
            manifest_incomplete=avro.encode(
                self._manifest_schema, {**plan.manifest, "complete": False}
            ),
            project=codec.project,
            reference=codec.reference,
            empty_body=codec.empty_body,
            unchanged_body=codec.unchanged_body,
            encoded_plan=encoded_plan,
            tells_of_safety=any(entry["held"] for entry in plan.manifest["entries"]),
        )


def view_subject(topic: str, schema: Schema) -> str:
    """Return the registry subject of a view: record name within topic."""
    return subject_name(topic, f"{schema['namespace']}.{schema['name']}")


def describe(plan: Plan) -> dict[str, object]:
    """Return the native form of `crisis.records.AppliedPlan`."""
    by_effect: dict[Effect, list[str]] = {effect: [] for effect in Effect}
    for path, decision in sorted(plan.decisions.items()):
        if decision.effect is Effect.RELEASE:
            by_effect[Effect.RELEASE].append(path)
        elif decision.effect is Effect.REDUCE:
            by_effect[Effect.REDUCE].append(f"{path}: {decision.reduction}")
        else:
            by_effect[Effect.WITHHOLD].append(f"{path}: {decision.clause}")
    return {
        "agreement": plan.agreement_id,
        "agreement_version": plan.agreement_version,
        "agreement_digest": plan.agreement_digest,
        "code_version": __version__,
        "basis": [f"{name}: {value}" for name, value in sorted(plan.basis.items())],
        "facts": sorted(plan.facts),
        "released": by_effect[Effect.RELEASE],
        "reduced": by_effect[Effect.REDUCE],
        "withheld": by_effect[Effect.WITHHOLD],
        "overdue_days": plan.overdue_days,
    }
