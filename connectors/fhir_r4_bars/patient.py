"""The Patient: what may be known of the person, and what was masked."""

from typing import Any

from connectors.fhir_r4_bars.codes import GENDER, HL7, NHS_NUMBER, OURS, UK_CORE, UK_CORE_CODES
from connectors.fhir_r4_bars.elements import (
    MASKED,
    Element,
    address,
    concept,
    date,
    human_name,
    identifier,
    kept,
    phone,
    stated,
    text,
)
from connectors.fhir_r4_bars.message import PATIENT, Message

IDENTITY, CONTACT = "subject.identity", "subject.contact"


def add_patient(message: Message) -> None:
    """Add the one Patient; an unknown person has no name, a masked name says that it is masked."""
    birth_date = _birth_date(message)
    content: dict[str, Any] = {
        "extension": _ethnicity(message),
        "identifier": _identifiers(message),
        "name": _names(message),
        "gender": _gender(message),
        "birthDate": birth_date,
        "address": _addresses(message),
        "contact": _own_contact(message) + _carer(message),
        "communication": _languages(message),
    }
    if birth_date is None and message.is_masked(f"{IDENTITY}.birth_date"):
        content["_birthDate"] = MASKED
    message.entries.add(
        PATIENT,
        "Patient",
        content,
        profiles=[f"{UK_CORE}/UKCore-Patient"],
        redacted=message.is_redacted(IDENTITY, CONTACT),
    )


def _identifiers(message: Message) -> list[Element]:
    fields, sender = message.fields, message.envelope["sender"]
    found = [
        _nhs_number(message),
        identifier(f"{OURS}/party/{sender}/person", fields.take(f"{IDENTITY}.local_ref")),
        identifier(f"{OURS}/police-reference", fields.take(f"{IDENTITY}.police_ref")),
    ]
    return [one for one in found if one]


def _nhs_number(message: Message) -> Element | None:
    number = message.fields.take(f"{IDENTITY}.nhs_number.value")
    check = message.fields.look(f"{IDENTITY}.nhs_number.check")
    status = message.fields.look(f"{IDENTITY}.nhs_number.verification_status")
    found = identifier(NHS_NUMBER, number)
    if found is None:
        return {"system": NHS_NUMBER, **MASKED} if _masks_number(message) else None
    # A number is called verified only if the sender traced it and its check digit agrees.
    verified = check == "passed" and status == "number-present-and-verified"
    meaning = "number-present-and-verified" if verified else "number-present-but-not-traced"
    extension = {
        "url": f"{UK_CORE}/Extension-UKCore-NHSNumberVerificationStatus",
        "valueCodeableConcept": concept(
            f"{UK_CORE_CODES}/UKCore-NHSNumberVerificationStatus", meaning
        ),
    }
    return {"extension": [extension], **found}


def _masks_number(message: Message) -> bool:
    return message.is_masked(f"{IDENTITY}.nhs_number.value")


def _names(message: Message) -> list[Element]:
    path = f"{IDENTITY}.names"
    names = [human_name(name) for name in message.fields.take(path) or ()]
    return [name for name in names if name] or ([MASKED] if message.is_masked(path) else [])


def _birth_date(message: Message) -> str | None:
    stated_date = message.fields.look(f"{IDENTITY}.birth_date")
    found = date(stated_date["value"]) if stated_date else None
    if found is not None:
        message.fields.take(f"{IDENTITY}.birth_date.value")
    return found


def _gender(message: Message) -> str | None:
    path = f"{IDENTITY}.sex_recorded"
    found = GENDER.get((message.fields.look(path) or "").strip().lower())
    if found:
        message.fields.take(path)
    return found


def _ethnicity(message: Message) -> list[Element]:
    # Only what the person says of themselves; what an officer saw is an Observation.
    found = message.fields.take(f"{IDENTITY}.ethnicity_self")
    if not found:
        return []
    url = f"{UK_CORE}/Extension-UKCore-EthnicCategory"
    return [{"url": url, "valueCodeableConcept": stated(found)}]


def _addresses(message: Message) -> list[Element]:
    path = f"{CONTACT}.address"
    native = message.fields.look(path)
    found = address(native, "home") if native else None
    if found:
        message.fields.take(f"{path}.lines")
        message.fields.take(f"{path}.postcode")
        # A place to go to is not always a place to write to.
        return [{**found, "type": "physical"} if _is_unsafe(message, "letter") else found]
    return [MASKED] if message.is_masked(path) else []


def _own_contact(message: Message) -> list[Element]:
    # BaRS keeps the person's own numbers here, ranked, with the relationship "self".
    if _is_unsafe(message, "voice", "text"):
        # INVARIANT: an unsafe number stands in words only, where no system texts it by itself.
        return []
    numbers = [phone(each) for each in message.fields.take(f"{CONTACT}.phones") or ()]
    ranked = [{**one, "rank": rank} for rank, one in enumerate(filter(None, numbers), 1)]
    email = text(message.fields.take(f"{CONTACT}.email"))
    if email:
        ranked.append({"system": "email", "value": email, "rank": len(ranked) + 1})
    if not ranked:
        return []
    relationship = concept(f"{UK_CORE_CODES}/UKCore-PersonRelationshipType", "ONESELF", "self")
    return [{"relationship": [relationship], "telecom": ranked}]


def _carer(message: Message) -> list[Element]:
    fields = message.fields
    if fields.look("carer.safe_to_contact") == "no" or fields.look("carer.person_objects") == "yes":
        return []
    name, number = fields.take("carer.name"), fields.take("carer.phone")
    found = kept(
        {
            "name": human_name(name) if name else None,
            "telecom": [phone(number)] if number else None,
        }
    )
    if not found:
        return []
    relationship = text(fields.take("carer.relationship")) or "Carer or relative"
    code = concept(f"{HL7}/v2-0131", "N", "Next-of-Kin", relationship)
    next_of_kin = fields.look("carer.is_nearest_relative") == "yes"
    return [{"relationship": [code if next_of_kin else {"text": relationship}], **found}]


def _is_unsafe(message: Message, *ways: str) -> bool:
    rules = message.fields.look(f"{CONTACT}.safe_to_contact") or {}
    return any(rules.get(way) == "unsafe" for way in ways)


def _languages(message: Message) -> list[Element]:
    tag = text(message.fields.take(f"{CONTACT}.language"))
    if not tag:
        return []
    coded = concept(f"{UK_CORE_CODES}/UKCore-HumanLanguage", tag, words=tag)
    return [{"language": coded, "preferred": True}]
