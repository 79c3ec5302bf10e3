"""Runs the tests that agreements carry, and finds purposes that have none."""

from dataclasses import dataclass

from broker.codec.catalogue import Catalogue
from broker.domain.agreements import Agreement, AgreementBook
from broker.domain.expectations import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of one test.

    Attributes:
        agreement: Agreement id.
        name: Of the test.
        failures: What the agreement does otherwise; empty if the test passes.
    """

    agreement: str
    name: str
    failures: tuple[str, ...] = ()


def run_tests(book: AgreementBook, catalogue: Catalogue) -> tuple[Outcome, ...]:
    """Run every test of every agreement in *book*; a purpose without a test fails."""
    outcomes: list[Outcome] = []
    for agreement in book.agreements:
        outcomes += [_run(agreement, test, book, catalogue) for test in agreement.expectations]
        outcomes += _untested(agreement)
    return tuple(outcomes)


def _run(
    agreement: Agreement, test: Expectation, book: AgreementBook, catalogue: Catalogue
) -> Outcome:
    event = catalogue.event(test.event_type)
    plan = book.plan(test.sender, test.recipient, test.purpose, event, test.given)
    return Outcome(agreement=agreement.id, name=test.name, failures=test.failures(plan))


def _untested(agreement: Agreement) -> list[Outcome]:
    tested = {test.purpose for test in agreement.expectations}
    missing = sorted({clause.purpose for clause in agreement.clauses} - tested)
    return [
        Outcome(agreement=agreement.id, name=purpose, failures=("has no test",))
        for purpose in missing
    ]
