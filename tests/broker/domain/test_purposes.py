"""The closed list of purposes."""

import pytest

from broker.domain.purposes import DPV_BASES, PURPOSES, Release

# Children of PurposeOfUse in HL7 v3-ActReason that the mapping may use.
PURPOSES_OF_USE = {
    "BTG", "COC", "ERTREAT", "ETREAT", "GOV", "HCOMPL", "HLEGAL", "HOPERAT", "HPRGRP", "HQUALIMP",
    "HSYSADMIN", "PATRQT", "PATSFTY", "PERFMSR", "RECORDMGT", "THREAT",
}  # fmt: skip


def test_there_are_twelve_purposes() -> None:
    """The list is closed; a thirteenth reason to share is a decision, not an accident."""
    assert len(PURPOSES) == 12


def test_purposes_are_found_by_their_own_code() -> None:
    """A code leads to the purpose that carries it."""
    assert all(PURPOSES[code].code == code for code in PURPOSES)


def test_the_list_cannot_be_changed_at_run_time() -> None:
    """Nobody adds a purpose while the broker runs."""
    with pytest.raises(TypeError):
        PURPOSES["curiosity"] = PURPOSES["crisis-response"]


def test_every_mapping_uses_codes_of_purpose_of_use() -> None:
    """A translator never writes a code that HL7 does not know."""
    assert {code for purpose in PURPOSES.values() for code in purpose.hl7} == PURPOSES_OF_USE


def test_every_purpose_has_a_dpv_name_whose_prefix_is_known() -> None:
    """Each name can be looked up in the vocabulary it comes from."""
    assert all(each.dpv for each in PURPOSES.values())
    names = [name for each in PURPOSES.values() for name in each.dpv]
    assert {name.partition(":")[0] for name in names} <= DPV_BASES.keys()


def test_safeguarding_is_never_presented_as_an_exact_mapping() -> None:
    """No HL7 or DPV code exists for safeguarding."""
    assert not PURPOSES["safeguarding-adult"].is_exact
    assert not PURPOSES["safeguarding-child"].is_exact


def test_a_person_decides_investigations_and_overrides() -> None:
    """There is no automatic override and no automatic disclosure of health data to a case."""
    by_person = {each.code for each in PURPOSES.values() if each.release is Release.BY_PERSON}

    assert by_person == {"crime-investigation", "vital-interests-override"}


def test_feedback_is_operational_only() -> None:
    """What goes back to the police by itself says nothing about a person."""
    assert PURPOSES["police-outcome-feedback"].release is Release.OPERATIONAL
