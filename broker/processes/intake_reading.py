"""
Reads what a party sent into drafts: well-formed, for this environment, allowed and addressed.

A bad NHS number, a swapped position or an unknown code never stops a draft: it becomes a finding.
What stops one is named by path and rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from broker.codec.canonical_json import Limits, ParsedDocument, read_document
from broker.codec.catalogue import Catalogue
from broker.domain import ids
from broker.domain.agreements import AgreementBook
from broker.domain.clauses import Party
from broker.domain.errors import MalformedMessageError
from broker.domain.findings import Finding, Severity
from broker.domain.purposes import PURPOSES
from broker.processes.intake_events import Draft, content_digest, derived_key
from broker.processes.intake_standing import ANSWERS, Address, Standing, Standings
from broker.runtime.clock import Clock
from broker.runtime.offload import compute
from broker.runtime.problems import Code, Problem, ProblemError, refuse
from connectors.contract import Inbound

CLOCKS_DIFFER: Final = timedelta(minutes=5)
LATE: Final = timedelta(hours=24)
SEND_ANSWERS_TO: Final = "answers are sent to /v1/referrals/{referral_id}/events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """
    What a caller asks for besides the message.

    Attributes:
        party: Who is calling.
        referral_id: Of the address, for events of a referral that exists.
        key: The Idempotency-Key header.
        size: Bytes of the whole message.
    """

    party: Party
    referral_id: str = ""
    key: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftReader:
    """
    Turns messages into drafts.

    Attributes:
        catalogue: The schemas.
        book: Who is a party, and what is agreed.
        standings: Who is what to a referral.
        secret: Site secret.
        environment: Of this installation.
        clock: What time it is.
        limits: How large a document may be.
    """

    catalogue: Catalogue
    book: AgreementBook
    standings: Standings
    secret: bytes
    environment: str
    clock: Clock
    limits: Limits

    async def read(self, inbound: Inbound, intent: Intent, index: int = 0) -> Draft | Problem:
        """
        Return the draft of event number *index* of a message, or why there is none.

        Raises:
            TransportError: It cannot be found out now whether the caller may do this.
        """
        try:
            return await self._read(inbound, intent, index)
        except MalformedMessageError as error:
            return Problem(code=Code.MALFORMED, errors=error.problems)
        except ProblemError as error:
            return error.problem

    async def _read(self, inbound: Inbound, intent: Intent, index: int) -> Draft:
        parsed = await compute(
            read_document, intent.size, self.catalogue, inbound.document, self.limits
        )
        if parsed.environment != self.environment:
            raise refuse(
                Code.WRONG_ENVIRONMENT, "$.environment", "not the environment of this installation"
            )
        referral_id, standing = await self._standing(parsed, intent)
        if not standing.may(parsed.event_type):
            raise refuse(Code.FORBIDDEN, "$.event_type", "not this party's to send")
        stated_key = intent.key or inbound.idempotency_key
        routes, route_findings = self._routes(parsed, intent.party, standing)
        return Draft(
            parsed=parsed,
            party=intent.party,
            referral_id=referral_id,
            event_id=ids.event_id(
                self.secret,
                intent.party.id,
                stated_key or derived_key(inbound.document),
                index if intent.key else 0,
                place=intent.referral_id,
            ),
            digest=content_digest(self.secret, inbound.document, intent.referral_id),
            routes=routes,
            size=intent.size,
            has_derived_key=not stated_key,
            findings=(
                *inbound.findings,
                *parsed.findings,
                *route_findings,
                *_time_findings(parsed, self.clock()),
            ),
        )

    async def _standing(self, parsed: ParsedDocument, intent: Intent) -> tuple[str, Standing]:
        party = intent.party.id
        if intent.referral_id:
            if parsed.event_type == "referral_made":
                raise refuse(Code.MALFORMED, "$.event_type", "a new referral has no id yet")
            return intent.referral_id, await self.standings.of(party, intent.referral_id)
        if parsed.event_type in ANSWERS:
            raise refuse(Code.MALFORMED, "$.event_type", SEND_ANSWERS_TO)
        if parsed.reference is None:
            raise refuse(Code.MALFORMED, "$.reference", "required field is missing")
        referral_id = ids.referral_id(self.secret, party, parsed.reference)
        if parsed.event_type == "referral_made":
            return referral_id, Standing(is_sender=True, sender=party)
        return referral_id, await self.standings.of_maker(party, referral_id)

    def _routes(
        self, parsed: ParsedDocument, party: Party, standing: Standing
    ) -> tuple[list[Mapping[str, Any]], list[Finding]]:
        stated = {_address(route): dict(route) for route in parsed.routes}
        self._check(parsed.routes)
        source = "reply" if parsed.event_type in ANSWERS or not standing.is_sender else "sender"
        for recipient, purpose in sorted(standing.added_routes(parsed.event_type)):
            added = {"recipient": recipient, "purpose": purpose, "source": source, "reason": None}
            stated.setdefault((recipient, purpose), added)
        if not stated:
            raise refuse(Code.UNKNOWN_ADDRESSEE, "$.routes", "no addressee is stated or known")
        findings = self._agreement_findings(party.id, list(stated))
        if not standing.is_certain:
            findings.append(_finding("addressees-not-confirmed", "$.routes", Severity.SAFETY))
        return list(stated.values()), findings

    def _check(self, routes: Sequence[Mapping[str, Any]]) -> None:
        problems = []
        for place, route in enumerate(routes):
            if route["recipient"] not in self.book.parties:
                problems.append((f"$.routes[{place}].recipient", "not a party of any agreement"))
            if route["purpose"] not in PURPOSES:
                problems.append((f"$.routes[{place}].purpose", "not a purpose of the catalogue"))
        if problems:
            raise ProblemError(Problem(code=Code.UNKNOWN_ADDRESSEE, errors=problems))

    def _agreement_findings(self, party: str, addresses: Sequence[Address]) -> list[Finding]:
        # Accepted all the same: release holds the route and a person is told.
        return [
            _finding("no-agreement", f"$.routes[{place}]", Severity.SAFETY)
            for place, (recipient, purpose) in enumerate(addresses)
            if self.book.find(party, recipient, purpose) is None
        ]


def _time_findings(parsed: ParsedDocument, now: datetime) -> list[Finding]:
    occurred_at = parsed.occurred_at["utc"]
    expires_at = parsed.expires_at["utc"] if parsed.expires_at else None
    findings = []
    if occurred_at > now + CLOCKS_DIFFER:
        findings.append(_finding("occurred-in-future", "$.occurred_at", Severity.WARNING))
    if occurred_at < now - LATE:
        findings.append(_finding("occurred-long-ago", "$.occurred_at", Severity.SAFETY))
    if expires_at is not None and expires_at < now:
        findings.append(_finding("expired-on-arrival", "$.expires_at", Severity.SAFETY))
    return findings


def _finding(code: str, path: str, severity: Severity) -> Finding:
    return Finding(code=code, path=path, severity=severity, kept=f"envelope{path[1:]}")


def _address(route: Mapping[str, Any]) -> Address:
    return route["recipient"], route["purpose"]
