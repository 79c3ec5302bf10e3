"""
What the interface of intake looks like from outside: models and examples for OpenAPI.

Answers are written by hand, for speed; a test holds them to these models. The people in the
examples are invented.
"""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE: Final[dict[str, Any]] = {
    "event_type": "referral_made",
    "reference": "MP-20261122-0412",
    "sequence": 1,
    "occurred_at": "2026-11-22T14:02:11+00:00",
    "environment": "test",
    "urgency": {"scheme": "ukmhts", "version": "1", "code": "B"},
    "routes": [{"recipient": "northvale-crisis", "purpose": "crisis-response"}],
    "body": {
        "subject": {
            "identity": {
                "names": [{"family": "Testperson", "given": "Alys"}],
                "birth_date": {"value": "1991-04-03", "estimated": False},
                "nhs_number": {"value": "9990000018"},
                "confidence": "stated",
            },
            "location_now": {"description": "Footbridge by the station, east side"},
        },
        "risk": {"suicide": {"ideation": "yes", "plan": "unknown"}, "weapon": "no"},
        "handover_summary": "Calm, wants to talk to somebody she knows.",
    },
}

ANSWER_EXAMPLE: Final[dict[str, Any]] = {
    "event_type": "referral_accepted",
    "occurred_at": "2026-11-22T14:09:40+00:00",
    "environment": "test",
    "urgency": {"scheme": "ukmhts", "version": "1", "code": "B"},
    "body": {
        "acceptance": {
            "team": "Northvale crisis team",
            "role": "shift coordinator",
            "from_when": "2026-11-22T14:09:00+00:00",
            "call_back_number": "01632 960017",
        }
    },
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FindingModel(_Model):
    """Something noticed about the message; never the value itself."""

    code: str = Field(examples=["nhs-number-check-failed"])
    path: str = Field(examples=["$.body.subject.identity.nhs_number.value"])
    severity: str = Field(examples=["warning"], description="info, warning or safety")
    kept: str = Field(description="Where the value went: a canonical path, unmapped or dropped.")


class ReceiptModel(_Model):
    """Proof that an event is on our own disk; state says whether it is in Kafka as well."""

    event_id: str = Field(examples=["3f0f8d0c5b5f0d4d9f6f1f0c6f0f3c11"])
    referral_id: str = Field(examples=["a1f08d0c5b5f0d4d9f6f1f0c6f0f3c22"])
    event_type: str = Field(examples=["referral_made"])
    state: str = Field(examples=["stored here"], description="`stored here` or `handed over`")
    accepted_at: datetime
    findings: list[FindingModel]
    repeated: bool = Field(description="Whether the same message had been accepted before.")


class ReceiptsModel(_Model):
    """Receipts of every event of one message, in its order."""

    receipts: list[ReceiptModel]


class ErrorModel(_Model):
    """One place and the rule it breaks."""

    path: str = Field(examples=["$.occurred_at"])
    rule: str = Field(examples=["required field is missing"])


class ProblemModel(_Model):
    """Why nothing was stored (RFC 9457); with `not-all-stored`, what was stored nevertheless."""

    type: str = Field(examples=["/v1/problems/malformed-message"])
    title: str
    status: int
    remedy: str = Field(description="What to do now.")
    detail: str | None = None
    errors: list[ErrorModel] = []
    receipts: list[ReceiptModel] = []


class WithheldModel(_Model):
    """One group of which the addressee gets less than you may have sent."""

    group: str
    reason: str
    clause: str | None = None
    held: bool = Field(description="Whether the addressee is told that something is held back.")


class PreviewRouteModel(_Model):
    """What one addressee would see."""

    recipient: str
    purpose: str
    outcome: str = Field(
        description="released, unchanged (an update of which it sees nothing) or held"
    )
    reason: str = Field(
        description="Why it would not go out: no-agreement, needs-person, suspended,"
        " nothing-granted-changed."
    )
    agreement: str = ""
    agreement_version: int = 0
    withheld: list[WithheldModel] = []
    ask: str = Field(default="", description="Whom the addressee is told to ask.")
    body: dict[str, Any] = {}


class PreviewModel(_Model):
    """What every addressee would see; nothing was stored or sent."""

    routes: list[PreviewRouteModel]
    findings: list[FindingModel]
