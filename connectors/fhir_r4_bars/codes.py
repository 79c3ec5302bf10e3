"""
Code systems and tables of BaRS, and our own where BaRS has none.

Source: NHS Booking and Referral Standard implementation guide and code systems 1.4.0
(https://simplifier.net/nhsbookingandreferrals); HL7 Terminology; SNOMED CT as checked in a
published value set.
"""

from collections.abc import Mapping
from typing import Final

NHS: Final = "https://fhir.nhs.uk"
BARS: Final = f"{NHS}/CodeSystem"
BARS_PROFILE: Final = f"{NHS}/StructureDefinition"
UK_CORE: Final = "https://fhir.hl7.org.uk/StructureDefinition"
UK_CORE_CODES: Final = "https://fhir.hl7.org.uk/CodeSystem"
HL7: Final = "http://terminology.hl7.org/CodeSystem"
HL7_STRUCTURE: Final = "http://hl7.org/fhir/StructureDefinition"
SNOMED: Final = "http://snomed.info/sct"
NHS_NUMBER: Final = f"{NHS}/Id/nhs-number"

OURS: Final = "https://crisis-referral-broker.example.org/fhir"
"""Where BaRS has no code (it knows neither police nor mental-health crisis), ours stands here."""

REASON: Final[Mapping[str, str]] = {"referral_made": "new", "referral_withdrawn": "update"}
"""message-reason-bars by event type; every other event is an `update`."""

PRIORITY: Final[Mapping[str, str]] = {
    "immediate": "stat",
    "unknown": "stat",
    "urgent": "asap",
    "soon": "urgent",
    "routine": "routine",
}
"""R4 request-priority by rank; an unknown urgency is treated as the highest."""

SCENE: Final[Mapping[str, tuple[str, str]]] = {
    "safe": ("S", "The Scene is safe"),
    "unsafe": ("U", "The Scene is unsafe"),
    "unknown": ("UNK", "Unknown"),
}

FLAG: Final[Mapping[str, str]] = {
    "SS": "Scene Safety",
    "SG": "Safeguarding Concern",
    "API": "Additional Patient Information",
}

LOCATION: Final[Mapping[str, str]] = {"incident": "ILOC", "caller": "CLOC", "rendezvous": "RLOC"}
OTHER_LOCATION: Final = "OLOC"

GENDER: Final[Mapping[str, str]] = {
    "m": "male",
    "male": "male",
    "f": "female",
    "female": "female",
    "other": "other",
    "unknown": "unknown",
}

NO_ANSWER: Final[Mapping[str, str]] = {
    "unknown": "unknown",
    "not_asked": "not-asked",
    "refused": "asked-declined",
}
"""data-absent-reason for the three ways of not having an answer."""

DIRECT_CARE: Final = frozenset({"crisis-response", "care-coordination", "place-of-safety-handover"})
"""Purposes for which BaRS' one consent category, Direct Care, is true."""

SCHEMES: Final[Mapping[str, str]] = {"snomed": SNOMED, "sct": SNOMED, "snomed-ct": SNOMED}

QUESTIONS: Final[Mapping[str, tuple[str, str | None]]] = {
    "risk.self_harm": ("Self-harm", "248062006"),
    "risk.suicide.ideation": ("Suicidal thoughts", "6471006"),
    "risk.suicide.plan": ("Planning suicide", "247650009"),
    "risk.suicide.intent": ("Suicidal intent", "304594002"),
    "risk.suicide.means_available": ("Means of suicide at hand", None),
    "risk.suicide.attempt_now": ("Suicide attempt under way", "82313006"),
    "risk.suicide.previous_attempt": ("Previous suicide attempt", "23233009"),
    "risk.harm_to_others": ("Risk to others", None),
    "risk.from_others": ("Risk from others", None),
    "risk.self_neglect": ("Self-neglect", None),
    "risk.exploitation": ("Exploitation", None),
    "risk.weapon": ("Weapon seen or reported", None),
    "risk.intoxication": ("Drink or drugs", None),
    "risk.absconding": ("Risk of leaving", None),
    "legal_status.detained": ("Detained", None),
    "legal_status.health_professional_consulted": ("Health professional consulted first", None),
    "subject.location_now.moving": ("Person is moving", None),
    "dependants.children_present": ("Children present", None),
    "dependants.adults_at_risk": ("Adults at risk present", None),
    "consent_and_basis.objection": ("Objection to sharing", None),
    "consent_and_basis.informed_of_sharing": ("Person was told of the sharing", None),
}
"""
Yes/no questions of an event: label and SNOMED CT code, where one says just that.

86849004 is no suicide attempt but "Suicidal poisoning", widely mistaken for it.
"""

STATEMENTS: Final[Mapping[str, str]] = {
    "risk.physical_red_flags": "Physical red flags",
    "risk.protective_factors": "Protective factors",
    "risk.overall_level": "Overall level of risk",
    "legal_status.power": "Legal power",
    "legal_status.started_at": "Power used at",
    "legal_status.arrived_at": "Arrived at first place of safety at",
    "legal_status.expires_at": "Power ends at",
    "legal_status.extended_until": "Extended until",
    "legal_status.search_summary": "Search",
    "legal_status.restraint_summary": "Restraint and use of force",
    "incident.rcrp.decision": "Police attendance (Right Care Right Person)",
    "incident.rcrp.ground": "Ground of that decision",
    "subject.identity.ethnicity_officer": "Ethnic appearance as an officer saw it",
    "consent_and_basis.consent_to_share": "Consent to share",
    "consent_and_basis.capacity": "Capacity to decide about sharing",
}
"""Other statements that clinicians look for by themselves; all the rest stands in one Communication."""
