"""Whole exports, compared with what a person checked."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from broker.codec.canonical_json import read_document
from broker.codec.catalogue import load_catalogue
from broker.resources import deploy_folder
from connectors.cad_mapping import SPEC

GOLDEN = Path(__file__).parents[2] / "golden" / "cad_mapping"
CASES = sorted(path for path in GOLDEN.iterdir() if path.is_dir())


def translate(case: Path) -> list[dict[str, object]]:
    """Return what the connector makes of a case, as JSON would show it."""
    own = case / "mapping.toml"
    file = own if own.exists() else deploy_folder() / "mappings" / "midshire_cad.toml"
    (message,) = case.glob("input.*")
    assert SPEC.translate_in is not None
    inbounds = SPEC.translate_in(message.read_bytes(), tomllib.loads(file.read_text("utf-8")))
    found: list[dict[str, object]] = json.loads(json.dumps([asdict(each) for each in inbounds]))
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_export_becomes_the_events_a_person_expects(case: Path) -> None:
    """Documents, keys and findings are the same as in the checked file."""
    assert translate(case) == json.loads((case / "expected.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_comes_out_is_canonical(case: Path) -> None:
    """Intake can read every document: no export of ours is refused for its form."""
    for inbound in translate(case):
        parsed = read_document(load_catalogue(), inbound["document"])

        assert parsed.environment == "test"
