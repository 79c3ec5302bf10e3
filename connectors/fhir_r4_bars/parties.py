"""MessageHeader and who is behind it: organisations, the service asked, the sender's staff."""

from broker import __version__
from connectors.fhir_r4_bars.codes import (
    BARS,
    BARS_PROFILE,
    HL7_STRUCTURE,
    NHS,
    OURS,
    REASON,
    UK_CORE,
)
from connectors.fhir_r4_bars.elements import Element, coding, concept, identifier, kept, text
from connectors.fhir_r4_bars.message import (
    PRACTITIONER,
    RECEIVER,
    REQUEST,
    ROLE,
    SENDER,
    SERVICE,
    Message,
)

SOFTWARE = "Crisis Referral Broker"


def add_header(message: Message) -> None:
    """Add the MessageHeader; it must be the first entry."""
    entries, view = message.entries, message.view
    reason = REASON.get(view.event_type, "update")
    if is_entered_in_error(message):
        reason = "delete"
    entries.add(
        f"header/{message.request_id}",
        "MessageHeader",
        {
            "extension": [_software()],
            "eventCoding": coding(f"{BARS}/message-events-bars", "servicerequest-request"),
            "destination": [
                {
                    "endpoint": _url(message.receiver_endpoint()),
                    "receiver": entries.reference(RECEIVER),
                }
            ],
            "sender": entries.reference(SENDER),
            "source": kept(
                {
                    "name": text(message.envelope["sender"]),
                    "software": SOFTWARE,
                    "version": __version__,
                    "contact": _contact(message),
                    "endpoint": _url(message.sender_endpoint()),
                }
            ),
            "reason": concept(f"{BARS}/message-reason-bars", reason),
            "focus": [entries.reference(REQUEST)],
            "definition": f"{NHS}/MessageDefinition/bars-message-servicerequest-request-referral",
        },
        profiles=[f"{BARS_PROFILE}/BARSMessageHeader-servicerequest-request"],
    )


def add_parties(message: Message) -> None:
    """Add both organisations, the service asked, and the sender's staff member."""
    entries = message.entries
    profile = [f"{UK_CORE}/UKCore-Organization"]
    for role, party in (
        (SENDER, message.envelope["sender"]),
        (RECEIVER, message.target.recipient),
    ):
        content = {"identifier": [identifier(f"{OURS}/party", party)], "name": text(party)}
        entries.add(role, "Organization", content, profiles=profile)
    system, _, value = message.receiver_endpoint().rpartition("|")
    entries.add(
        SERVICE,
        "HealthcareService",
        {
            "identifier": [identifier(system or f"{OURS}/endpoint", value)],
            "active": True,
            "providedBy": entries.reference(RECEIVER),
            "name": text(message.fields.take("routing.to_team")) or message.target.recipient,
        },
        profiles=[
            f"{HL7_STRUCTURE}/HealthcareService",
            f"{UK_CORE}/UKCore-HealthcareService",
        ],
    )
    _add_staff(message)


def is_entered_in_error(message: Message) -> bool:
    """Whether the referral went to the wrong place and is to be removed there."""
    return bool(message.fields.look("withdrawal.reason") == "wrong_service")


def _add_staff(message: Message) -> None:
    # Names of officers never travel; the role and a team's number are what a clinician needs.
    entries, fields = message.entries, message.fields
    officer = identifier(f"{OURS}/staff", fields.take("staff.officer_ref"))
    entries.add(
        PRACTITIONER,
        "Practitioner",
        {"identifier": [officer] if officer else None, "telecom": _telecom(message)},
        profiles=[f"{UK_CORE}/UKCore-Practitioner"],
        redacted=message.is_masked("staff.officer_ref"),
    )
    role = text(fields.take("staff.officer_role")) or "Sender's staff"
    entries.add(
        ROLE,
        "PractitionerRole",
        {
            "practitioner": entries.reference(PRACTITIONER),
            "organization": entries.reference(SENDER),
            "code": [{"text": role}],
            "telecom": _telecom(message),
        },
        profiles=[f"{UK_CORE}/UKCore-PractitionerRole"],
    )


def _contact(message: Message) -> Element | None:
    # Whom to phone back: the sender's team, else the desk that the agreement names.
    number = text(message.fields.take("staff.call_back_number")) or text(message.manifest["ask"])
    return {"system": "phone", "value": number} if number else None


def _telecom(message: Message) -> list[Element]:
    number = text(message.fields.look("staff.call_back_number"))
    return [{"system": "phone", "value": number, "use": "work"}] if number else []


def _software() -> Element:
    # The names are those of the published examples; the guide's text spells them otherwise.
    return {
        "url": f"{BARS_PROFILE}/CDSSExtension",
        "extension": [
            {"url": "RequesterCDSSsoftware", "valueString": SOFTWARE},
            {"url": "RequesterCDSSversion", "valueString": __version__},
        ],
    }


def _url(endpoint: str) -> str:
    return "".join(endpoint.split())
