"""ServiceRequest, Encounter and CarePlan: what is asked, in which journey, and on which grounds."""

from typing import Any, Final

from connectors.fhir_r4_bars.codes import (
    BARS,
    BARS_PROFILE,
    HL7,
    OURS,
    PRIORITY,
    UK_CORE,
)
from connectors.fhir_r4_bars.elements import (
    Element,
    concept,
    identifier,
    kept,
    moment,
    stated,
    text,
)
from connectors.fhir_r4_bars.entries import guid
from connectors.fhir_r4_bars.message import (
    CARE_PLAN,
    ENCOUNTER,
    PATIENT,
    PLACE,
    REQUEST,
    ROLE,
    SERVICE,
    Message,
)
from connectors.fhir_r4_bars.parties import is_entered_in_error

WITHDRAWN: Final = "referral_withdrawn"


def add_request(message: Message) -> None:
    """Add the ServiceRequest: active, revoked, or entered in error if it went to the wrong place."""
    entries, envelope = message.entries, message.envelope
    entries.add(
        REQUEST,
        "ServiceRequest",
        {
            "identifier": [identifier(f"{OURS}/referral", envelope["referral_id"])],
            "basedOn": [entries.reference(CARE_PLAN)],
            "status": _status(message),
            "intent": "plan",
            "category": _categories(),
            "priority": PRIORITY.get(envelope["urgency"]["rank"], "stat"),
            "subject": entries.reference(PATIENT),
            "encounter": entries.reference(ENCOUNTER),
            "occurrencePeriod": _response_clock(message),
            "authoredOn": moment(envelope["occurred_at"]),
            "requester": entries.reference(ROLE),
            "performer": [entries.reference(SERVICE)],
            "locationReference": _place(message),
            "reasonCode": _why_withdrawn(message),
        },
        profiles=[f"{BARS_PROFILE}/BARSServiceRequest-request-referral"],
    )


def add_encounter(message: Message) -> None:
    """Add the sender's Encounter; its episode is the journey id that replies repeat."""
    entries, fields, envelope = message.entries, message.fields, message.envelope
    began = fields.take("incident.first_call_at") or envelope["occurred_at"]
    number = fields.take("incident.urn") or envelope["referral_id"]
    journey = guid(envelope["referral_id"], "journey")
    entries.add(
        ENCOUNTER,
        "Encounter",
        {
            "identifier": [identifier(f"{OURS}/party/{envelope['sender']}/incident", number)],
            "status": "triaged",
            "class": {"system": f"{HL7}/v3-ActCode", "code": "EMER", "display": "emergency"},
            "subject": entries.reference(PATIENT),
            "episodeOfCare": [{"reference": f"EpisodeOfCare/{journey}"}],
            "period": {"start": moment(began)},
        },
        profiles=[f"{UK_CORE}/UKCore-Encounter"],
    )


def add_care_plan(message: Message) -> None:
    """Add the CarePlan: urgency on its own scale, reason for contact, what triage found."""
    entries, fields, envelope = message.entries, message.fields, message.envelope
    found = [_urgency(envelope["urgency"])]
    found += [stated(each) for each in fields.take("triage_assessment.presentation") or ()]
    found += [stated(each) for each in _present(fields.take("triage_assessment.scale"))]
    found += [{"text": each} for each in _present(text(fields.take("incident.reason_for_contact")))]
    entries.add(
        CARE_PLAN,
        "CarePlan",
        {
            "status": "active",
            "intent": "plan",
            "title": "Crisis referral",
            "description": text(fields.take("triage_assessment.formulation")),
            "subject": entries.reference(PATIENT),
            "encounter": entries.reference(ENCOUNTER),
            "period": {"start": moment(envelope["occurred_at"])},
            "activity": [{"outcomeCodeableConcept": found}],
        },
        profiles=[f"{UK_CORE}/UKCore-CarePlan"],
        redacted=message.is_redacted("triage_assessment", "incident"),
    )


def _status(message: Message) -> str:
    if message.view.event_type != WITHDRAWN:
        return "active"
    return "entered-in-error" if is_entered_in_error(message) else "revoked"


def _categories() -> list[Element]:
    # BaRS has no use case for police or mental-health crisis: the second one is ours.
    return [
        concept(f"{BARS}/message-category-servicerequest", "referral", "Transfer of Care"),
        concept(
            f"{OURS}/CodeSystem/use-case",
            "police-mental-health-crisis",
            "Police to mental-health crisis team",
        ),
    ]


def _response_clock(message: Message) -> Element:
    start, end = moment(message.envelope["occurred_at"]), message.respond_by()
    message.fields.take("clock.respond_by")
    return kept({"start": start, "end": end})


def _place(message: Message) -> list[Element]:
    has_place = message.fields.look("subject.location_now")
    return [message.entries.reference(PLACE)] if has_place else []


def _why_withdrawn(message: Message) -> list[Element]:
    if message.view.event_type != WITHDRAWN:
        return []
    reason = text(message.fields.take("withdrawal.reason"))
    words = text(message.fields.take("withdrawal.text"))
    return [{"text": ": ".join(part for part in (reason, words) if part) or "withdrawn"}]


def _urgency(urgency: Any) -> Element:
    minutes = urgency["target_minutes"]
    aim = "" if minutes is None else f", response within {minutes} minutes"
    words = f"Urgency {urgency['rank']}: {urgency['code']} on {urgency['scheme']}{aim}"
    if not (urgency["scheme"].strip() and urgency["code"].strip()):
        return {"text": f"Urgency {urgency['rank']}: no scale stated"}
    return stated({**urgency, "text": words})


def _present(value: Any) -> list[Any]:
    return [] if value is None else [value]
