"""
The closed list of reasons to share, with their nearest codes in HL7 and DPV.

Our own code is the primary one: no HL7 or DPV code exists for safeguarding. Where a mapping is only
the nearest, `Purpose.is_exact` says so, and a translator must not present it as equivalent.

Source: HL7 v3-ActReason (children of PurposeOfUse); W3C DPV 2.3 with its health, law and
public-services extensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

HL7_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"

DPV_BASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dpv": "https://w3id.org/dpv#",
        "health": "https://w3id.org/dpv/sector/health#",
        "law": "https://w3id.org/dpv/sector/law#",
        "publicservices": "https://w3id.org/dpv/sector/publicservices#",
    }
)


class Release(StrEnum):
    """What an agreement may let go for a purpose without asking anybody."""

    BY_RULE = "by-rule"
    OPERATIONAL = "operational"
    """Unreduced, only class S0: codes, times and teams, nothing about a person."""
    BY_PERSON = "by-person"
    """Nothing: each case is decided and recorded by a named person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """
    One reason to share.

    Attributes:
        code: Our code, as routes and agreements state it.
        title: In words, for people.
        may_receive: Kinds of party this purpose is meant for, in words.
        hl7: Codes of HL7 PurposeOfUse, nearest first.
        dpv: DPV purposes as ``prefix:Name``; see `DPV_BASES`.
        is_exact: False where the mapping is only the nearest, not equivalent.
        release: How far an agreement may go without a person.
    """

    code: str
    title: str
    may_receive: str
    hl7: tuple[str, ...]
    dpv: tuple[str, ...]
    is_exact: bool = True
    release: Release = Release.BY_RULE


_ALL: Final = (
    Purpose(
        code="crisis-response",
        title="Respond to a person in crisis now",
        may_receive="crisis and home-treatment teams, mental-health line, place-of-safety suite",
        hl7=("ETREAT",),
        dpv=("health:CrisisManagement", "health:EmergencyCareTriage"),
    ),
    Purpose(
        code="care-coordination",
        title="Join up care after the crisis",
        may_receive="community teams, general practice, liaison psychiatry, AMHP hub",
        hl7=("COC",),
        dpv=("health:ReferralManagement", "health:ProvidersDataSharing"),
    ),
    Purpose(
        code="vital-interests-override",
        title="Save a life where nothing else allows it",
        may_receive="any registered partner, a named person there",
        hl7=("BTG",),
        dpv=("health:EmergencyCareManagement",),
        release=Release.BY_PERSON,
    ),
    Purpose(
        code="responder-safety",
        title="Keep the people who attend safe",
        may_receive="ambulance, lone workers of crisis teams, AMHPs, officers",
        hl7=("THREAT",),
        dpv=("dpv:ProtectionOfPublicSecurity",),
        is_exact=False,
    ),
    Purpose(
        code="safeguarding-adult",
        title="Protect an adult at risk",
        may_receive="adult safeguarding of the local authority, multi-agency hub",
        hl7=("GOV",),
        dpv=("publicservices:SocialWelfareRiskAssessment", "health:SocialServicesProvision"),
        is_exact=False,
    ),
    Purpose(
        code="safeguarding-child",
        title="Protect a child",
        may_receive="children's services, multi-agency hub, health visitor, school nurse",
        hl7=("GOV",),
        dpv=("publicservices:SocialWelfareManagement",),
        is_exact=False,
    ),
    Purpose(
        code="place-of-safety-handover",
        title="Hand over a person detained under section 135 or 136",
        may_receive="section 136 suite, emergency department, AMHP, ambulance",
        hl7=("ERTREAT", "ETREAT"),
        dpv=("health:EmergencyCareCommunication",),
    ),
    Purpose(
        code="police-outcome-feedback",
        title="Tell the referring police what became of the referral",
        may_receive="the control room that referred",
        hl7=("COC",),
        dpv=("publicservices:PublicServiceProvision",),
        is_exact=False,
        release=Release.OPERATIONAL,
    ),
    Purpose(
        code="crime-investigation",
        title="Investigate a crime",
        may_receive="a named police unit",
        hl7=("HLEGAL", "GOV"),
        dpv=("law:LegalInvestigation", "law:CrimeInvestigation"),
        is_exact=False,
        release=Release.BY_PERSON,
    ),
    Purpose(
        code="missing-or-awol",
        title="Find a missing person or a patient absent without leave",
        may_receive="police, transport police, ambulance, other trusts",
        hl7=("THREAT",),
        dpv=("dpv:ProtectionOfPublicSecurity",),
        is_exact=False,
    ),
    Purpose(
        code="service-assurance",
        title="Run, measure and improve the service",
        may_receive="operations, integrated care board, national returns, patient-safety team",
        hl7=("HOPERAT", "HQUALIMP", "PERFMSR", "HPRGRP", "PATSFTY", "HSYSADMIN"),
        dpv=(
            "dpv:ServiceMonitoring",
            "dpv:ProvideOfficialStatistics",
            "health:EnsureQualitySafetyHealthcare",
        ),
        release=Release.OPERATIONAL,
    ),
    Purpose(
        code="oversight-and-rights",
        title="Answer the person, the auditor and the regulator",
        may_receive="data-protection officer, Caldicott Guardian, auditor, the person",
        hl7=("HCOMPL", "RECORDMGT", "PATRQT"),
        dpv=("dpv:LegalCompliance", "dpv:RightsFulfilment"),
        release=Release.OPERATIONAL,
    ),
)

PURPOSES: Final[Mapping[str, Purpose]] = MappingProxyType({each.code: each for each in _ALL})
"""Every purpose by its code, in the order of the catalogue of purposes."""
