"""What a webhook receiver's answer means."""

from typing import Final

from connectors.contract import Response, Verdict

REPEATED: Final = 409
"""The receiver has processed this id before: that is success, and retrying would only annoy."""

TRY_LATER: Final = frozenset({408, 421, 425, 429})
"""Client errors that speak of the moment, not of the message."""


def read_response(response: Response, *, request_id: str) -> Verdict:  # noqa: ARG001 - the contract
    """Judge by status alone: the body of an answer means nothing here."""
    if 200 <= response.status < 300 or response.status == REPEATED:
        return Verdict.DELIVERED
    if 400 <= response.status < 500 and response.status not in TRY_LATER:
        return Verdict.REFUSED
    return Verdict.RETRY
