"""What BaRS receivers answer, with NHS England's own OperationOutcomes."""

from pathlib import Path

import pytest

from connectors.contract import Response, Verdict
from connectors.fhir_r4_bars.responses import read_response
from connectors.fhir_r4_bars.transport import conversation_guid, request_guid

PUBLISHED = Path(__file__).parents[2] / "golden" / "fhir_r4_bars" / "published"
REQUEST_ID = "b" * 32
IDS = {
    "X-Request-ID": request_guid(REQUEST_ID),
    "X-Correlation-ID": conversation_guid("a" * 32),
}


def answer(status: int, file: str = "", **changes: str | None) -> Verdict:
    """The verdict on an answer with a published body."""
    body = (PUBLISHED / file).read_bytes() if file else b'{"resourceType": "Bundle"}'
    headers = {**IDS, **{name.replace("_", "-"): text for name, text in changes.items()}}
    present = {name: text for name, text in headers.items() if text is not None}
    return read_response(Response(status=status, headers=present, body=body), request_id=REQUEST_ID)


@pytest.mark.parametrize(
    ("status", "file", "verdict"),
    [
        (200, "", Verdict.DELIVERED),
        (409, "OO_409-REC_CONFLICT-duplicate.json", Verdict.DELIVERED),
        (409, "OO_422-REC_UNPROCESSABLE_ENTITY-not-supported.json", Verdict.REFUSED),
        (422, "OO_422-REC_UNPROCESSABLE_ENTITY-not-supported.json", Verdict.REFUSED),
        (400, "OO_422-REC_UNPROCESSABLE_ENTITY-not-supported.json", Verdict.REFUSED),
        (408, "OO_408-REC_TIMEOUT-timeout.json", Verdict.RETRY),
        (429, "OO_503-REC_SERVICE_UNAVAILABLE-transient.json", Verdict.RETRY),
        (503, "OO_503-REC_SERVICE_UNAVAILABLE-transient.json", Verdict.RETRY),
        (504, "OO_503-REC_SERVICE_UNAVAILABLE-transient.json", Verdict.RETRY),
        (500, "OO_503-REC_SERVICE_UNAVAILABLE-transient.json", Verdict.RETRY),
    ],
)
def test_published_answers_have_their_meaning(status: int, file: str, verdict: Verdict) -> None:
    """409 with `duplicate` is the one error that is success."""
    assert answer(status, file) is verdict


@pytest.mark.parametrize("status", [200, 404, 422, 502])
def test_an_error_of_something_in_between_is_no_verdict(status: int) -> None:
    """A proxy's page has no ids; whatever it says, the receiver has said nothing."""
    found = read_response(
        Response(status=status, headers={}, body=b"<html>"), request_id=REQUEST_ID
    )

    assert found is Verdict.RETRY


@pytest.mark.parametrize("missing", ["X_Request_ID", "X_Correlation_ID"])
def test_a_success_without_both_ids_is_not_believed(missing: str) -> None:
    """BaRS: a reply that lacks the ids is to be retried."""
    assert answer(200, **{missing: None}) is Verdict.RETRY


def test_an_answer_to_another_request_settles_nothing() -> None:
    """A late answer must not be taken for the next message's (H1)."""
    assert answer(200, X_Request_ID=request_guid("c" * 32)) is Verdict.RETRY


def test_a_refusal_without_an_outcome_is_tried_again() -> None:
    """An error with ids but without OperationOutcome comes from an intermediary."""
    assert answer(404) is Verdict.RETRY


def test_header_names_and_guids_in_any_case_are_understood() -> None:
    """HTTP knows no case in names, and GUIDs none in digits."""
    headers = {name.upper(): text.upper() for name, text in IDS.items()}
    found = read_response(Response(status=201, headers=headers, body=b""), request_id=REQUEST_ID)

    assert found is Verdict.DELIVERED
