"""Canonical JSON, read and written by the schema."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec.avro import decode, encode
from broker.codec.canonical_json import Limits, read_body, read_document, to_json, write_body
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import MalformedMessageError
from broker.domain.findings import Severity
from tests.strategies import bodies, envelopes, event_types

SECRET = "Jane Testperson"
MADE = load_catalogue().event("referral_made")
ENVELOPE = [field["name"] for field in MADE.schema["fields"][0]["type"]["fields"]]
PUBLIC = ENVELOPE[: ENVELOPE.index("correlation_id")]

big_values = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
    max_examples=40,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    """A good document with some members replaced; a member of None is left out."""
    good = {
        "event_type": "referral_made",
        "reference": "MP-20261122-0412",
        "sequence": 1,
        "occurred_at": "2026-11-22T14:02:11+00:00",
        "environment": "test",
        "urgency": {"scheme": "ukmhts", "version": "1", "code": "B"},
        "routes": [{"recipient": "northvale-crisis", "purpose": "crisis-response"}],
        "body": {"handover_summary": "Talking, calm."},
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def problems_of(changed: Any) -> list[tuple[str, str]]:
    """Why a document is refused."""
    with pytest.raises(MalformedMessageError) as refused:
        read_document(load_catalogue(), changed)
    return list(refused.value.problems)


def findings_of(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is noticed in a body that is accepted: code, path and where the value went."""
    findings = read_body(MADE, body)[1]
    return [(finding.code, finding.path, finding.kept) for finding in findings]


@big_values
@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    """Reading is the inverse of writing, for every body of every event."""
    event = load_catalogue().event(data.draw(event_types))
    native = data.draw(bodies(event.event_type))

    written = json.loads(json.dumps(write_body(event, native)))

    assert read_body(event, written)[0] == native


@big_values
@given(
    st.dictionaries(st.sampled_from([f["name"] for f in MADE.schema["fields"]]), json_values),
    envelopes(),
)
def test_any_json_is_read_or_refused(body: Any, envelope: Any) -> None:
    """Whatever is accepted can be written as Avro; everything else is one clear refusal."""
    try:
        native = read_document(load_catalogue(), document(body=body)).body
    except MalformedMessageError:
        return

    whole = {"envelope": envelope, **native}
    assert decode(MADE.schema, encode(MADE.schema, whole)) == whole


def test_a_good_document_is_read_whole() -> None:
    """Every essential arrives in its native form."""
    parsed = read_document(
        load_catalogue(), document(supersedes="0f" * 16, expires_at="2026-11-23T00:00Z")
    )

    assert (parsed.event_type, parsed.reference, parsed.sequence) == (
        "referral_made",
        "MP-20261122-0412",
        1,
    )
    assert parsed.occurred_at["utc"].isoformat() == "2026-11-22T14:02:11+00:00"
    assert parsed.environment == "test"
    assert parsed.urgency == {
        "rank": "urgent", "scheme": "ukmhts", "version": "1", "code": "B", "target_minutes": 240,
    }  # fmt: skip
    assert parsed.routes == (
        {"recipient": "northvale-crisis", "purpose": "crisis-response", "source": "sender", "reason": None},
    )  # fmt: skip
    assert (parsed.supersedes, parsed.expires_at["offset"]) == ("0f" * 16, "+00:00")
    assert parsed.body["handover_summary"] == "Talking, calm."
    assert parsed.body["risk"] is None
    assert parsed.findings == ()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("event_type", "$.event_type"),
        ("reference", "$.reference"),
        ("occurred_at", "$.occurred_at"),
        ("environment", "$.environment"),
        ("body", "$.body"),
    ],
)
def test_a_missing_essential_is_a_reason_to_refuse(name: str, path: str) -> None:
    """Without these nobody can act."""
    assert [found for found, _ in problems_of(document(**{name: None}))] == [path]


def test_a_missing_urgency_is_none() -> None:
    """It is accepted, ranks as unknown, and is flagged as a matter of safety."""
    parsed = read_document(load_catalogue(), document(urgency=None))

    assert parsed.urgency["rank"] == "unknown"
    assert [(f.code, f.severity) for f in parsed.findings] == [("urgency-missing", Severity.SAFETY)]


@pytest.mark.parametrize(
    ("urgency", "code"),
    [
        ({"scheme": "ukmhts", "version": "1", "code": "Z"}, "urgency-unknown-code"),
        ({"scheme": "victoria", "version": "1", "code": "B"}, "urgency-unknown-code"),
        ({"scheme": "ukmhts", "code": ["B"]}, "urgency-unknown-code"),
        ({"scheme": "ukmhts", "version": "1"}, "urgency-missing"),
        ({"scheme": "ukmhts", "version": 1, "code": "B"}, "urgency-unreadable"),
        ("very urgent", "urgency-missing"),
    ],
)
def test_an_unknown_urgency_is_flagged(urgency: Any, code: str) -> None:
    """A code that is not known is kept as it was stated, never refused, never guessed."""
    parsed = read_document(load_catalogue(), document(urgency=urgency))

    assert [(f.code, f.severity, f.kept) for f in parsed.findings] == [
        (code, Severity.SAFETY, "unmapped")
    ]
    (kept,) = parsed.body["unmapped"]
    raw = urgency["version"] if code == "urgency-unreadable" else urgency
    assert kept["text"] == (raw if isinstance(raw, str) else json.dumps(raw))


CANARY = "paranoid schizophrenia"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("urgency", {"scheme": CANARY, "version": "1", "code": "B"}),
        ("urgency", {"scheme": "ukmhts", "version": CANARY, "code": "B"}),
        ("urgency", {"scheme": "ukmhts", "version": "schizophrenia", "code": "B"}),
        ("urgency", {"scheme": "ukmhts", "version": "1", "code": CANARY}),
        ("urgency", {"scheme": "ukmhts", "version": CANARY, "code": CANARY}),
        ("urgency", {"scheme": CANARY}),
        ("urgency", {"scheme": "ukmhts", "version": "1", "code": "B", CANARY: CANARY}),
        ("urgency", CANARY),
        ("supersedes", CANARY),
        ("reference", CANARY),
        ("routes", [{"recipient": "r", "purpose": "p", "reason": CANARY}]),
        (CANARY, CANARY),
    ],
)
@pytest.mark.parametrize("event_type", ["referral_made", "referral_accepted"])
def test_no_free_text_of_a_head_is_in_the_public_envelope(
    event_type: str, path: str, value: Any
) -> None:
    """Every recipient gets that part, the police as well, so what is free text stays out of it."""
    body = {"acceptance": {}} if event_type == "referral_accepted" else {}
    parsed = read_document(
        load_catalogue(), document(event_type=event_type, body=body, **{path: value})
    )

    public = {name: getattr(parsed, name, None) for name in PUBLIC}
    assert {"urgency", "occurred_at", "expires_at", "supersedes"} <= public.keys()
    assert "schizophrenia" not in repr(public)
    assert re.fullmatch(r"[+-]\d\d:\d\d", public["occurred_at"]["offset"])
    if path not in {"reference", "routes"}:
        assert "schizophrenia" in repr(parsed.body["unmapped"])


def test_the_senders_count_is_not_public() -> None:
    """A gap in it would tell that there was an update which nobody may know of."""
    assert "sequence" in ENVELOPE
    assert "sequence" not in PUBLIC


def test_a_scale_in_capitals_is_written_as_the_scale_writes_it() -> None:
    """Not even the case of a letter is the sender's to choose."""
    parsed = read_document(
        load_catalogue(), document(urgency={"scheme": "UkMhTs", "version": "v2.1", "code": "b"})
    )

    assert (parsed.urgency["scheme"], parsed.urgency["code"]) == ("ukmhts", "B")
    assert parsed.findings == ()


def test_an_answer_need_not_repeat_urgency_or_reference() -> None:
    """It belongs to a referral that has both."""
    answer = document(
        event_type="referral_accepted", urgency=None, reference=None, routes=None,
        body={"acceptance": {"team": "Northvale crisis team"}},
    )  # fmt: skip

    parsed = read_document(load_catalogue(), answer)

    assert parsed.findings == ()
    assert parsed.reference is None


def test_every_problem_is_named_at_once() -> None:
    """The sender need not send five times to learn of five faults."""
    bad = document(
        reference="",
        occurred_at="yesterday",
        environment="production",
        routes=[{"recipient": "Northvale", "purpose": "crisis-response", "source": "reply"}],
        body={"risk": {"weapon": 1, "assessed_at": "now"}, "safety_warnings": [{}, {"kind": []}]},
    )

    assert [path for path, _ in problems_of(bad)] == [
        "$.reference",
        "$.occurred_at",
        "$.environment",
        "$.routes[0].recipient",
        "$.routes[0].source",
        "$.body.risk.weapon",
        "$.body.risk.assessed_at",
        "$.body.safety_warnings[1].kind",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"handover_summary": [SECRET]},
        {"subject": SECRET},
        {"subject": {"identity": {"age_estimate": SECRET}}},
        {"risk": {"assessed_at": SECRET}},
        {"safety_warnings": {SECRET: SECRET}},
        {"dependants": {"children_count": 2**40}},
        {"subject": {"location_now": {"moving": {SECRET: 1}}}},
        {"risk": {"physical_red_flags": [SECRET, 1]}},
        {"handover_summary": "\ud800" + SECRET},
        {"carer": {"phone": {"kind": SECRET}}},
    ],
)
def test_a_wrong_type_is_refused_without_its_value(body: Any) -> None:
    """A refusal names path and rule only."""
    problems = problems_of(document(body=body))

    assert len(problems) == 1
    assert SECRET not in str(problems)


def test_an_unknown_field_is_kept_and_flagged() -> None:
    """Nothing that a sender sends is lost, at whatever depth it stands."""
    body = {"subject": {"identity": {"hair": "brown"}}, "weather": {"rain": True}}

    native, _ = read_body(MADE, body)

    assert {entry["path"]: entry["text"] for entry in native["unmapped"]} == {
        "$.body.subject.identity.hair": "brown",
        "$.body.weather": '{"rain": true}',
    }
    assert sorted(findings_of(body)) == [
        ("unknown-field", "$.body.subject.identity.hair", "unmapped"),
        ("unknown-field", "$.body.weather", "unmapped"),
    ]


def test_an_unknown_field_of_an_answer_is_kept_as_well() -> None:
    """Every event has a place for what has none."""
    native, findings = read_body(load_catalogue().event("referral_declined"), {"mood": "sorry"})

    assert native["unmapped"] == [{"path": "$.body.mood", "text": "sorry"}]
    assert findings[0].kept == "unmapped"


@pytest.mark.parametrize("key", ["Jane Testperson", "07700900123", "名前", "x" * 60, ""])
def test_a_key_that_may_be_a_person_is_not_in_the_finding(key: str) -> None:
    """Findings travel further than the payload."""
    assert findings_of({"risk": {key: "x"}}) == [("unknown-field", "$.body.risk.*", "unmapped")]


def test_an_unknown_symbol_becomes_unknown_and_its_text_is_kept() -> None:
    """A new word for an old question is no reason to refuse; on a weapon it concerns safety."""
    native, findings = read_body(MADE, {"risk": {"weapon": "perhaps", "neglect": None}})

    assert native["risk"]["weapon"] == "unknown"
    assert {"path": "$.body.risk.weapon", "text": "perhaps"} in native["unmapped"]
    assert findings[1].code == "unknown-symbol"
    assert findings[1].severity is Severity.SAFETY


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"subject": {"identity": {"ethnicity_self": {"code": 4}}}}, "code-unreadable", "subject.identity.ethnicity_self"),
        ({"subject": {"identity": {"nhs_number": 9990000018}}}, "nhs-number-unreadable", "subject.identity.nhs_number"),
        ({"subject": {"identity": {"nhs_number": {"value": 9990000018}}}}, "nhs-number-unreadable", "subject.identity.nhs_number"),
        ({"subject": {"identity": {"birth_date": "17/05/1990"}}}, "birth-date-unreadable", "subject.identity.birth_date"),
        ({"subject": {"location_now": {"position": {"latitude": "53.4"}}}}, "position-unreadable", "subject.location_now.position"),
        ({"incident": {"final_codes": [{"code": 1}]}}, "code-unreadable", "incident.final_codes[0]"),
    ],
)  # fmt: skip
def test_bad_codes_numbers_and_coordinates_are_no_reason_to_refuse(
    body: Any, code: str, path: str
) -> None:
    """They are set aside with what they held, and flagged."""
    native, findings = read_body(MADE, body)

    assert [(f.code, f.path, f.kept) for f in findings] == [(code, f"$.body.{path}", "unmapped")]
    assert native["unmapped"][0]["path"] == f"$.body.{path}"
    assert encode(load_catalogue().type_schema("crisis.types.Unmapped"), native["unmapped"][0])


def test_an_unreadable_item_leaves_the_others() -> None:
    """One bad code does not take the good ones with it."""
    codes = [{"scheme": "a", "code": "1"}, {"code": 2}, {"scheme": "b", "code": "3"}]

    native, _ = read_body(MADE, {"incident": {"final_codes": codes}})

    assert [found["scheme"] for found in native["incident"]["final_codes"]] == ["a", "b"]


def test_a_birth_date_may_be_plain_text() -> None:
    """Most senders have no estimate."""
    native, _ = read_body(MADE, {"subject": {"identity": {"birth_date": "1990-05"}}})

    assert native["subject"]["identity"]["birth_date"] == {"value": "1990-05", "estimated": False}


def test_what_nobody_said_is_unknown_or_the_careful_answer() -> None:
    """Required parts of a leaf need not be stated."""
    contact = {"safe_to_contact": {"voice": "safe"}}

    native, _ = read_body(MADE, {"subject": {"contact": contact}})

    assert native["subject"]["contact"]["safe_to_contact"] == {
        "voice": "safe", "text": "unknown", "letter": "unknown",
        "do_not_disclose_purpose": True, "safe_route": None,
    }  # fmt: skip


def test_an_assumed_offset_is_flagged() -> None:
    """The time is taken as civil time, and the finding says so."""
    body = {"legal_status": {"started_at": "2026-10-25T01:30:00"}}

    assert [code for code, _, _ in findings_of(body)] == ["offset-assumed", "offset-ambiguous"]
    assert findings_of(body)[0][2] == "legal_status.started_at"


def test_limits_are_those_of_the_settings() -> None:
    """Depth, texts, items and the list of problems itself are bounded."""
    limits = Limits(max_depth=4, max_string_chars=5, max_items=2, max_problems=3)

    def rules(body: Any) -> list[str]:
        with pytest.raises(MalformedMessageError) as refused:
            read_body(MADE, body, limits)
        return [rule for _, rule in refused.value.problems]

    assert rules({"x": {"x": {"x": {"x": {}}}}}) == ["nested more than 4 deep"]
    assert rules({"handover_summary": "123456"}) == ["text is longer than 5 characters"]
    assert rules({"safety_warnings": [{}, {}, {}]}) == ["more than 2 items"]
    assert len(rules({"risk": {"physical_red_flags": [1, 2]}, "staff": 1, "carer": 1})) == 3


def test_a_long_log_without_offsets_is_one_matter() -> None:
    """Thousands of equal findings would hide the others and make the event too large."""
    log = [{"at": "2026-11-22T14:00:00", "text": "x"}] * 2000

    found = findings_of({"incident": {"log": log}})

    assert len(found) == 21
    assert found[-1] == ("offset-assumed", "$.body.incident.log[*].at", "incident.log[*].at")


def test_a_document_cannot_blow_up_the_event() -> None:
    """Every value without a place makes the event longer than the document, so they are counted."""
    body = {
        f"field_{chr(97 + a)}{chr(97 + b)}_{c}": 1
        for a in range(26)
        for b in range(26)
        for c in "xy"
    }

    assert problems_of(document(body=body))[0][1] == "more than 1000 values without a place"


def test_endless_nesting_is_refused() -> None:
    """No document can exhaust the stack."""
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]

    assert problems_of(document(body={"x": deep})) == [("$", "nested more than 32 deep")]


@given(envelopes())
@big_values
def test_envelopes_can_be_shown_as_json(envelope: Any) -> None:
    """What a preview shows is plain JSON."""
    assert json.loads(json.dumps(to_json(envelope)))["event_id"] == envelope["event_id"]


def test_an_address_of_a_postcode_alone_is_an_address() -> None:
    """Half an address finds a person; it is no reason to refuse a referral."""
    event = load_catalogue().event("referral_made")
    body = {"subject": {"contact": {"address": {"postcode": "ZZ99 3VZ"}}}}

    native, _ = read_body(event, body)

    assert native["subject"]["contact"]["address"]["postcode"] == "ZZ99 3VZ"
    assert native["subject"]["contact"]["address"]["lines"] == []
