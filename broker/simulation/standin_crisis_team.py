"""
The system of a stand-in health, ambulance or council team: takes NHS BaRS messages over HTTP.

It keeps the rules of BaRS that a sender must be able to rely on: both ids or 400, a repeat of a
request id is 409 with an OperationOutcome of code ``duplicate``, and what was taken is answered
with the ids of the request.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.runtime.clock import Clock
from broker.simulation.mailbox import Item, Mailbox
from broker.simulation.staff import Staff

FORMAT: Final = "fhir_r4_bars"
FHIR_JSON: Final = "application/fhir+json"
REQUEST_ID: Final = "X-Request-ID"
CORRELATION_ID: Final = "X-Correlation-ID"


class CrisisTeam:
    """Receives bundles for the teams of one organisation, and lets their staff answer."""

    def __init__(self, mailbox: Mailbox, staff: Staff, clock: Clock) -> None:
        self._mailbox = mailbox
        self._staff = staff
        self._clock = clock

    async def receive(self, request: Request) -> Response:
        """Take one message, or say by the rules of BaRS why not."""
        request_id = request.headers.get(REQUEST_ID, "")
        if not request_id or not request.headers.get(CORRELATION_ID):
            return self._refuse(request, "REC_BAD_REQUEST", "request or correlation id is missing")
        try:
            bundle = json.loads(await request.body())
        except ValueError:
            return self._refuse(request, "REC_BAD_REQUEST", "the body is no JSON")
        if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "message":
            return self._refuse(request, "REC_UNPROCESSABLE_ENTITY", "not a message bundle", 422)
        item = Item(
            party=request.path_params["party"],
            at=self._clock().isoformat(),
            format=FORMAT,
            request_id=request_id,
            referral_id=referral_of(bundle),
            event_type=event_of(bundle),
            body=json.dumps(bundle, ensure_ascii=False),
        )
        if not self._mailbox.take(item):
            return _outcome(
                request, 409, "duplicate", "REC_CONFLICT", "this message was taken before"
            )
        if item.event_type == "referral_made" and item.referral_id:
            self._staff.react(item.party, item.referral_id, urgency_of(bundle))
        return _outcome(request, 200, "informational", "REC_OK", "taken", "information")

    def _refuse(self, request: Request, code: str, text: str, status: int = 400) -> Response:
        self._mailbox.malformed += 1
        return _outcome(request, status, "invalid", code, text)


def referral_of(bundle: Mapping[str, Any]) -> str:
    """Return the broker's id of the referral that a message is about; empty if it has none."""
    for identifier in _resource(bundle, "ServiceRequest").get("identifier", ()):
        if identifier.get("system", "").endswith("/referral"):
            return str(identifier["value"])
    return ""


def event_of(bundle: Mapping[str, Any]) -> str:
    """Return the event type that a message carries: new, an update, or said in words."""
    for coding in _resource(bundle, "MessageHeader").get("reason", {}).get("coding", ()):
        if coding["code"] == "new":
            return "referral_made"
    for resource in _resources(bundle, "Communication"):
        for payload in resource.get("payload", ()):
            marker, _, event = payload.get("contentString", "").partition(": ")
            if marker == "Event":
                return str(event)
    return "referral_updated"


def urgency_of(bundle: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the sender's own urgency code, to be repeated in the answers."""
    for activity in _resource(bundle, "CarePlan").get("activity", ()):
        for concept in activity.get("outcomeCodeableConcept", ()):
            for coding in concept.get("coding", ()):
                scheme = coding["system"].rpartition("/")[2]
                return {
                    "scheme": scheme,
                    "version": coding.get("version", ""),
                    "code": coding["code"],
                }
    return None


def _resource(bundle: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next(_resources(bundle, kind), {})


def _resources(bundle: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    resources = (entry["resource"] for entry in bundle.get("entry", ()))
    return (resource for resource in resources if resource["resourceType"] == kind)


def _outcome(
    request: Request, status: int, issue: str, code: str, text: str, severity: str = "error"
) -> Response:
    system = "https://fhir.nhs.uk/CodeSystem/http-error-codes"
    body = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": severity,
                "code": issue,
                "details": {"coding": [{"system": system, "code": code}]},
                "diagnostics": text,
            }
        ],
    }
    ids = {
        name: request.headers[name]
        for name in (REQUEST_ID, CORRELATION_ID)
        if name in request.headers
    }
    return JSONResponse(body, status_code=status, headers=ids, media_type=FHIR_JSON)
