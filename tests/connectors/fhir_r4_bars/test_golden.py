"""Whole messages, byte for byte, for reading and for noticing every change."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.codec import avro
from broker.codec.agreement_toml import load_book
from broker.codec.canonical_json import read_document
from broker.codec.catalogue import load_catalogue
from broker.codec.views import compile_view
from broker.domain.facts import derive_facts
from connectors.contract import View
from connectors.fhir_r4_bars import SPEC
from tests.connectors.views import REQUEST_ID, TARGET
from tests.support.deliver import CRISIS, POLICE, PURPOSE, envelope, example

GOLDEN = Path(__file__).parents[2] / "golden" / "fhir_r4_bars"
NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
CASES = (
    "referral_made.unknown_man_on_bridge",
    "referral_made.detained_at_seventeen",
    "referral_made.anonymous_neighbour",
    "referral_made.abuser_holds_phone",
    "referral_made.refuses_sharing",
    "referral_made.weapon_from_intelligence",
    "referral_updated.found_and_moved",
    "referral_withdrawn.wrong_service",
)


def cut(name: str) -> View:
    """The view of an example that the crisis team gets under its agreement."""
    catalogue = load_catalogue()
    book = load_book(None, catalogue)
    parsed = read_document(catalogue, example(name))
    event = catalogue.event(parsed.event_type)
    native = {"envelope": envelope(parsed, 1, NOW, POLICE), **parsed.body}
    plan = book.plan(POLICE, CRISIS, PURPOSE, event, derive_facts(native))
    codec = compile_view(event, plan.released, recipient=CRISIS, purpose=PURPOSE)
    head, body = codec.project(avro.encode(event.schema, native), 0)
    manifest = avro.encode(catalogue.type_schema("crisis.types.Manifest"), plan.manifest)
    view: dict[str, Any] = avro.decode(codec.schema, head + manifest + body)
    return View(event_type=parsed.event_type, **view)


@pytest.mark.parametrize("case", CASES)
def test_an_example_becomes_its_golden_message(case: str) -> None:
    """Nobody changes what agencies receive without reading the difference."""
    request = SPEC.translate_out(cut(case), TARGET, now=NOW, request_id=REQUEST_ID)
    file = GOLDEN / f"{case}.json"
    found = json.dumps(json.loads(request.body), indent=1, ensure_ascii=False) + "\n"
    if not file.exists():
        file.write_text(found, "utf-8")
        pytest.fail(f"written anew, read it: {file.name}")

    assert found == file.read_text("utf-8")
