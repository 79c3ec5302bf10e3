"""
Fills in the body of an invented referral: what is known of whom, and everything that goes wrong.

Each chance stands in one table, so that a reader sees how often a trap occurs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final

from broker.simulation.moments import eighteen_tomorrow
from broker.simulation.people import DESCRIPTIONS, NO_FIXED_ABODE, Person, invent_person, phone
from broker.simulation.situations import Situation

Body = dict[str, Any]

CHANCES: Final[Mapping[str, float]] = {
    "unknown person": 0.10,
    "child": 0.08,
    "birthday tomorrow": 0.25,
    "no fixed abode": 0.07,
    "swapped position": 0.06,
    "protected address": 0.05,
    "refused sharing": 0.10,
    "safety warning": 0.15,
    "intelligence source": 0.30,
    "officer is victim": 0.03,
    "children at home": 0.12,
    "no hand-over summary": 0.12,
    "emoji": 0.10,
    "long log": 0.02,
    "interpreter": 0.12,
    "offence": 0.12,
}
"""How often each occurs; of those in whom it can occur at all."""

LONG_LOG_BYTES: Final = 100_000
LANGUAGES: Final = ("cym", "ara", "bfi", "pol", "urd", "heb")
LOG_LINES: Final = (
    "Caller breaking up, says she can see him from the window.",
    "Unit on scene, talking through the door.",
    "No reply on landline. Neighbour spoken to, not seen since Tuesday.",
    "Sgt updated. RCRP considered, threshold met / not met, see decision.",
    'Says "dwi\'n iawn" and nothing else. Welsh speaker requested.',
    "Ambulance ETA 95 min.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A situation that befalls a person at a time."""

    situation: Situation
    person: Person
    at: datetime


def add_particulars(rng: Random, draft: Draft) -> Body:
    """Return the body; sections that nobody filled in are left out."""
    sections = {
        "clock": {"accept_by": (draft.at + timedelta(minutes=30)).isoformat()},
        "routing": {
            "from_system": "sim-cad",
            "reply_to": "control-room",
            "sharing_kind": "referral",
        },
        "subject": _subject(rng, draft),
        "incident": _incident(rng, draft),
        "risk": {
            "assessed_by_role": "police constable",
            "assessed_at": draft.at.isoformat(),
            **draft.situation.risk,
        },
        "legal_status": _legal_status(draft),
        "safety_warnings": _safety_warnings(rng, draft),
        "dependants": _dependants(rng, draft),
        "informant": _informant(rng, draft),
        "third_parties": _third_parties(rng, draft),
        "offence": _offence(rng),
        "staff": {"officer_ref": f"PC {rng.randint(1000, 9999)}", "call_back_number": phone(rng)},
        "consent_and_basis": _consent(rng),
        "handover_summary": _summary(rng, draft),
    }
    return {name: section for name, section in sections.items() if section}


def _happens(rng: Random, what: str) -> bool:
    return rng.random() < CHANCES[what]


def _subject(rng: Random, draft: Draft) -> Body:
    unknown = _happens(rng, "unknown person")
    identity = _unknown_person(rng) if unknown else _identity(rng, draft)
    contact = None if unknown else _contact(rng, draft.person)
    return {
        "identity": identity,
        **({"contact": contact} if contact else {}),
        "location_now": _location(rng, draft),
    }


def _unknown_person(rng: Random) -> Body:
    return {
        "description": rng.choice(DESCRIPTIONS),
        "age_estimate": rng.choice((20, 25, 40, 70)),
        "confidence": "unknown",
    }


def _identity(rng: Random, draft: Draft) -> Body:
    person = draft.person
    born = _birth_date_of_child(rng, draft.at.date()) if _happens(rng, "child") else person.born
    return {
        "names": [{"family": person.family, "given": person.given}],
        "birth_date": {"value": born.isoformat(), "estimated": False},
        "nhs_number": {"value": person.nhs_number},
        "sex_recorded": rng.choice(("female", "male", "indeterminate")),
        "confidence": rng.choice(("stated", "known_person", "verified_document", "partial")),
    }


def _birth_date_of_child(rng: Random, today: date) -> date:
    if _happens(rng, "birthday tomorrow"):
        return eighteen_tomorrow(today)
    return today - timedelta(days=rng.randint(11 * 365, 17 * 365))


def _contact(rng: Random, person: Person) -> Body:
    nowhere = _happens(rng, "no fixed abode")
    address = {"lines": list(person.lines), "postcode": person.postcode}
    contact: Body = {
        "phones": [{"number": person.phone, "kind": "mobile"}],
        "address": {"lines": ["No fixed abode"], "postcode": NO_FIXED_ABODE}
        if nowhere
        else address,
        "safe_to_contact": {"voice": "safe", "text": "safe", "letter": "unknown"},
    }
    if _happens(rng, "protected address"):
        contact["protected_address"] = {
            "lines": [f"The Refuge, {rng.randint(1, 99)} Undisclosed Row"],
            "postcode": "ZZ9 9ZZ",
        }
        contact["safe_to_contact"] = {
            "voice": "unsafe",
            "text": "unsafe",
            "letter": "unsafe",
            "do_not_disclose_purpose": True,
            "safe_route": "through the advocate",
        }
    if _happens(rng, "interpreter"):
        contact |= {"language": rng.choice(LANGUAGES), "interpreter_needed": "yes"}
    return contact


def _location(rng: Random, draft: Draft) -> Body:
    latitude, longitude = draft.person.latitude, draft.person.longitude
    if _happens(rng, "swapped position"):
        latitude, longitude = longitude, latitude
    return {
        "position": {
            "latitude": latitude,
            "longitude": longitude,
            "accuracy_m": rng.choice((5, 20, 350, 2500)),
            "captured_at": draft.at.isoformat(),
        },
        "description": f"near {draft.person.lines[-2]}",
        "kind": rng.choice(("incident", "caller", "rendezvous", "current")),
        "moving": rng.choice(("yes", "no", "unknown")),
    }


def _incident(rng: Random, draft: Draft) -> Body:
    attends = draft.situation.name != "police-not-attending"
    return {
        "urn": f"MP/{draft.at:%Y%m%d}/{rng.randint(1, 2999):04d}",
        "source_channel": rng.choice(("999", "101", "online", "other agency")),
        "grade": {"scheme": "police-grade", "version": "1", "code": rng.choice("123")},
        "first_call_at": (draft.at - timedelta(minutes=rng.randint(2, 90))).isoformat(),
        "reason_for_contact": draft.situation.reason,
        "rcrp": {
            "decision": "attend" if attends else "not_attend",
            "ground": rng.choice(("real_immediate_life", "serious_harm")) if attends else "none",
            "decided_by_role": "control room supervisor",
            "decided_at": draft.at.isoformat(),
        },
        "log": _log(rng, draft),
    }


def _log(rng: Random, draft: Draft) -> list[Body]:
    entries = [
        {"at": (draft.at - timedelta(minutes=5 - place)).isoformat(), "text": rng.choice(LOG_LINES)}
        for place in range(rng.randint(1, 5))
    ]
    if _happens(rng, "long log"):
        line = " ".join(rng.choices(LOG_LINES, k=40))
        entries.append({"at": draft.at.isoformat(), "text": _repeat(line, LONG_LOG_BYTES)})
    return entries


def _repeat(line: str, size_bytes: int) -> str:
    return (line + "\n") * (size_bytes // (len(line.encode()) + 1))


def _legal_status(draft: Draft) -> Body | None:
    if draft.situation.name != "section-136":
        return None
    started = draft.at - timedelta(minutes=55)
    arrived = draft.at - timedelta(minutes=10)
    return {
        "detained": "yes",
        "power": "s136",
        "started_at": started.isoformat(),
        "arrived_at": arrived.isoformat(),
        "expires_at": (arrived + timedelta(hours=24)).isoformat(),
        "place_of_safety": "emergency_department",
        "health_professional_consulted": "yes",
        "search_summary": "searched under section 32, lighter and laces taken",
        "restraint_summary": "none",
    }


def _safety_warnings(rng: Random, draft: Draft) -> list[Body] | None:
    has_weapon = draft.situation.name == "weapon"
    if not has_weapon and not _happens(rng, "safety warning"):
        return None
    secret = _happens(rng, "intelligence source")
    return [
        {
            "kind": "weapon"
            if has_weapon
            else rng.choice(("dog", "violence to staff", "hoarding")),
            "severity": rng.choice(("low", "medium", "high")),
            "basis": "intelligence" if secret else "fact",
            "source": "a registered source, handle with care" if secret else "previous attendance",
            "last_confirmed": (draft.at - timedelta(days=rng.randint(1, 200))).isoformat(),
            "review_by": (draft.at + timedelta(days=rng.randint(10, 300))).isoformat(),
            "advice": "two people, park out of sight",
            "scene_safety": rng.choice(("safe", "unsafe", "unknown")),
        }
    ]


def _dependants(rng: Random, draft: Draft) -> Body | None:
    if not _happens(rng, "children at home"):
        return None
    child = invent_person(rng, draft.at.date())
    return {
        "children_present": "yes",
        "children_count": rng.randint(1, 4),
        "children": [
            {
                "name": {"given": child.given, "family": draft.person.family},
                "relationship": "child",
                "where_now": rng.choice(("with a neighbour", "at school", "in the house")),
                "social_worker_known": rng.choice(("yes", "no", "unknown")),
            }
        ],
    }


def _informant(rng: Random, draft: Draft) -> Body | None:
    if draft.situation.name not in ("third-party-concern", "overdose-plan"):
        return None
    who = invent_person(rng, draft.at.date())
    return {
        "relationship": rng.choice(
            ("neighbour", "sister", "colleague", "landlord", "friend online")
        ),
        "name": {"family": who.family, "given": who.given},
        "phone": {"number": who.phone},
        "wants_anonymity": rng.choice(("yes", "no", "not_asked")),
    }


def _third_parties(rng: Random, draft: Draft) -> list[Body] | None:
    if not _happens(rng, "officer is victim"):
        return None
    who = invent_person(rng, draft.at.date())
    return [
        {
            "role": "victim",
            "name": {"family": who.family, "given": who.given},
            "detail": "attending officer, assaulted, off to hospital",
        }
    ]


def _offence(rng: Random) -> Body | None:
    if not _happens(rng, "offence"):
        return None
    return {
        "category": {"scheme": "ho-offence", "code": "8N", "text": "assault without injury"},
        "status": rng.choice(("alleged", "no further action", "arrested")),
        "relevant_to_contact": rng.choice(("yes", "no")),
    }


def _consent(rng: Random) -> Body:
    if _happens(rng, "refused sharing"):
        return {
            "consent_to_share": "refused",
            "consent_reason": "does not want family to know",
            "capacity": "has",
            "capacity_by_role": "police sergeant",
            "informed_of_sharing": "yes",
            "override_basis": "serious harm to self, vital interests",
            "decision_maker_role": "duty inspector",
        }
    return {
        "consent_to_share": rng.choice(("given", "unable", "not_sought")),
        "capacity": rng.choice(("has", "not_assessed", "lacks")),
        "informed_of_sharing": rng.choice(("yes", "no")),
    }


def _summary(rng: Random, draft: Draft) -> str | None:
    if _happens(rng, "no hand-over summary"):
        return None
    emoji = " Texted 🙏🏽👨‍👩‍👧 to a friend." if _happens(rng, "emoji") else ""
    return draft.situation.summary + emoji
