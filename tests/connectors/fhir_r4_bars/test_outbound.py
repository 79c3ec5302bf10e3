"""BaRS messages: the shape the guide asks for, and nothing claimed that the view does not say."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.codec.catalogue import load_catalogue
from broker.domain.errors import MalformedMessageError
from connectors.contract import Request, View
from connectors.fhir_r4_bars import SPEC
from connectors.fhir_r4_bars.codes import NO_ANSWER, PRIORITY, QUESTIONS, SCENE, STATEMENTS
from connectors.fhir_r4_bars.validation import validate
from tests.connectors.fhir_r4_bars.test_golden import cut
from tests.connectors.views import NOW, REQUEST_ID, TARGET, full_view

PUBLISHED = Path(__file__).parents[2] / "golden" / "fhir_r4_bars" / "published"
ONE_EACH = [
    "MessageHeader",
    "ServiceRequest",
    "Patient",
    "Encounter",
    "CarePlan",
    "HealthcareService",
]


def sent(view: View, request_id: str = REQUEST_ID) -> Request:
    """The request for a view."""
    assert SPEC.translate_out is not None
    return SPEC.translate_out(view, TARGET, now=NOW, request_id=request_id)


def bundle(view: View) -> dict[str, Any]:
    """The bundle for a view."""
    found: dict[str, Any] = json.loads(sent(view).body)
    return found


def of_type(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """All resources of one type."""
    found = [entry["resource"] for entry in message["entry"]]
    return [each for each in found if each["resourceType"] == kind]


def one(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """The one resource of a type."""
    (found,) = of_type(message, kind)
    return found


def flags(message: dict[str, Any]) -> list[str]:
    """The words of all flags."""
    return [each["code"].get("text", "") for each in of_type(message, "Flag")]


def references(value: Any) -> Iterator[str]:
    """Every reference in a bundle."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def with_body(view: View, **body: Any) -> View:
    """A view with other sections."""
    return replace(view, body={**view.body, **body})


def with_urgency(view: View, **urgency: Any) -> View:
    """A view with another urgency."""
    return replace(
        view, envelope={**view.envelope, "urgency": {**view.envelope["urgency"], **urgency}}
    )


def test_a_referral_has_everything_the_message_definition_demands() -> None:
    """The mandatory resources, header first, and every reference leads somewhere."""
    message = bundle(cut("referral_made.unknown_man_on_bridge"))
    kinds = [entry["resource"]["resourceType"] for entry in message["entry"]]
    urls = {entry["fullUrl"] for entry in message["entry"]}

    assert kinds[0] == "MessageHeader"
    assert [kind for kind in ONE_EACH if kinds.count(kind) != 1] == []
    assert kinds.count("Organization") == 2
    assert {"Practitioner", "PractitionerRole", "Consent", "Flag"} <= set(kinds)
    assert len(urls) == len(message["entry"])
    loose = {each for each in references(message) if each not in urls}
    assert all(each.startswith("EpisodeOfCare/") for each in loose)


def test_the_header_has_the_elements_of_the_published_example() -> None:
    """What NHS England's own request says in its header, ours says too."""
    published = json.loads((PUBLISHED / "ValidationRequest_POST.json").read_text("utf-8"))
    theirs, ours = (
        one(each, "MessageHeader")
        for each in (published, bundle(cut("referral_made.unknown_man_on_bridge")))
    )

    assert theirs.keys() <= ours.keys()
    assert theirs["source"].keys() <= ours["source"].keys()
    assert theirs["eventCoding"] == ours["eventCoding"]
    assert theirs["reason"] == ours["reason"]


@pytest.mark.parametrize(
    ("case", "reason", "status"),
    [
        ("referral_made.unknown_man_on_bridge", "new", "active"),
        ("referral_updated.found_and_moved", "update", "active"),
        ("referral_withdrawn.resolved", "update", "revoked"),
        ("referral_withdrawn.wrong_service", "delete", "entered-in-error"),
    ],
)
def test_the_event_decides_reason_and_status(case: str, reason: str, status: str) -> None:
    """New, update, revoked, entered in error: the four things BaRS can say."""
    message = bundle(cut(case))

    assert one(message, "MessageHeader")["reason"]["coding"][0]["code"] == reason
    assert one(message, "ServiceRequest")["status"] == status


def test_all_messages_of_a_referral_share_the_conversation_but_no_request() -> None:
    """Bundle.id and X-Correlation-ID stay; X-Request-ID is that of the view."""
    view = full_view("referral_made")
    first, second = sent(view, "1" * 32), sent(view, "2" * 32)

    assert json.loads(first.body)["id"] == first.headers["X-Correlation-ID"]
    assert first.headers["X-Correlation-ID"] == second.headers["X-Correlation-ID"]
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_an_update_speaks_of_the_same_patient() -> None:
    """The receiver need not match two patients."""
    urls = []
    for event_type in ("referral_made", "referral_updated"):
        message = bundle(full_view(event_type))
        urls.append(
            next(
                entry["fullUrl"]
                for entry in message["entry"]
                if entry["resource"]["resourceType"] == "Patient"
            )
        )

    assert urls[0] == urls[1]


def test_the_transport_headers_are_those_of_the_guide() -> None:
    """Target and organisation are base64 of JSON; both ids are GUIDs."""
    headers = sent(full_view("referral_made")).headers

    target = json.loads(base64.b64decode(headers["NHSD-Target-Identifier"]))
    organization = json.loads(base64.b64decode(headers["NHSD-End-User-Organisation"]))
    assert target == {"system": "https://fhir.nhs.uk/id/dos-service-id", "value": "1122334455"}
    assert organization["resourceType"] == "Organization"
    assert headers["Content-Type"] == "application/fhir+json"
    assert len(headers["X-Request-ID"]) == len(headers["X-Correlation-ID"]) == 36


def test_a_withheld_name_is_masked_and_an_unknown_one_is_not() -> None:
    """Not granted and not known are two things, and a clinician must see which (P3)."""
    unknown = full_view("referral_made")
    identity = {**unknown.body["subject"]["identity"], "names": None, "birth_date": None}
    subject = {**unknown.body["subject"], "identity": identity}
    withheld = {k: v for k, v in identity.items() if k not in ("names", "birth_date")}

    known = one(bundle(with_body(unknown, subject=subject)), "Patient")
    masked = one(bundle(with_body(unknown, subject={**subject, "identity": withheld})), "Patient")

    assert "name" not in known
    assert "_birthDate" not in known
    assert masked["name"][0]["extension"][0]["valueCode"] == "masked"
    assert masked["_birthDate"]["extension"][0]["valueCode"] == "masked"


def test_what_was_withheld_is_labelled_and_listed() -> None:
    """The bundle is labelled REDACTED, and one Communication says what and whom to ask."""
    entry = {"group": "informant", "reason": "withheld_by_rule", "clause": "x", "held": False}
    message = bundle(full_view("referral_made", entries=[entry], ask="duty desk, 01632 960123"))
    plain = bundle(full_view("referral_made", entries=[]))

    (withheld,) = [each for each in of_type(message, "Communication") if "security" in each["meta"]]
    assert message["meta"]["security"][0]["code"] == "REDACTED"
    assert withheld["payload"] == [{"contentString": "informant: withheld by the agreement"}]
    assert "duty desk, 01632 960123" in withheld["category"][0]["text"]
    assert "security" not in plain["meta"]


def test_safety_information_that_is_held_back_is_a_flag() -> None:
    """Whoever goes there reads: phone before visiting (P3)."""
    entry = {"group": "safety_warning", "reason": "needs_a_person", "clause": "x", "held": True}

    message = bundle(full_view("referral_made", entries=[entry], ask="duty desk, 01632 960123"))

    assert (
        "Safety information is held back: phone duty desk, 01632 960123 before visiting"
        in flags(message)
    )


def test_an_envelope_alone_says_that_it_is_one() -> None:
    """A view that could not be filtered tells the reader to phone, not that nothing is known."""
    message = bundle(full_view("referral_made", entries=[], complete=False, ask="01632 960123"))

    said = json.dumps(of_type(message, "Communication"))
    assert "could not be filtered: only its envelope is here. Phone 01632 960123" in said


def test_scene_safety_is_always_said() -> None:
    """BaRS: it must be sent even when nobody asked, as unknown."""
    message = bundle(with_body(full_view("referral_made"), safety_warnings=None))

    scenes = [each for each in of_type(message, "Flag") if each["code"].get("coding")]
    assert "UNK" in [each["code"]["coding"][0]["code"] for each in scenes]


def test_warnings_that_were_not_granted_are_not_said_to_be_none() -> None:
    """Only a sender that could have stated one has stated none."""
    view = full_view("referral_made")
    body = {name: held for name, held in view.body.items() if name != "safety_warnings"}

    found = flags(bundle(replace(view, body=body)))

    assert "Warning markers are not part of the agreement: ask the sender" in found
    assert "No warning marker was stated" not in found


def test_an_update_never_takes_an_earlier_warning_back() -> None:
    """Absent means unchanged: no flag says that the scene is unknown, and a line explains it."""
    message = bundle(with_body(full_view("referral_updated"), safety_warnings=None, risk=None))

    assert "No warning marker was stated" not in flags(message)
    assert "what is absent is unchanged" in json.dumps(of_type(message, "Communication"))


def contact(rules: dict[str, Any]) -> View:
    """A view with these rules of contact."""
    view = full_view("referral_made")
    usual = {"do_not_disclose_purpose": True, "safe_route": "by the refuge worker"}
    known = {
        "phones": [{"number": "07700 900777", "kind": "mobile"}],
        "address": {"lines": ["7 Fiction Street"], "postcode": "MD3 1AB", "uprn": None},
        "safe_to_contact": {**usual, **rules},
    }
    return with_body(view, subject={**view.body["subject"], "contact": known})


def test_what_must_not_be_done_comes_first() -> None:
    """Nobody who reads the first words of the flag does harm (H10)."""
    rules = {"voice": "unsafe", "text": "unsafe", "letter": "unknown"}

    (words,) = [each for each in flags(bundle(contact(rules))) if "contact" in each]

    assert words == (
        "DO NOT contact by voice, text. Do not say why you call. Not known to be safe: letter. "
        "Safe way: by the refuge worker"
    )


@pytest.mark.parametrize("way", ["voice", "text"])
def test_an_unsafe_number_is_nowhere_a_system_texts_it_by_itself(way: str) -> None:
    """It stands in words, for a person to read, and not in the patient's contact points."""
    rules = {"voice": "safe", "text": "safe", "letter": "safe", way: "unsafe"}
    message = bundle(contact(rules))

    assert "07700 900777" not in json.dumps(one(message, "Patient"))
    assert "07700 900777" in json.dumps(of_type(message, "Communication"))


def test_a_safe_number_is_a_contact_point() -> None:
    """Caution does not hide what may be used."""
    message = bundle(contact({"voice": "safe", "text": "safe", "letter": "unsafe"}))

    patient = one(message, "Patient")
    assert patient["contact"][0]["telecom"][0]["value"] == "07700 900777"
    assert patient["address"][0]["type"] == "physical"


@pytest.mark.parametrize("rule", [{"safe_to_contact": "no"}, {"person_objects": "yes"}])
def test_a_carer_who_must_not_be_contacted_is_no_contact(rule: dict[str, str]) -> None:
    """The name stands in words beside the rule, not in a list that systems call from."""
    view = full_view("referral_made")
    carer = {
        **view.body["carer"],
        "phone": {"number": "01632 960333", "kind": None},
        "safe_to_contact": "yes",
        "person_objects": "no",
    }

    usual, unsafe = (
        json.dumps(one(bundle(with_body(view, carer={**carer, **each})), "Patient"))
        for each in ({}, rule)
    )

    assert "01632 960333" in usual
    assert "01632 960333" not in unsafe


def test_a_refusal_to_share_is_no_refusal_to_answer() -> None:
    """`refused` is the answer to the question of consent, and is sent as one."""
    view = with_body(full_view("referral_made"), consent_and_basis={"consent_to_share": "refused"})

    (found,) = [
        each
        for each in of_type(bundle(view), "Observation")
        if each["code"]["text"] == "Consent to share"
    ]

    assert found["valueString"] == "refused"
    assert "dataAbsentReason" not in found


def test_a_warning_without_a_known_scene_code_is_not_called_safe() -> None:
    """A symbol of a newer schema becomes unknown."""
    warning = {"kind": "dog", "scene_safety": "something-new", "last_confirmed": None}
    message = bundle(with_body(full_view("referral_made"), safety_warnings=[warning]))

    (flag,) = [each for each in of_type(message, "Flag") if "dog" in each["code"]["text"]]
    assert flag["code"]["coding"][0]["code"] == "UNK"


def test_no_officer_becomes_a_diagnostician() -> None:
    """Nothing the police say is a Condition; the widely mis-cited code is not used."""
    message = bundle(full_view("referral_made"))

    assert of_type(message, "Condition") == []
    assert "86849004" not in json.dumps(message)


@pytest.mark.parametrize(
    ("answer", "element", "value"),
    [
        ("yes", "valueBoolean", True),
        ("no", "valueBoolean", False),
        ("unknown", "dataAbsentReason", "unknown"),
        ("not_asked", "dataAbsentReason", "not-asked"),
        ("refused", "dataAbsentReason", "asked-declined"),
    ],
)
def test_the_five_answers_stay_five(answer: str, element: str, value: object) -> None:
    """No, unknown, not asked and refused are never confused."""
    view = full_view("referral_made")
    message = bundle(with_body(view, risk={"self_harm": answer}))

    (found,) = [
        each for each in of_type(message, "Observation") if each["code"]["text"] == "Self-harm"
    ]
    got = found[element]
    assert (got if element == "valueBoolean" else got["coding"][0]["code"]) == value


@pytest.mark.parametrize(
    ("purpose", "stated", "implied"),
    [
        ("crisis-response", {"consent_to_share": "given"}, True),
        ("crisis-response", {"consent_to_share": "not_sought"}, True),
        ("crisis-response", {}, True),
        ("crisis-response", {"consent_to_share": "refused"}, False),
        ("crisis-response", {"consent_to_share": "unable"}, False),
        ("crisis-response", {"objection": "yes"}, False),
        ("crisis-response", {"override_basis": "vital interests"}, False),
        ("safeguarding-adult", {"consent_to_share": "given"}, False),
    ],
)
def test_implied_consent_follows_the_written_rule(
    purpose: str, stated: dict[str, str], *, implied: bool
) -> None:
    """A refusal, an override or another purpose than direct care never becomes IMPLIED."""
    view = full_view("referral_made", purpose=purpose)

    consent = one(bundle(with_body(view, consent_and_basis=stated)), "Consent")

    codes = [each["code"] for each in consent["policyRule"].get("coding", [])]
    assert codes == (["IMPLIED"] if implied else [])
    assert consent["policyRule"]["text"]


def test_the_purpose_of_use_travels_and_a_near_code_does_not() -> None:
    """HL7's code stands beside ours only where it means the same."""
    exact, near = (
        one(bundle(full_view("referral_made", purpose=purpose)), "Consent")["provision"]["purpose"]
        for purpose in ("crisis-response", "safeguarding-child")
    )

    assert [each["code"] for each in exact] == ["crisis-response", "ETREAT"]
    assert [each["code"] for each in near] == ["safeguarding-child"]


def test_exchanged_coordinates_are_sent_as_stated_with_a_warning() -> None:
    """We neither turn them nor pass them on in silence."""
    view = full_view("referral_made")
    place = {**view.body["subject"]["location_now"]}
    place["position"] = {**place["position"], "swap_suspected": True}
    subject = {**view.body["subject"], "location_now": place}

    location = one(bundle(with_body(view, subject=subject)), "Location")

    assert location["position"] == {"longitude": 1.5, "latitude": 1.5}
    assert "look exchanged" in location["description"]


@pytest.mark.parametrize(
    ("check", "status", "meaning"),
    [
        ("passed", "number-present-and-verified", "number-present-and-verified"),
        ("passed", None, "number-present-but-not-traced"),
        ("failed", "number-present-and-verified", "number-present-but-not-traced"),
    ],
)
def test_an_nhs_number_is_verified_only_if_all_agree(
    check: str, status: str | None, meaning: str
) -> None:
    """A number with a wrong check digit is sent, but never as a verified one."""
    view = full_view("referral_made")
    number = {"value": "9990000018", "check": check, "verification_status": status}
    identity = {**view.body["subject"]["identity"], "nhs_number": number}
    subject = {**view.body["subject"], "identity": identity}

    patient = one(bundle(with_body(view, subject=subject)), "Patient")

    found = patient["identifier"][0]
    coded = found["extension"][0]["valueCodeableConcept"]["coding"][0]["code"]
    assert (found["value"], coded) == ("9990000018", meaning)


@pytest.mark.parametrize("environment", ["test", "exercise"])
def test_test_traffic_is_marked(environment: str) -> None:
    """HTEST on everything that is not live, and not on what is (P12)."""
    view = full_view("referral_made")
    test, live = (
        bundle(replace(view, envelope={**view.envelope, "environment": each}))
        for each in (environment, "live")
    )

    assert test["meta"]["tag"][0]["code"] == "HTEST"
    assert "tag" not in live["meta"]


def test_a_late_view_says_so_first() -> None:
    """An old alert is never mistaken for a fresh one (H3)."""
    message = bundle(replace(full_view("referral_made"), late=True))

    assert "This message is late: ask the sender before acting on it" in flags(message)


def test_an_unknown_urgency_is_the_highest() -> None:
    """A scale nobody knows is stat, and the words say that no scale was stated."""
    view = with_urgency(
        full_view("referral_made"), rank="unknown", scheme="", code="", target_minutes=None
    )

    message = bundle(view)

    assert one(message, "ServiceRequest")["priority"] == "stat"
    assert "no scale stated" in json.dumps(one(message, "CarePlan"))


def test_the_tables_know_every_symbol_of_the_schemas() -> None:
    """A new rank or scene code does not fall through a table unnoticed."""
    catalogue = load_catalogue()
    answers = set(catalogue.type_schema("crisis.types.Answer")["symbols"])

    assert set(PRIORITY) == set(catalogue.type_schema("crisis.types.Rank")["symbols"])
    assert set(SCENE) == set(catalogue.type_schema("crisis.types.SceneSafety")["symbols"])
    assert answers == set(NO_ANSWER) | {"yes", "no"}


def test_the_tables_name_leaves_that_exist() -> None:
    """A renamed leaf would silently move from its Observation to the remaining words."""
    leaves = load_catalogue().event("referral_made").leaves

    assert [path for path in (*QUESTIONS, *STATEMENTS) if path not in leaves] == []


def test_an_invalid_bundle_is_refused_by_place_and_rule() -> None:
    """The check before sending works, and never repeats a value."""
    message = bundle(full_view("referral_made"))
    one(message, "Patient")["birthDate"] = "Testperson"

    with pytest.raises(MalformedMessageError, match="birthDate") as caught:
        validate(message)

    assert "Testperson" not in str(caught.value)
