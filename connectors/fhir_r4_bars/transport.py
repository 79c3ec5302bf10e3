"""Headers of a BaRS request."""

import base64
import json
from typing import Final

from connectors.fhir_r4_bars.codes import OURS
from connectors.fhir_r4_bars.entries import guid
from connectors.fhir_r4_bars.message import Message

MEDIA_TYPE: Final = "application/fhir+json"
PATH: Final = "/$process-message"


def request_guid(request_id: str) -> str:
    """Return the X-Request-ID of a view: a GUID, as BaRS demands, derived from our request id."""
    return guid("request", request_id)


def conversation_guid(referral_id: str) -> str:
    """Return what stays the same in all messages of a referral: Bundle.id and X-Correlation-ID."""
    return guid("conversation", referral_id)


def headers(message: Message) -> dict[str, str]:
    """Return the headers; both ids are mandatory and come back in the answer."""
    system, _, value = message.receiver_endpoint().rpartition("|")
    organization = {
        "resourceType": "Organization",
        "identifier": [{"system": f"{OURS}/party", "value": message.envelope["sender"]}],
        "name": message.envelope["sender"],
    }
    return {
        "Content-Type": MEDIA_TYPE,
        "Accept": MEDIA_TYPE,
        "X-Request-ID": request_guid(message.request_id),
        "X-Correlation-ID": conversation_guid(message.envelope["referral_id"]),
        "NHSD-Target-Identifier": _encoded({"system": system, "value": value}),
        "NHSD-End-User-Organisation": _encoded(organization),
    }


def _encoded(content: dict[str, object]) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()
