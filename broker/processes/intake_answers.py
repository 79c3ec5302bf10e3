"""Writes the answers of intake as JSON."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from broker.domain.findings import Finding
from broker.processes.intake_service import Answer
from broker.runtime import metrics
from broker.runtime.outbox import Receipt
from broker.runtime.problems import Code, Problem

ACCEPTED: Final = 202


def write_receipt(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as JSON."""
    return {
        "event_id": receipt.event_id,
        "referral_id": receipt.referral_id,
        "event_type": receipt.event_type,
        "state": str(receipt.state),
        "accepted_at": receipt.accepted_at.isoformat(),
        "findings": write_findings(receipt.findings),
        "repeated": receipt.repeated,
    }


def write_findings(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Return findings as JSON."""
    return [
        {
            "code": finding.code,
            "path": finding.path,
            "severity": str(finding.severity),
            "kept": finding.kept,
        }
        for finding in findings
    ]


def answer_one(answer: Answer) -> Response:
    """Answer a request that held one event."""
    if answer.problems:
        return answer_problem(answer.problems[0][1])
    receipt = answer.receipts[0]
    return JSONResponse(
        write_receipt(receipt),
        status_code=ACCEPTED,
        headers={"Location": f"/v1/receipts/{receipt.event_id}"},
    )


def answer_many(answer: Answer) -> Response:
    """
    Answer a message that may hold several events.

    If some were refused the answer is a refusal that lists the receipts of the others: a caller
    that looks at the status only sends all again, which is safe.
    """
    receipts = [write_receipt(receipt) for receipt in answer.receipts]
    if not answer.problems:
        return JSONResponse({"receipts": receipts}, status_code=ACCEPTED)
    if not receipts and len({problem.code for _, problem in answer.problems}) == 1:
        return answer_problem(_with_place(answer))
    errors = [error for number, problem in answer.problems for error in _errors(number, problem)]
    return answer_problem(
        Problem(code=Code.NOT_ALL_STORED, errors=errors, extensions={"receipts": receipts})
    )


def answer_problem(problem: Problem) -> Response:
    """Answer with a problem, and count it."""
    metrics.REFUSED.labels(problem.code).inc()
    return problem.response()


def _with_place(answer: Answer) -> Problem:
    _, first = answer.problems[0]
    errors = [error for number, problem in answer.problems for error in _errors(number, problem)]
    return Problem(code=first.code, errors=errors, retry_after_s=first.retry_after_s)


def _errors(number: int, problem: Problem) -> list[tuple[str, str]]:
    errors = problem.errors or [("$", str(problem.code))]
    return [(f"event {number + 1}: {path}", rule) for path, rule in errors]
