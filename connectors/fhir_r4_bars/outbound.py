"""
A view to a BaRS referral message.

Pure: the same view, target and request id give the same bytes, whenever that is.

Source: NHS Booking and Referral Standard, https://simplifier.net/guide/nhsbookingandreferralstandard;
HL7 FHIR R4 (4.0.1). What is lossy or local is listed in this folder's README.
"""

import json
from datetime import datetime

from connectors.contract import Request, Target, View
from connectors.fhir_r4_bars.codes import BARS_PROFILE, HL7
from connectors.fhir_r4_bars.communications import add_communications
from connectors.fhir_r4_bars.consent import add_consent
from connectors.fhir_r4_bars.elements import REDACTED, Element, kept
from connectors.fhir_r4_bars.entries import Entries
from connectors.fhir_r4_bars.flags import add_flags
from connectors.fhir_r4_bars.message import Message
from connectors.fhir_r4_bars.observations import add_observations
from connectors.fhir_r4_bars.parties import add_header, add_parties
from connectors.fhir_r4_bars.patient import add_patient
from connectors.fhir_r4_bars.place import add_place
from connectors.fhir_r4_bars.reading import Fields
from connectors.fhir_r4_bars.request import add_care_plan, add_encounter, add_request
from connectors.fhir_r4_bars.transport import PATH, conversation_guid, headers
from connectors.fhir_r4_bars.validation import validate
from connectors.moments import instant_text

PARTS = (
    add_header,
    add_request,
    add_parties,
    add_encounter,
    add_care_plan,
    add_patient,
    add_place,
    add_flags,
    add_observations,
    add_consent,
    add_communications,
)
"""In this order: the header comes first by rule, the communications hold what is left."""


def translate_out(
    view: View,
    target: Target,
    *,
    now: datetime,  # noqa: ARG001 - a repeat must be the same message, so the time plays no part
    request_id: str,
) -> Request:
    """
    Write a view as a validated message bundle.

    Raises:
        MalformedMessageError: It would be no valid FHIR; never expected, and never sent.
    """
    message = Message(
        view=view,
        target=target,
        request_id=request_id,
        fields=Fields(view.body),
        entries=Entries(view.envelope["referral_id"], instant_text(view.envelope["recorded_at"])),
    )
    for part in PARTS:
        part(message)
    bundle = _bundle(message)
    validate(bundle)
    body = json.dumps(bundle, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Request(path=PATH, body=body, headers=headers(message))


def _bundle(message: Message) -> Element:
    withheld = bool(message.manifest["entries"]) or not message.manifest["complete"]
    meta = {
        "lastUpdated": message.updated_at,
        "profile": [f"{BARS_PROFILE}/BARSBundleMessage"],
        "security": [REDACTED] if withheld else None,
        "tag": _test_tag(message),
    }
    return {
        "resourceType": "Bundle",
        "id": conversation_guid(message.envelope["referral_id"]),
        "meta": kept(meta),
        "type": "message",
        "timestamp": message.updated_at,
        "entry": message.entries.all(),
    }


def _test_tag(message: Message) -> list[Element]:
    if message.envelope["environment"] == "live":
        return []
    return [{"system": f"{HL7}/v3-ActReason", "code": "HTEST", "display": "test health data"}]
