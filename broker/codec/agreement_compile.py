"""Turns the tables of an agreement file into an `Agreement`, spelling out every group."""

from collections.abc import Mapping
from datetime import date

from broker.codec.agreement_models import (
    AgreementFile,
    PurposeTable,
    RuleTable,
    SuspensionTable,
    TestTable,
)
from broker.codec.agreement_problems import Problems
from broker.codec.agreement_vocabulary import Vocabulary, check_word
from broker.codec.catalogue import Leaf
from broker.domain.agreements import Agreement
from broker.domain.clauses import Party, PartyKind, PurposeClause, Rule, Signature, Suspension
from broker.domain.decisions import Reduction
from broker.domain.expectations import Expectation
from broker.domain.facts import FACTS
from broker.domain.purposes import PURPOSES
from broker.domain.safeguards import find_breaches


class Compiler:
    """
    Compiles one file; whatever is wrong goes to *problems*, and compiling goes on.

    Args:
        file: Its tables.
        vocabulary: The words it may use.
        problems: Where faults go.
        digest: SHA-256 of the file, hex.
    """

    def __init__(
        self,
        file: AgreementFile,
        vocabulary: Vocabulary,
        problems: Problems,
        digest: str,
    ) -> None:
        self._file = file
        self._vocabulary = vocabulary
        self._problems = problems
        self._digest = digest

    def compile(self) -> Agreement:
        """Return the agreement; it is fit for use only if no problem was noted."""
        file = self._file
        parties = tuple(
            Party(id=each.id, name=each.name, kind=each.kind, organisation=each.organisation)
            for each in file.party
        )
        kinds = {party.id: party.kind for party in parties}
        clauses = tuple(self._clause(table, kinds) for table in file.purpose)
        return Agreement(
            id=file.agreement,
            version=file.version,
            catalogue=file.catalogue,
            title=file.title,
            parties=parties,
            clauses=clauses,
            valid_from=file.valid_from,
            valid_to=file.valid_to,
            review_by=file.review_by,
            contact=file.contact,
            signatures=tuple(
                Signature(organisation=s.organisation, name=s.name, role=s.role, on=s.on)
                for s in file.signature
            ),
            suspension=_suspension(file.suspended),
            expectations=tuple(
                found for table in file.test if (found := self._expectation(table, clauses))
            ),
            digest=self._digest,
        )

    def _clause(self, table: PurposeTable, kinds: Mapping[str, PartyKind]) -> PurposeClause:
        problems = self._problems.at("purpose", table.code)
        with problems.at("for").noting():
            check_word("purpose", table.code, PURPOSES)
        for side, parties in (("from", table.senders), ("to", table.recipients)):
            for party in parties:
                with problems.at(side).noting():
                    check_word("party", party, kinds)
        clause = PurposeClause(
            purpose=table.code,
            senders=table.senders,
            recipients=table.recipients,
            rules=tuple(self._rule(rule, problems.at("rule", rule.id)) for rule in table.rule),
            ask=table.ask,
            basis=table.basis.model_dump(exclude_none=True),
            obligations=table.obligations,
            retention=table.retention,
            onward_sharing=table.onward_sharing,
            suspension=_suspension(table.suspended),
        )
        to_police = any(kinds.get(each) is PartyKind.POLICE for each in table.recipients)
        if table.code in PURPOSES:
            leaves = self._vocabulary.leaves
            for rule, breach in find_breaches(clause, leaves, to_police=to_police):
                problems.at("rule", rule).add(breach)
        return clause

    def _rule(self, table: RuleTable, problems: Problems) -> Rule:
        place = problems.at(table.effect.replace("-", "_"))
        leaves: set[str] = set()
        for name in table.names:
            with place.noting():
                leaves |= self._vocabulary.expand(name, table.effect, self._file.catalogue)
        for name in table.exceptions:
            with problems.at("except").noting():
                leaves -= self._vocabulary.within(name, leaves)
        reductions = self._reductions(table, place)
        return Rule(
            id=table.id,
            effect=table.effect,
            leaves=frozenset(reductions) if table.reduce else frozenset(leaves),
            because=table.because,
            reductions=reductions,
            when=_facts(table.when, problems.at("when")),
            unless=_facts(table.unless, problems.at("unless")),
        )

    def _reductions(self, table: RuleTable, problems: Problems) -> Mapping[str, Reduction]:
        found: dict[str, Reduction] = {}
        for path, name in (table.reduce or {}).items():
            if path not in self._vocabulary.leaves:
                if path in self._vocabulary.groups:
                    problems.add(f"`{path}` is a group: a reduction names fields")
                continue
            with problems.at(path).noting():
                check_word("reduction", name, {each.value for each in Reduction})
                reduction = Reduction(name)
                if not reduction.applies_to(_type(self._vocabulary.leaves[path])):
                    raise ValueError(f"`{name}` does not fit this field")
                found[path] = reduction
        return found

    def _expectation(
        self, table: TestTable, clauses: tuple[PurposeClause, ...]
    ) -> Expectation | None:
        problems = self._problems.at("test", table.name)
        before = len(problems.found)
        with problems.at("event").noting():
            check_word("event", table.event, self._vocabulary.events)
        if len(problems.found) > before:
            return None
        expectation = Expectation(
            name=table.name,
            purpose=table.purpose,
            sender=_sender(table, clauses, problems),
            recipient=table.recipient,
            event_type=table.event,
            given=_facts(table.given, problems.at("given")),
            releases=self._paths(table, table.releases, problems.at("releases")),
            reduces=dict(table.reduces),
            withholds=self._paths(table, table.withholds, problems.at("withholds")),
            needs_person=self._paths(table, table.needs_person, problems.at("needs_person")),
            held=table.held,
        )
        self._paths(table, tuple(table.reduces), problems.at("reduces"))
        return expectation if len(problems.found) == before else None

    def _paths(
        self, table: TestTable, names: tuple[str, ...], problems: Problems
    ) -> frozenset[str]:
        paths: set[str] = set()
        for name in names:
            with problems.noting():
                paths |= self._vocabulary.paths(name, table.event)
        return frozenset(paths)


def check_terms(file: AgreementFile, problems: Problems, today: date) -> None:
    """Note dates out of order, missing signatures and names that are used twice."""
    if not file.valid_from <= file.review_by <= file.valid_to:
        problems.at("review_by").add("lies between valid_from and valid_to")
    for signature in file.signature:
        if signature.on > file.valid_from:
            problems.at("signature", signature.organisation).add("is signed before valid_from")
    signed = {signature.organisation for signature in file.signature}
    for missing in sorted({party.organisation for party in file.party} - signed):
        problems.at("signature").add(f"nobody signed for {missing}")
    suspended = {f"purpose.{each.code}": each.suspended for each in file.purpose}
    for place, suspension in {"": file.suspended, **suspended}.items():
        if suspension and suspension.at > today:
            problems.at(place, "suspended.at").add("a suspension starts when it is signed")
    _once("party", [party.id for party in file.party], problems)
    _once("rule", [rule.id for each in file.purpose for rule in each.rule], problems)
    _once("test", [test.name for test in file.test], problems)


def _once(kind: str, names: list[str], problems: Problems) -> None:
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.at(kind, name).add("stands here more than once")


def _facts(names: tuple[str, ...], problems: Problems) -> frozenset[str]:
    for name in names:
        with problems.noting():
            check_word("fact", name, FACTS)
    return frozenset(names)


def _sender(table: TestTable, clauses: tuple[PurposeClause, ...], problems: Problems) -> str:
    senders = {
        sender
        for clause in clauses
        if clause.purpose == table.purpose and table.recipient in clause.recipients
        for sender in clause.senders
    }
    if not senders:
        problems.add("no purpose of this file covers its purpose and recipient")
    elif table.sender is None and len(senders) > 1:
        problems.at("sender").add("is missing: this purpose has several senders")
    elif table.sender is not None and table.sender not in senders:
        problems.at("sender").add("does not send for this purpose")
    return table.sender or min(senders, default="")


def _type(leaf: Leaf) -> object:
    return "array" if leaf.is_length else leaf.avro_type


def _suspension(table: SuspensionTable | None) -> Suspension | None:
    if table is None:
        return None
    return Suspension(signed_by=table.signed_by, at=table.at, reason=table.reason)
