"""The invented CAD exports are what the force's mapping file reads."""

import json
import tomllib
from itertools import islice

import pytest

from broker.codec.canonical_json import read_document
from broker.codec.catalogue import load_catalogue
from broker.resources import deploy_folder
from broker.simulation.cad import export, row_of
from broker.simulation.traffic import referrals
from connectors.cad_mapping import SPEC

MAPPING = deploy_folder() / "mappings" / "midshire_cad.toml"


@pytest.fixture(scope="module")
def mapping():
    """Return the mapping file as intake reads it."""
    return tomllib.loads(MAPPING.read_text("utf-8"))


def test_an_export_is_read_as_the_referrals_it_was_made_of(mapping):
    """Reference, urgency, addressee and person survive the way through columns and codes."""
    documents = list(islice(referrals(3), 40))

    found = SPEC.translate_in(export(map(row_of, documents)), mapping)

    catalogue = load_catalogue(None)
    for document, inbound in zip(documents, found, strict=True):
        parsed = read_document(catalogue, json.loads(json.dumps(inbound.document)))
        assert parsed.reference == document["reference"]
        assert parsed.event_type == "referral_made"
        assert parsed.urgency["rank"] != "unknown"
        assert [route["recipient"] for route in parsed.routes] == ["northvale-crisis"]
        wanted = document["body"]["subject"]["identity"].get("birth_date")
        assert (parsed.body["subject"]["identity"]["birth_date"] is None) is (wanted is None)


def test_a_log_with_line_breaks_stays_one_row(mapping):
    """An embedded newline is text, not the end of a referral."""
    document = next(each for each in referrals(3) if len(each["body"]["incident"]["log"]) > 1)

    (inbound,) = SPEC.translate_in(export([row_of(document)]), mapping)

    assert len(inbound.document["body"]["incident"]["log"]) == len(
        document["body"]["incident"]["log"]
    )


def test_a_letter_that_the_encoding_lacks_becomes_a_question_mark():
    """An old system loses a letter, and not the referral."""
    assert b"R?h" in export([{"SUBJ_SURNAME": "Rŵh"}])
