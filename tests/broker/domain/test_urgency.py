"""Urgency across scales."""

import pytest

from broker.codec.catalogue import load_catalogue
from broker.domain.urgency import UNGRADED, Rank, grade


@pytest.mark.parametrize(
    ("scheme", "codes"),
    [("ukmhts", "ABCDEFG"), ("mhsds", "1423"), ("police-grade", "1234")],
)
def test_each_scale_ranks_its_codes_in_its_own_order(scheme: str, codes: str) -> None:
    """MHSDS orders 1, 4, 2, 3: reading its digits as numbers would be wrong."""
    priorities = [grade(scheme, code).rank.priority for code in codes]

    assert priorities == sorted(priorities)
    assert grade(scheme, codes[0]).rank is Rank.IMMEDIATE
    assert grade(scheme, codes[-1]).rank is Rank.ROUTINE


@pytest.mark.parametrize("scheme", ["ukmhts", "mhsds"])
def test_targets_grow_as_ranks_fall(scheme: str) -> None:
    """A less urgent code never has the shorter target."""
    grades = [grade(scheme, code) for code in "ABCDEFG1423"]
    timed = sorted(
        (found.rank.priority, found.target_minutes)
        for found in grades
        if found.target_minutes is not None
    )

    assert [minutes for _, minutes in timed] == sorted(minutes for _, minutes in timed)


def test_targets_are_those_of_the_scales() -> None:
    """4 hours and 24 hours on either scale."""
    assert grade("ukmhts", "B").target_minutes == grade("mhsds", "4").target_minutes == 240
    assert grade("ukmhts", "C").target_minutes == grade("mhsds", "2").target_minutes == 1440


@pytest.mark.parametrize(
    ("scheme", "code"), [("ukmhts", "1"), ("mhsds", "B"), ("victoria", "B"), ("", "")]
)
def test_a_code_counts_only_on_its_own_scale(scheme: str, code: str) -> None:
    """What is not known is not guessed."""
    assert grade(scheme, code) is UNGRADED


def test_what_nobody_knows_goes_first() -> None:
    """An unknown urgency must not wait behind routine."""
    assert Rank.UNKNOWN.priority == Rank.IMMEDIATE.priority < Rank.URGENT.priority


def test_ranks_are_the_symbols_of_the_schema() -> None:
    """Code and schema know the same ranks."""
    symbols = load_catalogue().type_schema("crisis.types.Rank")["symbols"]

    assert [rank.value for rank in Rank] == symbols
