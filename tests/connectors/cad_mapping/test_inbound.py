"""Exports of any shape: understood, kept as text, or refused by name; never a crash."""

import json
import tomllib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.errors import ConfigurationError, MalformedMessageError
from broker.domain.findings import Severity
from broker.resources import deploy_folder
from connectors.cad_mapping import SPEC
from connectors.cad_mapping.grid import to_wgs84
from connectors.contract import Inbound

MIDSHIRE = tomllib.loads((deploy_folder() / "mappings" / "midshire_cad.toml").read_text("utf-8"))
EVENT = {
    "environment": "test",
    "reference": "URN",
    "occurred_at": "AT",
    "format": "%Y-%m-%d %H:%M",
}


def mapping(*columns: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a small mapping with some columns."""
    reason = {"name": "REASON", "to": "incident.reason_for_contact"}
    usual = {"mapping": "m", "version": "1", "event": EVENT, "column": [reason, *columns]}
    return {**usual, **changes}


def translate(message: bytes | str, chosen: dict[str, Any]) -> Sequence[Inbound]:
    """Translate a message."""
    assert SPEC.translate_in is not None
    return SPEC.translate_in(message.encode() if isinstance(message, str) else message, chosen)


def one(cells: dict[str, str], *columns: dict[str, Any], **changes: Any) -> Inbound:
    """Translate one row with these cells besides reference, time and reason."""
    all_cells = {"URN": "U1", "AT": "2026-11-22 14:00", "REASON": "worry", **cells}
    header, row = ",".join(all_cells), ",".join(f'"{cell}"' for cell in all_cells.values())
    (inbound,) = translate(f"{header}\n{row}\n", mapping(*columns, **changes))
    return inbound


def documents(message: bytes, chosen: dict[str, Any]) -> list[Any]:
    """Return the documents of a message, none if it is refused; any other error is a defect."""
    try:
        return [inbound.document for inbound in translate(message, chosen)]
    except MalformedMessageError:
        return []


def codes(inbound: Inbound) -> set[tuple[str, str]]:
    """Return code and place kept of every finding."""
    return {(finding.code, finding.kept) for finding in inbound.findings}


WEAPON = {"name": "WEAPON", "to": "risk.weapon", "type": "yes-no", "safety": True}


@pytest.mark.parametrize(
    ("text", "weapon"), [("Y", "yes"), ("no", "no"), ("NK", "unknown"), ("knife?", "unknown")]
)
def test_answers_keep_unknown_apart_from_not_stated(text: str, weapon: str) -> None:
    """A written "not known" is an answer; so is one that nobody can read."""
    assert one({"WEAPON": text}, WEAPON).document["body"]["risk"]["weapon"] == weapon
    assert "risk" not in one({"WEAPON": ""}, WEAPON).document["body"]


def test_an_unreadable_value_in_a_matter_of_safety_is_kept_and_flagged() -> None:
    """The text is not lost, and the finding has the severity that people look at."""
    inbound = one({"WEAPON": "knife?"}, WEAPON)

    assert {"path": "WEAPON", "text": "knife?"} in inbound.document["body"]["unmapped"]
    (finding,) = inbound.findings
    assert (finding.code, finding.severity) == ("value-not-mapped", Severity.SAFETY)
    assert "knife" not in repr(finding)


def test_such_a_text_may_have_a_place_that_people_see() -> None:
    """`text_to` puts it where an agreement can release it."""
    column = {**WEAPON, "text_to": "safety_warnings[0].kind"}
    body = one({"WEAPON": "knife?"}, column).document["body"]

    assert body["safety_warnings"] == [{"kind": "WEAPON: knife?"}]
    assert "unmapped" not in body


def test_a_missing_column_in_a_matter_of_safety_is_flagged() -> None:
    """When an export loses a column nobody should read that as "no weapon"."""
    (finding,) = one({}, WEAPON).findings

    assert (finding.code, finding.severity) == ("column-missing", Severity.SAFETY)


def test_unknown_columns_are_kept_or_dropped_and_counted_either_way() -> None:
    """The policy is the site's; silence is not an option."""
    kept = one({"PET": "dog"})
    dropped = one({"PET": "dog"}, unmapped="drop")
    ignored = one({"PET": "dog"}, ignore=["PET"])

    assert kept.document["body"]["unmapped"] == [{"path": "PET", "text": "dog"}]
    assert codes(kept) == {("column-not-mapped", "unmapped")}
    assert "unmapped" not in dropped.document["body"]
    assert codes(dropped) == {("column-not-mapped", "dropped")}
    assert codes(ignored) == set()


def test_a_column_named_like_a_person_is_not_repeated() -> None:
    """Findings leave the payload's protection, so they show no free text."""
    (finding,) = one({"Jane Testperson 9990000018": "x"}).findings

    assert finding.path == "row 1: *"


@pytest.mark.parametrize(
    ("text", "expected", "noticed"),
    [
        ("2026-07-01 12:00", "2026-07-01T12:00:00+01:00", set()),
        ("2026-01-01 12:00", "2026-01-01T12:00:00+00:00", set()),
        ("2026-10-25 01:30", "2026-10-25T01:30:00+01:00", {"offset-ambiguous"}),
        ("2026-03-29 01:30", "2026-03-29T01:30:00+00:00", {"civil-time-nonexistent"}),
    ],
)
def test_local_times_get_their_offset(text: str, expected: str, noticed: set[str]) -> None:
    """The site's zone gives the offset; hours that come twice or never are flagged."""
    inbound = one({"AT": text})

    assert inbound.document["occurred_at"] == expected
    assert {code for code, _ in codes(inbound)} == noticed


def test_a_time_that_cannot_be_read_leaves_the_document_without_one() -> None:
    """Intake then refuses that event by name; this is not the place to invent a time."""
    inbound = one({"AT": "yesterday"})

    assert "occurred_at" not in inbound.document
    assert codes(inbound) == {("moment-unreadable", "dropped")}


def test_every_row_is_an_event() -> None:
    """Rows become events in their order; an empty line is none."""
    found = translate("URN,AT,REASON\nU1,x,a\n\nU2,x,b\n", mapping())

    assert [each.document["reference"] for each in found] == ["U1", "U2"]


def test_the_rota_decides_by_column_and_time_of_day() -> None:
    """Past midnight counts as night; the reason is recorded."""
    night = {
        "recipient": "northvale-liaison",
        "purpose": "crisis-response",
        "reason": "night rota",
        "when": {"REASON": ["worry"]},
        "from_time": "20:00:00",
        "to_time": "08:00:00",
    }
    by_time = {
        text: bool(one({"AT": f"2026-11-22 {text}"}, rota=[night]).document["routes"])
        for text in ("19:59", "20:00", "00:00", "07:59", "08:00")
    }
    (route,) = one({"AT": "2026-11-22 23:00"}, rota=[night]).document["routes"]

    assert by_time == {"19:59": False, "20:00": True, "00:00": True, "07:59": True, "08:00": False}
    assert (route["source"], route["reason"]) == ("rota", "night rota")
    assert one({"REASON": "x", "AT": "2026-11-22 23:00"}, rota=[night]).document["routes"] == []


def test_key_columns_make_a_repeat_the_same_row() -> None:
    """With key columns the key is theirs, without any intake derives one."""
    keyed = one({"REV": "7"}, event={**EVENT, "key": ["URN", "REV"]})

    assert keyed.idempotency_key == "referral_made\x1fU1\x1f7"
    assert one({}).idempotency_key == ""


def test_the_national_grid_becomes_a_position() -> None:
    """The Ordnance Survey's worked example comes out within two metres."""
    latitude, longitude = to_wgs84(651_409.903, 313_177.270)

    assert abs(latitude - 52.657979) < 2e-5
    assert abs(longitude - 1.716052) < 2e-5


@pytest.mark.parametrize(
    ("message", "place", "rule"),
    [
        (b"", "header", "no header"),
        (b"URN,AT\n", "$", "no rows"),
        (b"URN,URN\nx,y\n", "header", "a column is there twice"),
        (b"URN,AT\nU1\n", "row 1", "number of cells differs from the header"),
        (b'URN,AT\nU1,"open\n', "line 2", "not CSV: quoting is broken"),
        (b"URN,AT\nU1,\x00\n", "$", "contains a NUL character"),
        (b"URN,AT\nU1,\x81\xff\n", "$", "not utf-8 at byte 10"),
        (b"\xff\xfeU\x00R\x00", "$", "UTF-16 is not read; export as UTF-8 or Windows-1252"),
        (b"A\n" + b"x\n" * 501, "$", "more than 500 rows"),
    ],
)
def test_what_is_no_csv_is_refused_by_place(message: bytes, place: str, rule: str) -> None:
    """The whole export is refused: its columns may have shifted."""
    with pytest.raises(MalformedMessageError) as caught:
        translate(message, mapping())

    assert caught.value.problems == ((place, rule),)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("windows-1252", "URN,AT,REASON\nU1,x,caf\xe9 \x80\n".encode("latin-1")),
        ("utf-8", "URN,AT,REASON\nU1,x,café €\n".encode()),
        ("windows-1252", "URN,AT,REASON\nU1,x,café €\n".encode("utf-8-sig")),
    ],
)
def test_encodings_of_control_rooms_are_read(encoding: str, message: bytes) -> None:
    """Windows-1252, UTF-8, and a byte-order mark that contradicts the mapping."""
    (inbound,) = translate(message, mapping(encoding=encoding))

    assert inbound.document["body"]["incident"]["reason_for_contact"] == "café €"


def test_a_very_long_log_is_read() -> None:
    """A cell may be longer than Python's csv module allows by default."""
    inbound = one({"REASON": "x" * 200_000})

    assert len(inbound.document["body"]["incident"]["reason_for_contact"]) == 200_000


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ({"colour": "red"}, "colour"),
        ({"zone": "Europe/Northvale"}, "zone"),
        ({"column": []}, "column"),
        ({"column": [{"name": "X", "to": "subject.shoe_size"}]}, "column.0.to"),
        ({"column": [{"name": "X", "to": "envelope.sender"}]}, "column.0.to"),
        ({"column": [{"name": "X", "to": "subject.identity"}]}, "column.0.to"),
        ({"column": [{"name": "X", "to": "incident.urn[0]"}]}, "column.0.to"),
        ({"column": [{"name": "X", "to": "risk.weapon", "type": "symbol"}]}, "column.0.codes"),
        ({"column": [{**WEAPON, "text_to": "risk.weapon"}]}, "column.0.text_to"),
        ({"column": [{"name": "X", "to": "incident.log", "type": "log", "entry": "("}]}, "entry"),
        ({"event": {**EVENT, "type": "referral_eaten"}}, "event.type"),
    ],
)
def test_a_wrong_mapping_is_refused_whole_before_any_message(
    fault: dict[str, Any], place: str
) -> None:
    """Unknown keys, targets, zones and types are named; an empty message shows it as well."""
    with pytest.raises(ConfigurationError, match=place.replace(".", r"\.")):
        translate(b"", mapping(**fault))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
COLUMNS = [column["name"] for column in MIDSHIRE["column"]]
CELLS = st.text(max_size=20) | st.sampled_from(
    [
        "Y",
        "NK",
        "22/11/2026 14:00:00",
        "1" * 400,
        "nan",
        "inf",
        "1e400",
        "٣",
        "-0",
        "451409",
        "\x85",
    ]
)


@given(st.binary(max_size=300))
def test_no_bytes_whatever_break_the_translator(message: bytes) -> None:
    """Random bytes are an export or refused; nothing else."""
    for chosen in (MIDSHIRE, mapping(format="json"), mapping(encoding="utf-8", delimiter="|")):
        documents(message, chosen)


@given(st.dictionaries(st.sampled_from([*COLUMNS, "REFERRED_DTTM", "NORTHING", "PET"]), CELLS))
def test_no_cells_whatever_break_the_translator(cells: dict[str, str]) -> None:
    """Random cells under real headers give an event whose findings hold no value."""
    rows = [cells, dict.fromkeys(cells, "")]
    lines = ["|".join(cells)]
    lines += [
        "|".join('"' + cell.replace('"', '""') + '"' for cell in row.values()) for row in rows
    ]
    message = "\r\n".join(lines).encode("cp1252", "replace")
    for document in documents(message, MIDSHIRE):
        json.dumps(document, allow_nan=False)


@given(JSON_VALUES)
def test_no_json_whatever_breaks_the_translator(value: Any) -> None:
    """Random JSON gives events or is refused."""
    columns = [
        {"name": "log", "to": "incident.log", "type": "log"},
        {"name": "n", "to": "dependants.children_count", "type": "integer"},
    ]
    chosen = mapping(*columns, format="json")
    for message in (value, {"log": value, "n": value, "URN": value, "AT": value}):
        for document in documents(json.dumps(message).encode(), chosen):
            json.dumps(document, allow_nan=False)
