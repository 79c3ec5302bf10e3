"""The ten scenarios are whole, readable by intake, and about nobody."""

import json
import re
from datetime import UTC, datetime

import pytest

from broker.codec.agreement_toml import load_book
from broker.codec.canonical_json import read_document
from broker.codec.catalogue import Catalogue, load_catalogue
from broker.domain.errors import ConfigurationError
from broker.domain.facts import derive_facts
from broker.domain.lifecycle import ACCEPT_WITHIN
from broker.domain.urgency import Rank
from broker.resources import deploy_folder
from broker.simulation.cast import ROLES
from broker.simulation.moments import fill_in
from broker.simulation.scenarios import Scenario, load_scenarios

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
SCENARIOS = load_scenarios()
BY_JSON = [each for each in SCENARIOS if not each.cad]
PHONE = re.compile(r"\b0\d{2,4} ?\d{3,4} ?\d{3,4}\b")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return the real catalogue."""
    return load_catalogue(None)


def test_there_are_ten_in_their_order() -> None:
    """None is missing: what cannot be played yet is named as coming."""
    assert [each.number for each in SCENARIOS] == list(range(1, 11))


@pytest.mark.parametrize("scenario", BY_JSON, ids=lambda each: each.title)
def test_each_document_is_read_without_a_loss(scenario: Scenario, catalogue: Catalogue) -> None:
    """Every field of a scenario has a place in the catalogue."""
    documents = [scenario.document("run", NOW)]
    documents += [scenario.step_document(step, "run", 2, NOW) for step in scenario.step]
    for document in documents:
        assert read_document(catalogue, json.loads(json.dumps(document))).body["unmapped"] is None


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.title)
def test_every_forbidden_text_is_really_sent(scenario: Scenario) -> None:
    """A canary that nobody puts into the cage proves nothing."""
    sent = scenario.message("run", NOW)[2].decode("utf-8" if not scenario.cad else "windows-1252")
    answered = json.dumps([each.body for each in scenario.answer])
    whole = json.loads(f"[{sent}]")[0] if not scenario.cad else sent
    text = json.dumps(whole, ensure_ascii=False) + answered

    for forbidden in scenario.forbidden():
        assert forbidden in text


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.title)
def test_somebody_answers_and_everybody_is_cast(scenario: Scenario) -> None:
    """Every party of a scenario has a stand-in, and one of them accepts or declines."""
    decided = {"referral_accepted", "referral_declined"}

    assert decided & {answer.event for answer in scenario.answer}
    for party in (*scenario.recipients(), scenario.sender, *(each.id for each in scenario.party)):
        assert party in ROLES


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.title)
def test_every_route_is_covered_by_an_agreement(scenario: Scenario, catalogue: Catalogue) -> None:
    """The scenarios play on the agreements that are deployed."""
    book = load_book(deploy_folder() / "agreements", catalogue)

    for route in scenario.routes:
        assert book.find(scenario.sender, *route.split()) is not None


def test_the_young_man_of_the_second_is_still_a_child(catalogue: Catalogue) -> None:
    """17 years and 364 days is under age on every day of the year, leap years included."""
    for day in (NOW, datetime(2028, 2, 28, 12, tzinfo=UTC), datetime(2028, 2, 29, 12, tzinfo=UTC)):
        parsed = read_document(catalogue, SCENARIOS[1].document("run", day))
        event = {"envelope": {"occurred_at": parsed.occurred_at, "urgency": {}}, **parsed.body}

        assert "subject_is_child" in derive_facts(event)


def test_every_telephone_number_is_fictional() -> None:
    """Nobody's telephone rings because of a demo."""
    text = json.dumps([each.model_dump() for each in SCENARIOS], default=str)

    for number in PHONE.findall(text):
        assert number.startswith(("07700 900", "01632 960", "020 7946"))


def test_a_relative_time_that_cannot_be_read_is_refused() -> None:
    """A slip in a scenario file is named, and never sent as text."""
    with pytest.raises(ConfigurationError, match="relative time"):
        fill_in({"at": "@soon"}, NOW)


def test_every_rank_has_a_clock() -> None:
    """No urgency is without a time by which somebody must have accepted."""
    assert set(ACCEPT_WITHIN) == {str(rank) for rank in Rank}
