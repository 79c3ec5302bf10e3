"""
One `referral_made` event with nearly every field filled in, for measuring and for canaries.

Everybody in it is invented.
"""

from datetime import UTC, datetime
from typing import Any, Final


def moment(hour: int = 14, minute: int = 2) -> dict[str, Any]:
    """A moment of that day."""
    return {"utc": datetime(2026, 11, 22, hour, minute, 11, 123456, tzinfo=UTC), "offset": "+00:00"}


def code(symbol: str, text: str | None = None) -> dict[str, Any]:
    """A code of an invented scheme."""
    return {"scheme": "midshire-cad", "version": "4", "code": symbol, "text": text}


_ADDRESS: Final = {
    "lines": ["14 Llys Glan-yr-afon", "Lower Quay", "Northvale"],
    "postcode": "ZZ99 3VZ",
    "uprn": "000100012345",
}
_NAME: Final = {"family": "Testperson", "given": "Angharad Mair", "use": "official"}
_PROVENANCE: Final = {
    "source_role": "call handler",
    "asserted_at": moment(),
    "kind": "reported_by_third_party",
    "reliability": "medium",
}
REFERRAL_IN_FULL: Final[dict[str, Any]] = {
    "envelope": {
        "event_id": "0f8e6c1b2a3d4c5e9f708192a3b4c5d6",
        "event_type": "referral_made",
        "referral_id": "7c3f0a9b8d7e6f5a4b3c2d1e0f9a8b7c",
        "sequence": 1,
        "sender": "midshire-police",
        "occurred_at": moment(),
        "recorded_at": datetime(2026, 11, 22, 14, 2, 13, 5, tzinfo=UTC),
        "environment": "test",
        "urgency": {
            "rank": "immediate",
            "scheme": "ukmhts",
            "version": "1",
            "code": "B",
            "target_minutes": 240,
        },
        "supersedes": None,
        "expires_at": None,
        "correlation_id": "9a8b7c6d5e4f30213243546576879809",
        "causation_id": None,
        "routes": [
            {
                "recipient": "northvale-crisis",
                "purpose": "crisis-response",
                "source": "sender",
                "reason": None,
            },
            {
                "recipient": "midshire-ambulance",
                "purpose": "responder-safety",
                "source": "rota",
                "reason": None,
            },
        ],
        "facts": ["immediate_risk"],
        "findings": [
            {
                "code": "offset-assumed",
                "path": "$.body.incident.first_call_at",
                "severity": "info",
                "kept": "value",
            }
        ],
        "regime_at_source": "dpa_part_3",
        "content_digest": bytes(range(32)),
        "hop_count": 1,
    },
    "routing": {
        "from_system": "midshire-cad",
        "to_team": "Northvale Crisis Team",
        "reply_to": "midshire-police",
        "fallback_contacts": [{"number": "01632 960111", "kind": "duty desk"}],
        "jurisdiction": "EW",
        "out_of_area": "no",
        "sharing_kind": "referral",
    },
    "clock": {
        "respond_by": moment(18),
        "respond_by_basis": "clinical",
        "acknowledge_by": moment(14, 10),
        "accept_by": moment(14, 30),
        "legal_deadline": None,
        "escalation_policy": "northvale-standard",
    },
    "subject": {
        "identity": {
            "local_ref": "NP-2026-004412",
            "nhs_number": {
                "value": "9990000018",
                "check": "passed",
                "verification_status": "not traced",
            },
            "police_ref": "26/99999Z",
            "names": [_NAME, {"family": "Testperson", "given": "Annie", "use": "alias"}],
            "birth_date": {"value": "1990-05-17", "estimated": False},
            "age_estimate": None,
            "sex_recorded": "female",
            "gender_self": "female",
            "ethnicity_self": code("A1"),
            "ethnicity_officer": code("IC1"),
            "confidence": "stated",
            "description": "about 170 cm, dark green coat, grey rucksack",
        },
        "contact": {
            "phones": [{"number": "07700 900123", "kind": "mobile"}],
            "email": "angharad@example.org",
            "address": _ADDRESS,
            "protected_address": {"lines": ["Canary House"], "postcode": None, "uprn": None},
            "safe_to_contact": {
                "voice": "safe",
                "text": "unsafe",
                "letter": "unsafe",
                "do_not_disclose_purpose": True,
                "safe_route": "ring sister first",
            },
            "language": "cy",
            "interpreter_needed": "no",
            "communication_needs": ["British Sign Language"],
            "gp_practice": "Z99999",
            "known_team": "Northvale CMHT East",
        },
        "location_now": {
            "position": {
                "latitude": 52.1234,
                "longitude": -1.5123,
                "accuracy_m": 12,
                "captured_at": moment(),
                "swap_suspected": False,
            },
            "address": _ADDRESS,
            "what3words": "///invented.words.here",
            "description": "North side of the footbridge, sitting by the second lamp post",
            "kind": "current",
            "moving": "no",
            "floor_room": None,
        },
    },
    "incident": {
        "urn": "MP-20261122-0412",
        "source_channel": "999",
        "grade": code("1", "Immediate"),
        "opening_code": code("CONCERN"),
        "final_codes": None,
        "first_call_at": moment(13, 50),
        "reason_for_contact": "Concern for safety of a woman on a footbridge",
        "rcrp": {
            "decision": "attend",
            "ground": "real_immediate_life",
            "decided_by_role": "control room inspector",
            "decided_at": moment(13, 58),
            "escalation_route": "01632 960112",
        },
        "linked_incidents": ["MP-20261101-0077"],
        "log": [
            {
                "at": moment(13, 50 + i),
                "text": f"Log line {i}: caller says the person has been there for twenty minutes and is upset.",
                "provenance": _PROVENANCE,
            }
            for i in range(8)
        ],
    },
    "risk": {
        "self_harm": "yes",
        "suicide": {
            "ideation": "yes",
            "plan": "yes",
            "intent": "unknown",
            "means_available": "yes",
            "attempt_now": "yes",
            "previous_attempt": "unknown",
        },
        "harm_to_others": "no",
        "from_others": "unknown",
        "self_neglect": "no",
        "exploitation": "unknown",
        "weapon": "no",
        "intoxication": "yes",
        "physical_red_flags": ["hypothermia"],
        "absconding": "yes",
        "protective_factors": ["sister", "dog"],
        "overall_level": code("high"),
        "assessed_by_role": "constable",
        "assessed_at": moment(14, 0),
    },
    "legal_status": {
        "detained": "yes",
        "power": "s136",
        "started_at": moment(14, 1),
        "arrived_at": None,
        "expires_at": moment(23, 59),
        "extended_until": None,
        "extension_reason": None,
        "place_of_safety": "health_based",
        "place_of_safety_ods": "Z9X99",
        "place_choice_reason": "nearest free suite",
        "health_professional_consulted": "yes",
        "search_summary": "searched, nothing found",
        "restraint_summary": None,
        "amhp_informed_at": None,
        "rights_given_at": moment(14, 5),
    },
    "triage_assessment": None,
    "safety_warnings": [
        {
            "kind": "weapon",
            "severity": "high",
            "basis": "intelligence",
            "source": "secret source 17",
            "last_confirmed": moment(),
            "review_by": moment(),
            "advice": "Attend in pairs",
            "scene_safety": "unsafe",
        },
        {
            "kind": "dog",
            "severity": "low",
            "basis": "fact",
            "source": "officer",
            "last_confirmed": moment(),
            "review_by": None,
            "advice": "Dog is friendly; keep the gate shut",
            "scene_safety": "safe",
        },
    ],
    "dependants": {
        "children_present": "yes",
        "children_count": 2,
        "children": [
            {
                "name": _NAME,
                "birth_date": {"value": "2018-01-02", "estimated": False},
                "relationship": "daughter",
                "where_now": "with aunt",
                "concern": "none",
                "social_worker_known": "no",
            }
        ],
        "adults_at_risk": "no",
        "pets_or_property": "one dog at home",
    },
    "informant": {
        "relationship": "neighbour",
        "name": {"family": "Canary", "given": "Secret", "use": None},
        "phone": {"number": "07700 900456", "kind": None},
        "wants_anonymity": "yes",
    },
    "carer": {
        "name": {"family": "Testsister", "given": "Mari", "use": None},
        "relationship": "sister",
        "phone": {"number": "07700 900789", "kind": "mobile"},
        "is_nearest_relative": "yes",
        "safe_to_contact": "yes",
        "person_objects": "no",
    },
    "third_parties": [
        {
            "role": "witness",
            "name": {"family": "Canary", "given": "Two", "use": None},
            "detail": "walked past at 13:45 and rang 999",
        }
    ],
    "offence": {
        "category": code("PUBORD"),
        "status": "no further action",
        "relevant_to_contact": "no",
        "bail_conditions": None,
        "history": "one caution, long ago, not related",
    },
    "staff": {
        "officer_ref": "PC 9999",
        "officer_role": "response officer",
        "supervisor_ref": "PS 8888",
        "operator_ref": "OP 77",
        "call_back_number": "01632 960113",
    },
    "consent_and_basis": {
        "consent_to_share": "refused",
        "consent_reason": "did not want anybody told",
        "capacity": "not_assessed",
        "capacity_by_role": None,
        "objection": "yes",
        "informed_of_sharing": "yes",
        "informed_deferred_reason": None,
        "override_basis": "vital interests",
        "decision_maker_role": "control room inspector",
        "safeguarding_decision": None,
    },
    "attachments": [
        {
            "id": "att-1",
            "media_type": "image/jpeg",
            "sha256": "ab" * 32,
            "size_bytes": 123456,
            "url": "https://files.example.org/att-1",
        }
    ],
    "handover_summary": "Angharad was found on the footbridge at 13:50 and came down by herself after talking for ten minutes. She says she has not slept for four days and has stopped taking her tablets. She would like her sister Mari to know. She is cold; no injuries seen. Officers will stay until the suite takes over.",
    "unmapped": [{"path": "$.cad.vehicle", "text": "AB12 CDE"}],
}
