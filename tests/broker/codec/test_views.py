"""Views: their schemas, and readers of other versions."""

from typing import Any

import pytest

from broker.codec import avro
from broker.codec.catalogue import load_catalogue
from broker.codec.views import ViewCodec, compile_view
from broker.domain.errors import AgreementError
from broker.domain.reductions import Reduction
from tests.referral_in_full import REFERRAL_IN_FULL
from tests.view_leaves import MANIFEST, whole_view

MADE = load_catalogue().event("referral_made")
DATA = avro.encode(MADE.schema, REFERRAL_IN_FULL)


def compiled(released: Any) -> ViewCodec:
    """A view of a crisis team; *released* may be paths alone."""
    if not isinstance(released, dict):
        released = dict.fromkeys(released)
    return compile_view(MADE, released, recipient="northvale-136-suite", purpose="crisis-response")


def view_of(codec: ViewCodec) -> Any:
    """The view of the full referral, decoded."""
    return avro.decode(codec.schema, whole_view(codec.project(DATA, 0)))


def body_fields(codec: ViewCodec) -> dict[str, Any]:
    """The fields of the body, by name."""
    return {field["name"]: field for field in codec.schema["fields"][2]["type"]["fields"]}


def test_a_view_is_envelope_manifest_and_body() -> None:
    """The envelope is cut where the broker's own fields begin; the manifest is put in between."""
    view = view_of(compiled(["handover_summary"]))

    envelope = REFERRAL_IN_FULL["envelope"]
    assert list(view) == ["envelope", "manifest", "body"]
    assert list(view["envelope"])[-1] == "expires_at"
    assert all(view["envelope"][name] == envelope[name] for name in view["envelope"])
    assert view["manifest"] == MANIFEST
    assert view["body"] == {"handover_summary": REFERRAL_IN_FULL["handover_summary"]}


def test_names_follow_recipient_purpose_and_path() -> None:
    """The same part of a view has the same name in every version of an agreement."""
    schema = compiled(["subject.identity.nhs_number.value"]).schema

    body = schema["fields"][2]["type"]
    subject = body["fields"][0]["type"][1]
    identity = subject["fields"][0]["type"][1]
    assert schema["namespace"] == "crisis.view.northvale_136_suite.crisis_response"
    assert schema["name"] == "ReferralMade"
    assert (body["name"], subject["name"], identity["name"]) == (
        "Body",
        "Body_Subject",
        "Body_Subject_Identity",
    )


def test_shared_types_keep_their_names() -> None:
    """A leaf's own type is the catalogue's, defined once and then named."""
    fields = body_fields(compiled(["clock.respond_by", "incident.grade", "incident.opening_code"]))
    codes = [each["type"][1] for each in fields["incident"]["type"][1]["fields"]]

    assert (codes[0]["namespace"], codes[0]["name"]) == ("crisis.types", "Code")
    assert codes[1] == "crisis.types.Code"
    assert fields["clock"]["type"][1]["fields"][0]["type"] == ["null", "crisis.types.Moment"]


def test_fields_keep_their_descriptions_and_tags() -> None:
    """A recipient can read in the schema what a field is and what class it has."""
    field = body_fields(compiled(["handover_summary"]))["handover_summary"]

    assert field["doc"]
    assert field["default"] is None
    assert (field["x-group"], field["x-class"]) == ("handover_summary", "S3")


def test_fields_stand_in_canonical_order() -> None:
    """The order of an agreement's grants means nothing."""
    paths = ["handover_summary", "risk.weapon", "routing.to_team"]

    forward, backward = compiled(paths), compiled(paths[::-1])

    assert list(body_fields(forward)) == ["routing", "risk", "handover_summary"]
    assert forward.schema == backward.schema


def test_a_reduced_form_stands_in_the_place_of_the_field() -> None:
    """It has a name of its own, and the field itself is not there."""
    view = compiled(
        {
            "subject.identity.birth_date": Reduction.AGE_BAND,
            "subject.contact.address": Reduction.POSTCODE_DISTRICT,
            "risk.weapon": Reduction.PRESENT,
            "risk.assessed_at": Reduction.COARSE_TIME,
            "dependants.children.#": Reduction.COUNT,
            "dependants.children_count": None,
        }
    )

    body = view_of(view)["body"]

    moment = REFERRAL_IN_FULL["risk"]["assessed_at"]
    hour = moment["utc"].replace(minute=0, second=0, microsecond=0)
    assert body == {
        "subject": {"identity": {"age_band": "35-44"}, "contact": {"postcode_district": "ZZ99"}},
        "risk": {"weapon_present": True, "assessed_at_hour": {**moment, "utc": hour}},
        "dependants": {"children_count": 2, "children_as_count": 1},
    }
    assert view.project(DATA, 0) == view.reference(DATA, 0)


def test_an_empty_body_says_nothing_and_an_unchanged_one_says_that_nothing_is_there() -> None:
    """Where filtering failed nobody may read `not present`; where an event is empty everybody may."""
    view = compiled({"risk.weapon": Reduction.PRESENT, "handover_summary": None})
    absent = {name: None for name in REFERRAL_IN_FULL if name != "envelope"}
    empty = avro.encode(MADE.schema, {**absent, "envelope": REFERRAL_IN_FULL["envelope"]})
    public = view.project(empty, 0)[0]

    decoded = [
        avro.decode(view.schema, whole_view((public, body)))["body"]
        for body in (view.empty_body, view.unchanged_body)
    ]

    assert decoded == [
        {"risk": None, "handover_summary": None},
        {"risk": {"weapon_present": False}, "handover_summary": None},
    ]
    assert view.project(empty, 0)[1] == view.unchanged_body


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["risk.weapon"], ["risk.weapon", "risk.self_harm", "handover_summary", "clock.accept_by"]),
        (["safety_warnings.#"], ["safety_warnings.#", "safety_warnings.kind"]),
        (
            ["incident.grade"],
            ["incident.grade", "incident.opening_code", "triage_assessment.scale"],
        ),
        (["clock.accept_by"], []),
        (["subject.identity.birth_date"], {"subject.identity.birth_date": Reduction.AGE_BAND}),
    ],
)
def test_old_and_new_readers_read_each_others_views(before: Any, after: Any) -> None:
    """An agreement that gains or loses a leaf breaks no reader; what it does not know is null."""
    old, new = compiled(before), compiled(after)

    for writer, reader in ((old, new), (new, old)):
        data = whole_view(writer.project(DATA, 0))
        read = avro.read_as(writer.schema, reader.schema, data)["body"]
        written = avro.decode(writer.schema, data)["body"]
        assert read == overlap(
            written, avro.decode(reader.schema, whole_view(reader.project(DATA, 0)))["body"]
        )


def overlap(written: Any, known: Any) -> Any:
    """What a reader sees: its own fields, with the values of those that were written."""
    if isinstance(known, dict) and isinstance(written, dict):
        return {
            name: overlap(written[name], value) if name in written else None
            for name, value in known.items()
        }
    if isinstance(known, list) and isinstance(written, list):
        return [overlap(w, k) for w, k in zip(written, known, strict=True)]
    return written


@pytest.mark.parametrize(
    ("released", "problem"),
    [
        ({"risk": None}, "no leaf of this event @ risk"),
        ({"risk.wepon": None}, "no leaf of this event @ risk.wepon"),
        ({"envelope.event_id": None}, "no leaf of this event @ envelope.event_id"),
        ({"envelope.correlation_id": None}, "no leaf of this event @ envelope.correlation_id"),
        ({"safety_warnings": None}, "no leaf of this event @ safety_warnings"),
        ({"handover_summary.#": None}, "no leaf of this event @ handover_summary.#"),
        ({"risk.weapon": Reduction.AGE_BAND}, "cannot be reduced to `age-band` @ risk.weapon"),
        (
            {"subject.contact.address": Reduction.COUNT},
            "cannot be reduced to `count` @ subject.contact.address",
        ),
    ],
)
def test_what_cannot_be_released_is_refused(released: Any, problem: str) -> None:
    """A path that names no leaf releases nothing by accident: the view is not made at all."""
    with pytest.raises(AgreementError) as refused:
        compiled(released)

    assert str(refused.value) == problem


def test_the_source_of_a_view_can_be_read() -> None:
    """Whoever asks what is copied can look it up, field by field."""
    source = compiled(["handover_summary"]).source

    assert "# handover_summary" in source
    assert source.count("out += d[a:p]") == 1
