"""
The Consent: which purpose the data may be used for, and what was or was not consented to.

BaRS knows one value, Direct Care with IMPLIED consent. Sharing by the police rests on other bases,
so IMPLIED is written by a recorded rule only (README, "Consent"), never to cover a refusal.
"""

from typing import Final

from broker.domain.purposes import HL7_SYSTEM, PURPOSES
from connectors.fhir_r4_bars.codes import BARS, DIRECT_CARE, HL7, OURS, UK_CORE
from connectors.fhir_r4_bars.elements import Element, coding, concept, text
from connectors.fhir_r4_bars.message import PATIENT, Message

BASIS: Final = "consent_and_basis"

NOT_CONSENT: Final = frozenset({"refused", "unable"})
"""The person said no, or could not say: this is never written as consent of any kind."""


def add_consent(message: Message) -> None:
    """Add the Consent: purpose of use, the agreement as policy, and the rule for IMPLIED."""
    manifest = message.manifest
    agreement = f"{OURS}/agreement/{manifest['agreement']}|{manifest['agreement_version']}"
    message.entries.add(
        "consent",
        "Consent",
        {
            "status": "active",
            "scope": concept(f"{HL7}/consentscope", "patient-privacy"),
            "category": [_category(manifest["purpose"])],
            "patient": message.entries.reference(PATIENT),
            "dateTime": message.updated_at,
            "policy": [{"uri": "".join(agreement.split())}],
            "policyRule": _rule(message),
            "provision": {"type": "permit", "purpose": _purposes(manifest["purpose"])},
        },
        profiles=[f"{UK_CORE}/UKCore-Consent"],
        redacted=message.is_redacted(BASIS),
    )


def _category(purpose: str) -> Element:
    if purpose in DIRECT_CARE:
        return concept(f"{BARS}/consent-categories-bars", "DRC", "Direct Care")
    return concept(f"{HL7}/v3-ActCode", "INFA", "information access")


def _rule(message: Message) -> Element:
    fields = message.fields
    consent = fields.look(f"{BASIS}.consent_to_share")
    override = text(fields.look(f"{BASIS}.override_basis"))
    objection = fields.look(f"{BASIS}.objection") == "yes"
    implied = message.manifest["purpose"] in DIRECT_CARE and not (
        consent in NOT_CONSENT or override or objection
    )
    stated = f"Consent to share: {consent}" if consent else "Consent to share: not stated here"
    if implied:
        words = f"{stated}. IMPLIED is the code BaRS has for direct care; basis: see policy."
        return concept(f"{HL7}/v3-ActCode", "IMPLIED", words=words)
    because = f" ({override})" if override else ""
    return {"text": f"{stated}. Shared on another basis than consent{because}: see policy."}


def _purposes(code: str) -> list[Element]:
    # Our own code first; an HL7 code only where it means the same, never where it is just nearest.
    found: list[Element] = [coding(f"{OURS}/CodeSystem/purpose", code)]
    purpose = PURPOSES.get(code)
    if purpose is not None and purpose.is_exact:
        found += [{"system": HL7_SYSTEM, "code": hl7} for hl7 in purpose.hl7]
    return found
