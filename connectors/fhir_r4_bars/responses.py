"""
What a BaRS receiver's answer means.

Source: BaRS guide, "Error handling": 409 with issue code ``duplicate`` is reserved for messages
that were processed before. An answer without both ids, or an error without an OperationOutcome,
comes from something between us and the receiver, which knows nothing of the message.
"""

import json
from typing import Any, Final

from connectors.contract import Response, Verdict
from connectors.fhir_r4_bars.transport import request_guid

TRY_LATER: Final = frozenset({408, 429})
MAX_DEPTH_CHARS: Final = 200_000
"""A longer answer is no OperationOutcome anybody meant."""


def read_response(response: Response, *, request_id: str) -> Verdict:
    """Judge an answer: delivered, try again, or refused."""
    if not _speaks_of(response, request_id):
        return Verdict.RETRY
    if 200 <= response.status < 300:
        return Verdict.DELIVERED
    outcome = _outcome(response.body)
    if outcome is None or response.status in TRY_LATER:
        return Verdict.RETRY
    if response.status == 409:
        return Verdict.DELIVERED if "duplicate" in _issue_codes(outcome) else Verdict.REFUSED
    return Verdict.REFUSED if 400 <= response.status < 500 else Verdict.RETRY


def _speaks_of(response: Response, request_id: str) -> bool:
    # An answer to another request must never settle this one.
    found = {name.lower(): value.strip().lower() for name, value in response.headers.items()}
    return found.get("x-request-id") == request_guid(request_id) and bool(
        found.get("x-correlation-id")
    )


def _outcome(body: bytes) -> dict[str, Any] | None:
    if len(body) > MAX_DEPTH_CHARS:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_outcome = isinstance(found, dict) and found.get("resourceType") == "OperationOutcome"
    return found if is_outcome else None


def _issue_codes(outcome: dict[str, Any]) -> set[str]:
    issues = outcome.get("issue")
    if not isinstance(issues, list):
        return set()
    return {str(issue.get("code")) for issue in issues if isinstance(issue, dict)}
