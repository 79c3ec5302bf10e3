"""What intake notices about a body."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codec.canonical_json import read_body
from broker.codec.catalogue import load_catalogue
from broker.codec.checks import check_body, is_nhs_number
from broker.domain.findings import Severity


def checked(**subject: Any) -> tuple[dict[str, Any], list[str]]:
    """The subject after the checks, and the codes of what they found."""
    body, _ = read_body(load_catalogue().event("referral_made"), {"subject": subject})
    body, findings = check_body(body)
    return body["subject"], [finding.code for finding in findings]


@pytest.mark.parametrize("number", ["9990000018", "999 000 0026", "999-000-0034"])
def test_a_right_check_digit_is_noted(number: str) -> None:
    """The number itself stays as it was sent."""
    subject, codes = checked(identity={"nhs_number": {"value": number}, "confidence": "stated"})

    assert subject["identity"]["nhs_number"]["check"] == "passed"
    assert subject["identity"]["nhs_number"]["value"] == number
    assert codes == []


@pytest.mark.parametrize(
    "number", ["1234567890", "3478526985", "9991234560", "", "999", "٩٩٩٠٠٠٠٠١٨"]
)
def test_a_wrong_check_digit_is_flagged_whatever_the_sender_claims(number: str) -> None:
    """A claim that the number was checked does not help it."""
    stated = {"value": number, "check": "passed"}

    subject, codes = checked(identity={"nhs_number": stated, "confidence": "stated"})

    assert subject["identity"]["nhs_number"]["check"] == "failed"
    assert codes == ["nhs-number-check-failed"]


@given(st.text(max_size=14))
def test_no_text_makes_the_check_digit_fail_otherwise(text: str) -> None:
    """Whatever stands in the field, the answer is yes or no."""
    assert is_nhs_number(text) in {True, False}


@pytest.mark.parametrize("confidence", ["unknown", "partial", "alias_suspected", None])
def test_low_confidence_in_the_identity_is_flagged(confidence: str | None) -> None:
    """Nobody should act on the wrong person without knowing that it may be."""
    assert checked(identity={"confidence": confidence})[1] == ["identity-confidence-low"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "codes"),
    [
        (53.38, -1.47, []),
        (-1.47, 53.38, ["position-swap-suspected"]),
        (143.2, -37.2, ["position-outside-uk"]),
        (0.0, 0.0, ["position-outside-uk"]),
    ],
)
def test_a_doubtful_position_is_flagged_and_not_moved(
    latitude: float, longitude: float, codes: list[str]
) -> None:
    """A guess must not send anybody to another place."""
    position = {"latitude": latitude, "longitude": longitude}

    subject, found = checked(location_now={"position": position})

    assert found == codes
    assert subject["location_now"]["position"]["latitude"] == latitude
    assert subject["location_now"]["position"]["longitude"] == longitude
    suspected = subject["location_now"]["position"]["swap_suspected"]
    assert suspected == ("position-swap-suspected" in codes)


def test_a_number_to_ring_without_word_on_safety_is_flagged() -> None:
    """Somebody else may hold the phone."""
    phones = [{"number": "07700 900123"}]
    safe = {"voice": "safe"}

    assert checked(contact={"phones": phones})[1] == ["safe-to-contact-missing"]
    assert checked(contact={"phones": phones, "safe_to_contact": safe})[1] == []
    assert checked(contact={"language": "cy"})[1] == []


def test_findings_name_places_and_safety() -> None:
    """A finding leads to the leaf, and says that it concerns safety."""
    body, _ = read_body(
        load_catalogue().event("referral_made"),
        {"subject": {"location_now": {"position": {"latitude": 0, "longitude": 0}}}},
    )

    finding = check_body(body)[1][0]

    assert finding.kept == "subject.location_now.position"
    assert finding.path == "$.body.subject.location_now.position"
    assert finding.severity is Severity.SAFETY


def test_an_event_without_a_person_has_nothing_to_check() -> None:
    """Answers pass through."""
    assert check_body({"acceptance": None}) == ({"acceptance": None}, ())


def answered(event_type: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The body of an answer after the checks, and its findings."""
    native, _ = read_body(load_catalogue().event(event_type), body)
    native, findings = check_body(native)
    return native, [(each.code, each.path, each.severity, each.kept) for each in findings]


DIAGNOSIS = "He has schizophrenia; his sister says he stopped taking his tablets in May"


@pytest.mark.parametrize(
    ("event_type", "section", "name", "code"),
    [
        ("referral_accepted", "acceptance", "team", "team-or-role-unreadable"),
        ("referral_accepted", "acceptance", "role", "team-or-role-unreadable"),
        ("referral_accepted", "acceptance", "call_back_number", "call-back-number-unreadable"),
        ("referral_acknowledged", "acknowledgement", "team", "team-or-role-unreadable"),
        ("referral_declined", "decline", "role", "team-or-role-unreadable"),
        ("referral_declined", "decline", "call_back_number", "call-back-number-unreadable"),
        ("referral_phone_handover", "phone_handover", "to_team", "team-or-role-unreadable"),
        ("referral_phone_handover", "phone_handover", "to_role", "team-or-role-unreadable"),
        ("referral_phone_handover", "phone_handover", "from_role", "team-or-role-unreadable"),
        ("referral_taken_back", "take_back", "by_role", "team-or-role-unreadable"),
        ("referral_withdrawn", "withdrawal", "by_role", "team-or-role-unreadable"),
        ("referral_received", "receipt", "endpoint", "receipt-unreadable"),
        ("referral_received", "receipt", "request_id", "receipt-unreadable"),
    ],
)
def test_a_story_in_an_operational_field_of_an_answer_is_set_aside(
    event_type: str, section: str, name: str, code: str
) -> None:
    """The police see these fields by rule: the answer counts, the text does not travel there."""
    native, findings = answered(event_type, {section: {name: DIAGNOSIS}})

    path = f"$.body.{section}.{name}"
    assert native[section][name] is None
    assert native["unmapped"] == [{"path": path, "text": DIAGNOSIS}]
    assert findings == [(code, path, Severity.SAFETY, "unmapped")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("team", "Tîm Argyfwng Dyffryn y Gogledd (nos)"),
        ("team", "Crisis & Home Treatment Team - St. Example's / North"),
        ("role", "shift co-ordinator, band 7"),
        ("call_back_number", "01632 960123"),
        ("call_back_number", "+44 (0)20 7946 0999 x12"),
        ("call_back_number", "111"),
        ("call_back_number", "01632 960123 ext. 4"),
    ],
)
def test_names_and_numbers_of_teams_stay(name: str, value: str) -> None:
    """What looks like a team, a role or a telephone number is passed on as it was sent."""
    native, findings = answered("referral_declined", {"decline": {name: value}})

    assert (native["decline"][name], native["unmapped"], findings) == (value, None, [])


@pytest.mark.parametrize("value", ["", "ring ext 12", "x", "0" * 25, "01632 960123\n", "٠١٦٣٢"])
def test_what_is_no_telephone_number_is_set_aside(value: str) -> None:
    """Neither words nor a number that is too long to be one."""
    native, findings = answered("referral_declined", {"decline": {"call_back_number": value}})

    assert native["decline"]["call_back_number"] is None
    assert [code for code, *_ in findings] == ["call-back-number-unreadable"]


def test_the_next_step_is_one_of_a_list() -> None:
    """What should happen instead goes to the police, so words have a field of their own."""
    native, _ = answered(
        "referral_declined", {"decline": {"instead": DIAGNOSIS, "instead_text": "ring his sister"}}
    )

    assert native["decline"]["instead"] == "unknown"
    assert native["decline"]["instead_text"] == "ring his sister"
    assert native["unmapped"] == [{"path": "$.body.decline.instead", "text": DIAGNOSIS}]
