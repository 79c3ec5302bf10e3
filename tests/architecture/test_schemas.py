"""Schemas, code and documents say the same."""

from enum import StrEnum
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.codec import compatibility_opinion
from broker.codec.canonical_document import _ENVIRONMENTS, _ROUTE_SOURCES
from broker.codec.canonical_reader import FORGIVEN
from broker.codec.catalogue import find_problems, load_catalogue
from broker.codec.catalogue_files import named_types
from broker.codec.compatibility import find_breaks
from broker.codec.examples import examples_of, find_example_problems
from broker.codec.schema_rules import find_rule_breaks
from broker.commands.schemas import app
from broker.domain.findings import Severity
from broker.domain.urgency import Rank
from broker.resources import deploy_folder, schemas_folder

ROOT = schemas_folder()
CATALOGUE = load_catalogue()


def symbols(name: str) -> set[str]:
    """Symbols of an enum of the catalogue."""
    return set(CATALOGUE.type_schema(f"crisis.types.{name}")["symbols"])


def test_the_catalogue_keeps_the_house_rules() -> None:
    """Form, tags and nullable fields are as schemas/README.md says."""
    assert find_problems(ROOT) == []
    assert find_rule_breaks(CATALOGUE) == []


def test_good_examples_are_accepted_and_bad_ones_refused() -> None:
    """Every event has at least two of either."""
    assert find_example_problems(CATALOGUE, ROOT / "examples") == []


def test_an_event_without_examples_is_noticed(tmp_path: Path) -> None:
    """The check can fail: an empty folder, a good one that is bad and a bad one that is good."""
    (tmp_path / "referral_made.one.json").write_text("{", "utf-8")
    good = examples_of("referral_received", ROOT / "examples")[0].read_bytes()
    (tmp_path / "referral_received.x.invalid.json").write_bytes(good)
    (tmp_path / "referral_outcome.x.json").write_bytes(good)

    rules = dict(find_example_problems(CATALOGUE, tmp_path))

    assert rules["referral_taken_back"] == "fewer than 2 invalid examples"
    assert rules["referral_made.one.json"].startswith("not JSON")
    assert rules["referral_received.x.invalid.json"] == "is accepted, though it must be refused"
    assert rules["referral_outcome.x.json"] == "is not named after its event"


def test_nothing_breaks_readers_of_the_previous_version() -> None:
    """Both our own rules and Apache's implementation say so."""
    previous = load_catalogue(ROOT / "previous")

    assert find_breaks(previous, CATALOGUE) == []
    assert compatibility_opinion.find_disagreements(previous, CATALOGUE) == []


@pytest.mark.parametrize(("enum", "name"), [(Rank, "Rank"), (Severity, "Severity")])
def test_enums_of_the_code_fit_those_of_the_schemas(enum: type[StrEnum], name: str) -> None:
    """What the code says can always be written."""
    assert {member.value for member in enum} | {"unknown"} == symbols(name)


def test_words_of_the_canonical_document_are_symbols_of_the_schemas() -> None:
    """What is accepted at the door has a place inside."""
    assert symbols("Environment") - {"unknown"} == _ENVIRONMENTS
    assert symbols("RouteSource") >= _ROUTE_SOURCES
    assert symbols("EventType") - {"unknown"} == set(CATALOGUE.events)


def test_forgiven_types_exist() -> None:
    """A renamed type would quietly become a reason to refuse."""
    assert FORGIVEN.keys() <= CATALOGUE.types.keys()


def test_every_event_has_a_place_for_what_has_none() -> None:
    """`unmapped` is never granted, and every event has it."""
    for event in CATALOGUE.events.values():
        assert event.leaves["unmapped"].sensitivity == "S8"
        assert event.leaves["unmapped"].presence == "conceal"


def test_every_type_is_used() -> None:
    """A type that no event and no record of ours uses would only mislead."""
    used = {t["name"] for event in CATALOGUE.events.values() for t in named_types(event.schema)}
    views = {t["name"] for t in named_types(CATALOGUE.type_schema("crisis.types.Manifest"))}

    assert {name.rsplit(".", 1)[1] for name in CATALOGUE.types} == (used | views) - {
        event.schema["name"] for event in CATALOGUE.events.values()
    } - {"Digest"}


def test_resources_are_found() -> None:
    """A checkout finds what a wheel carries inside."""
    assert (schemas_folder() / "README.md").exists()
    assert deploy_folder().is_dir()


def test_the_command_checks_and_says_so() -> None:
    """`schemas check` ends with 0 only if everything is in order."""
    result = CliRunner().invoke(app, ["check"])

    assert result.exit_code == 0, result.output
    assert result.output.count("ok ") == 5


def test_the_command_fails_on_a_broken_folder(tmp_path: Path) -> None:
    """And names what is wrong otherwise."""
    result = CliRunner().invoke(app, ["check", "--dir", str(tmp_path)])

    assert result.exit_code == 1
    assert "no schemas in this folder" in result.output


def test_the_command_shows_leaves() -> None:
    """`schemas show` lists what agreements can name."""
    result = CliRunner().invoke(app, ["show", "referral_accepted"], env={"COLUMNS": "200"})

    assert "acceptance.person_ref" in result.output
    assert CliRunner().invoke(app, ["show"]).output.count("leaves") == len(CATALOGUE.events)
