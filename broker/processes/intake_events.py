"""
Makes an event of what a party sent: pure, apart from being told the time.

Ids depend on party, address and key, the digest on content as well, and nothing on clock or
instance: two intakes given the same message make the same event.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.codec import avro, wire
from broker.codec.canonical_json import ParsedDocument
from broker.codec.catalogue import Catalogue
from broker.domain import ids
from broker.domain.clauses import Party, PartyKind
from broker.domain.facts import derive_facts
from broker.domain.findings import Finding
from broker.domain.partitioning import partition_of
from broker.runtime.outbox import Entry
from broker.runtime.retry import priority

Native = dict[str, Any]

REGIMES: Mapping[PartyKind, str] = {PartyKind.POLICE: "dpa_part_3"}
"""Everybody else holds the data under the UK GDPR."""

_KEY_MEMBERS = ("reference", "event_type", "sequence", "occurred_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """
    One event that may be stored: read, allowed and addressed.

    Attributes:
        parsed: What was sent, in native form.
        party: Who sent it.
        referral_id: Derived, or stated in the address of an answer.
        event_id: Derived.
        digest: Keyed digest of what was sent.
        routes: Native `crisis.types.Route` records, those of the sender and those added.
        findings: Everything noticed.
        size: Bytes of the message it came in.
        has_derived_key: Whether neither caller nor format stated an idempotency key.
    """

    parsed: ParsedDocument
    party: Party
    referral_id: str
    event_id: str
    digest: bytes
    routes: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]
    size: int = 0
    has_derived_key: bool = False


def content_digest(secret: bytes, document: Mapping[str, Any], place: str = "") -> bytes:
    """
    Return the keyed digest of a canonical document and of the referral id it is addressed to.

    The order of members plays no part; clock and instance do not either.
    """
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return ids.digest(secret, f"{place}\n{canonical}".encode())


def derived_key(document: Mapping[str, Any]) -> str:
    """
    Return the idempotency key of a message whose sender gives none.

    Every recipient sees the event's id, so nothing that may be withheld has a part in it.
    """
    return json.dumps([document.get(name) for name in _KEY_MEMBERS], separators=(",", ":"))


def assemble(draft: Draft, recorded_at: datetime) -> Native:
    """Return the event in native form: envelope first, then the body."""
    parsed = draft.parsed
    event: Native = {
        "envelope": {
            "event_id": draft.event_id,
            "event_type": parsed.event_type,
            "referral_id": draft.referral_id,
            "sequence": parsed.sequence,
            "sender": draft.party.id,
            "occurred_at": parsed.occurred_at,
            "recorded_at": recorded_at,
            "environment": parsed.environment,
            "urgency": parsed.urgency,
            "supersedes": parsed.supersedes,
            "expires_at": parsed.expires_at,
            "correlation_id": draft.referral_id,
            "causation_id": None,
            "routes": list(draft.routes),
            "facts": [],
            "findings": [_native_finding(finding) for finding in draft.findings],
            "regime_at_source": REGIMES.get(draft.party.kind, "uk_gdpr"),
            "content_digest": draft.digest,
            "hop_count": 0,
        },
        **parsed.body,
    }
    event["envelope"]["facts"] = sorted(derive_facts(event))
    return event


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembler:
    """
    Turns drafts into entries of the outbox.

    Attributes:
        catalogue: The schemas.
        schema_ids: Registry id of each event type's schema.
        topic: Where events go.
        partitions: How many partitions it has.
    """

    catalogue: Catalogue
    schema_ids: Mapping[str, int]
    topic: str
    partitions: int

    def entry(self, draft: Draft, recorded_at: datetime) -> Entry:
        """Return the entry of a draft, its event encoded and framed."""
        event_type = draft.parsed.event_type
        encoded = avro.encode(self.catalogue.event(event_type).schema, assemble(draft, recorded_at))
        return Entry(
            event_id=draft.event_id,
            event_type=event_type,
            referral_id=draft.referral_id,
            party=draft.party.id,
            digest=draft.digest,
            topic=self.topic,
            partition=partition_of(draft.referral_id, self.partitions),
            priority=priority(draft.parsed.urgency["rank"]),
            key=draft.referral_id.encode(),
            value=wire.frame(self.schema_ids[event_type]) + encoded,
            accepted_at=recorded_at,
            findings=tuple(draft.findings),
            routes=tuple((route["recipient"], route["purpose"]) for route in draft.routes),
        )


def _native_finding(finding: Finding) -> Native:
    return {
        "code": finding.code,
        "path": finding.path,
        "severity": str(finding.severity),
        "kept": finding.kept,
    }
