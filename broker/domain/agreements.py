"""
Agreements, and the book of all that are in force.

A lapsed review or end date narrows nothing: the last signed version goes on, marked overdue. Only a
signed suspension stops a purpose, and then its events are held, not dropped.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from broker.domain.clauses import Party, PurposeClause, Signature, Suspension
from broker.domain.decisions import EventLeaves, Plan
from broker.domain.errors import AgreementError, PolicyDeniedError
from broker.domain.expectations import Expectation
from broker.domain.manifest import SAFETY_FACT, ManifestHead, build_manifest
from broker.domain.planning import fact_combinations, named_facts, relevant_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """
    What two organisations signed.

    Attributes:
        id: Stable over versions.
        version: Counts up with every signing.
        catalogue: Catalogue version it was signed against; younger fields are not granted.
        title: For people.
        parties: Who sends and receives under it.
        clauses: One for each purpose and pair of sides.
        valid_from: First day in force.
        valid_to: Last day agreed on; see the module docstring.
        review_by: Day by which it is to be looked at again.
        contact: Governance desk for questions about the agreement itself.
        signatures: At least one for each organisation.
        suspension: Stops every purpose.
        expectations: Its own tests.
        digest: SHA-256 of its file, hex; empty if it came from no file.
    """

    id: str
    version: int
    catalogue: int
    title: str
    parties: tuple[Party, ...]
    clauses: tuple[PurposeClause, ...]
    valid_from: date
    valid_to: date
    review_by: date
    contact: str = ""
    signatures: tuple[Signature, ...] = ()
    suspension: Suspension | None = None
    expectations: tuple[Expectation, ...] = ()
    digest: str = ""

    def overdue_days(self, today: date) -> int:
        """Return for how many days its end or its review has been past; 0 while neither is."""
        return max(0, (today - min(self.valid_to, self.review_by)).days)


def in_force(agreements: Iterable[Agreement], today: date) -> tuple[Agreement, ...]:
    """Return of each agreement the youngest version that has begun, however long ago it ended."""
    begun = [each for each in agreements if each.valid_from <= today]
    newest = {each.id: each for each in sorted(begun, key=lambda each: each.version)}
    return tuple(newest.values())


class Route(NamedTuple):
    """Who tells whom, and what for."""

    sender: str
    recipient: str
    purpose: str


class _Covered(NamedTuple):
    agreement: Agreement
    clause: PurposeClause


class AgreementBook:
    """
    Every agreement in force, by route.

    Args:
        agreements: No two may cover the same sender, recipient and purpose.
        today: The day `Plan.overdue_days` counts from; None means nothing is overdue.

    Raises:
        AgreementError: Two agreements overlap, or describe a party differently.
    """

    def __init__(self, agreements: Iterable[Agreement], *, today: date | None = None) -> None:
        self.agreements = tuple(sorted(agreements, key=lambda each: each.id))
        self._today = today
        problems: list[tuple[str, str]] = []
        self.parties = _parties(self.agreements, problems)
        self._routes = _routes(self.agreements, problems)
        if problems:
            raise AgreementError(problems)
        self._named: dict[tuple[Route, EventLeaves], frozenset[str]] = {}
        self._plans: dict[tuple[Route, EventLeaves, frozenset[str]], Plan] = {}

    def find(self, sender: str, recipient: str, purpose: str) -> Agreement | None:
        """Return the agreement that covers a route, suspended or not; None if none does."""
        covered = self._routes.get(Route(sender, recipient, purpose))
        return covered.agreement if covered else None

    def clause(self, sender: str, recipient: str, purpose: str) -> PurposeClause | None:
        """Return the clause that covers a route; None if none does."""
        covered = self._routes.get(Route(sender, recipient, purpose))
        return covered.clause if covered else None

    def routes(self) -> tuple[Route, ...]:
        """Return every route that an agreement covers, sorted."""
        return tuple(sorted(self._routes))

    def lanes(self) -> frozenset[tuple[str, str]]:
        """Return every (recipient, purpose); each has a release topic, suspended or not."""
        return frozenset((route.recipient, route.purpose) for route in self._routes)

    def overdue(self, today: date) -> Mapping[str, int]:
        """Return the days by which agreements are overdue, by agreement id; others are left out."""
        days = {each.id: each.overdue_days(today) for each in self.agreements}
        return {agreement: count for agreement, count in days.items() if count}

    def plan(
        self, sender: str, recipient: str, purpose: str, event: EventLeaves, facts: frozenset[str]
    ) -> Plan:
        """
        Return what the agreement says of one event type under *facts*.

        The same relevant facts give the same plan. Look at `Plan.held_because` before releasing.

        Raises:
            PolicyDeniedError: No agreement covers the route; ask `find` first.
        """
        route = Route(sender, recipient, purpose)
        covered = self._routes.get(route)
        if covered is None:
            raise PolicyDeniedError("no agreement covers this route")
        named = self._named.get((route, event))
        if named is None:
            named = named_facts(covered.clause, event) | {SAFETY_FACT}
            self._named[route, event] = named
        key = (route, event, facts & named)
        if key not in self._plans:
            self._plans[key] = self._make(covered, route, event, facts)
        return self._plans[key]

    def plans(
        self, sender: str, recipient: str, purpose: str, event: EventLeaves
    ) -> Iterator[Plan]:
        """Yield every plan that any combination of facts can give, each once."""
        clause = self.clause(sender, recipient, purpose)
        seen: set[frozenset[str]] = set()
        for facts in fact_combinations(clause, event) if clause else ():
            plan = self.plan(sender, recipient, purpose, event, facts)
            if plan.facts not in seen:
                seen.add(plan.facts)
                yield plan

    def _make(
        self, covered: _Covered, route: Route, event: EventLeaves, facts: frozenset[str]
    ) -> Plan:
        agreement, clause = covered
        relevant, decisions = relevant_facts(clause, event, facts)
        head = ManifestHead(
            agreement=agreement.id,
            agreement_version=agreement.version,
            purpose=clause.purpose,
            ask=clause.ask,
        )
        return Plan(
            agreement_id=agreement.id,
            agreement_version=agreement.version,
            agreement_digest=agreement.digest,
            recipient=route.recipient,
            purpose=clause.purpose,
            event_type=event.event_type,
            facts=relevant,
            decisions=decisions,
            manifest=build_manifest(head, event.leaves, decisions, relevant),
            basis=clause.basis,
            overdue_days=agreement.overdue_days(self._today) if self._today else 0,
            is_suspended=bool(agreement.suspension or clause.suspension),
        )


def _parties(
    agreements: Iterable[Agreement], problems: list[tuple[str, str]]
) -> Mapping[str, Party]:
    found: dict[str, Party] = {}
    for agreement in agreements:
        for party in agreement.parties:
            if found.setdefault(party.id, party) != party:
                place = f"{agreement.id}.party.{party.id}"
                problems.append((place, "another agreement describes this party differently"))
    return MappingProxyType(found)


def _routes(
    agreements: Iterable[Agreement], problems: list[tuple[str, str]]
) -> Mapping[Route, _Covered]:
    found: dict[Route, _Covered] = {}
    for agreement in agreements:
        for clause in agreement.clauses:
            for sender in clause.senders:
                for recipient in clause.recipients:
                    route = Route(sender, recipient, clause.purpose)
                    other = found.setdefault(route, _Covered(agreement, clause))
                    if other.clause is not clause:
                        place = f"{agreement.id}.purpose.{clause.purpose}"
                        rule = f"overlaps `{other.agreement.id}` for {sender} to {recipient}"
                        problems.append((place, rule))
    return MappingProxyType(found)
