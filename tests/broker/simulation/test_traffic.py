"""The invented traffic is repeatable, readable by intake, and full of real traps."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

import pytest

from broker.codec.canonical_json import read_document
from broker.codec.catalogue import Catalogue, load_catalogue
from broker.simulation.people import nhs_number, phone
from broker.simulation.traffic import BEGIN, referrals

MANY = 1500


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return the real catalogue."""
    return load_catalogue(None)


def traffic(seed: int = 7, count: int = MANY) -> list[Mapping[str, Any]]:
    """Return the first documents of a seed."""
    return list(islice(referrals(seed), count))


def test_the_same_seed_gives_the_same_bytes() -> None:
    """A run can be repeated to the byte, and another seed is another evening."""
    assert json.dumps(traffic(3, 50)) == json.dumps(traffic(3, 50))
    assert json.dumps(traffic(3, 50)) != json.dumps(traffic(4, 50))


def test_no_two_referrals_share_a_reference() -> None:
    """A reference is what makes a referral the same one; each is its own."""
    references = [document["reference"] for document in traffic()]

    assert len(set(references)) == len(references)


def test_each_happens_after_the_one_before() -> None:
    """Time passes at the rate asked for, so that nothing looks late that is not."""
    every = timedelta(seconds=2)
    times = [
        datetime.fromisoformat(document["occurred_at"])
        for document in islice(referrals(1, begin=BEGIN, every=every), 4)
    ]

    assert times == [BEGIN + number * every for number in range(4)]


def test_intake_can_read_every_one_of_them(catalogue: Catalogue) -> None:
    """Whatever is wrong with a referral is a finding and never a refusal."""
    for document in traffic():
        read_document(catalogue, json.loads(json.dumps(document)))


def test_every_trap_occurs(catalogue: Catalogue) -> None:
    """Each thing that real exports get wrong is in the mix."""
    text = json.dumps(traffic(), ensure_ascii=False)
    codes = Counter(
        finding.code
        for document in traffic()
        for finding in read_document(catalogue, json.loads(json.dumps(document))).findings
    )

    for mark in ("ZZ99 3VZ", "protected_address", "intelligence", "ŵ", "ŷ", "🙏🏽", "ليلى", "O'B"):
        assert mark in text
    for mark in ('"refused"', '"s136"', '"victim"', '"weapon": "yes"', '"wants_anonymity": "yes"'):
        assert mark in text
    assert {"nhs-number-check-failed", "position-swap-suspected", "urgency-missing"} <= codes.keys()
    assert max(len(json.dumps(document)) for document in traffic()) > 100_000


def test_a_child_of_seventeen_years_and_364_days_occurs(catalogue: Catalogue) -> None:
    """The person who is an adult tomorrow is a child today, and somebody has to test it."""
    births = {
        names["birth_date"]["value"]
        for document in traffic()
        if "birth_date" in (names := document["body"]["subject"]["identity"])
    }

    assert "2008-11-23" in births


@pytest.mark.parametrize("wrong", [False, True])
def test_nhs_numbers_are_of_the_range_never_issued(*, wrong: bool) -> None:
    """No invented number can be a real person's, and the check digit is as asked."""
    for seed in range(200):
        number, is_ok = nhs_number(Random(seed), wrong=wrong)

        assert number.startswith("999")
        assert len(number) == 10
        total = sum(int(digit) * (10 - place) for place, digit in enumerate(number[:9]))
        assert (int(number[9]) == (11 - total % 11) % 11) is is_ok is not wrong


def test_telephone_numbers_are_fictional() -> None:
    """Nobody's telephone rings because of a test."""
    for seed in range(200):
        assert phone(Random(seed)).startswith(("07700 900", "01632 960", "020 7946 0"))
