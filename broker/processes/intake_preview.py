"""
Shows a sender what each addressee would see, before anything is sent.

The same plan, projection and schema as in release: what is shown here is what goes out, as long as
the agreements stay the same.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.codec import avro
from broker.codec.canonical_json import to_json
from broker.codec.catalogue import Catalogue
from broker.codec.views import ViewCodec, compile_view
from broker.domain.agreements import AgreementBook
from broker.domain.decisions import Plan
from broker.domain.facts import derive_facts
from broker.processes.intake_events import Draft, assemble
from broker.processes.release_decider import UNCHANGED, UPDATE
from broker.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """
    Applies agreements to drafts.

    Attributes:
        catalogue: The schemas.
        book: What is agreed.
        clock: What time it is.
    """

    catalogue: Catalogue
    book: AgreementBook
    clock: Clock
    _codecs: dict[Hashable, ViewCodec] = field(default_factory=dict)

    def routes(self, draft: Draft) -> list[dict[str, Any]]:
        """Return what every addressee of a draft would see, as JSON."""
        event = assemble(draft, self.clock())
        encoded = avro.encode(self.catalogue.event(draft.parsed.event_type).schema, event)
        facts = derive_facts(event)
        return [self._route(draft, route, encoded, facts) for route in draft.routes]

    def _route(
        self, draft: Draft, route: Mapping[str, Any], encoded: bytes, facts: frozenset[str]
    ) -> dict[str, Any]:
        sender, recipient, purpose = draft.party.id, route["recipient"], route["purpose"]
        shown = {"recipient": recipient, "purpose": purpose, "outcome": "held"}
        if self.book.find(sender, recipient, purpose) is None:
            return {**shown, "reason": "no-agreement"}
        schema = self.catalogue.event(draft.parsed.event_type)
        plan = self.book.plan(sender, recipient, purpose, schema, facts)
        named = {
            **shown,
            "agreement": plan.agreement_id,
            "agreement_version": plan.agreement_version,
        }
        if plan.held_because:
            return {**named, "reason": plan.held_because}
        codec = self._codec(plan)
        envelope, body = codec.project(encoded, 0)
        if plan.event_type == UPDATE and body == codec.unchanged_body:
            return {**named, "outcome": "unchanged", "reason": UNCHANGED}
        return {
            **named,
            "outcome": "released",
            "reason": "",
            "withheld": to_json(plan.manifest["entries"]),
            "ask": plan.manifest["ask"],
            "body": self._shown(plan, envelope, body),
        }

    def _shown(self, plan: Plan, envelope: bytes, body: bytes) -> Any:
        codec = self._codec(plan)
        manifest = avro.encode(self.catalogue.type_schema("crisis.types.Manifest"), plan.manifest)
        return to_json(avro.decode(codec.schema, envelope + manifest + body)["body"])

    def _codec(self, plan: Plan) -> ViewCodec:
        # Plans are few: one for each agreement, purpose, event type and set of relevant facts.
        if plan.key not in self._codecs:
            self._codecs[plan.key] = compile_view(
                self.catalogue.event(plan.event_type),
                plan.released,
                recipient=plan.recipient,
                purpose=plan.purpose,
            )
        return self._codecs[plan.key]
