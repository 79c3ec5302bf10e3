"""
Who plays in the demo: the parties of the agreements, their short names, and which stand-in is whom.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

FHIR: Final = "fhir_r4_bars"
WEBHOOK: Final = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """
    One party.

    Attributes:
        name: As people say it, short enough for a column.
        format: What its system speaks.
        duty: Role of whoever answers there.
        call_back: Where it can be rung.
        usual: Events it answers with when nobody told it otherwise.
    """

    name: str
    format: str
    duty: str = ""
    call_back: str = ""
    usual: tuple[str, ...] = ()


ROLES: Final[Mapping[str, Role]] = MappingProxyType(
    {
        "midshire-police": Role(name="Midshire Police", format=WEBHOOK),
        "eastmoor-police": Role(name="Eastmoor Police", format=WEBHOOK),
        "northvale-crisis": Role(
            name="Crisis Team North",
            format=FHIR,
            duty="shift lead",
            call_back="01632 960201",
            usual=("referral_acknowledged", "referral_accepted"),
        ),
        "northvale-liaison": Role(
            name="Northvale Liaison",
            format=FHIR,
            duty="liaison nurse",
            call_back="01632 960202",
            usual=("referral_acknowledged", "referral_accepted"),
        ),
        "northvale-136-suite": Role(
            name="Northvale 136 Suite",
            format=FHIR,
            duty="nurse in charge",
            call_back="01632 960203",
            usual=("referral_acknowledged", "referral_accepted"),
        ),
        "midshire-ambulance": Role(
            name="Midshire Ambulance",
            format=FHIR,
            duty="clinical desk",
            call_back="01632 960204",
            usual=("referral_acknowledged",),
        ),
        "midshire-council": Role(
            name="Midshire Council",
            format=FHIR,
            duty="safeguarding hub",
            call_back="01632 960205",
            usual=("referral_acknowledged",),
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standin:
    """One stand-in process and the parties it plays."""

    name: str
    parties: tuple[str, ...]
    words: str = field(default="")


STANDINS: Final = (
    Standin(
        name="control-rooms",
        parties=("midshire-police", "eastmoor-police"),
        words="control rooms: send referrals, get signed webhooks",
    ),
    Standin(
        name="northvale-trust",
        parties=("northvale-crisis", "northvale-liaison", "northvale-136-suite"),
        words="Northvale trust: three teams, NHS BaRS (FHIR R4)",
    ),
    Standin(
        name="county-services",
        parties=("midshire-ambulance", "midshire-council"),
        words="ambulance and council, NHS BaRS (FHIR R4)",
    ),
)


def name_of(party: str) -> str:
    """Return what people call a party; its id where it has no part in the demo."""
    role = ROLES.get(party)
    return role.name if role else party


def usual_answers(role: Role) -> list[dict[str, Any]]:
    """Return what a party answers on a quiet day."""
    return [{"event": event} for event in role.usual]
