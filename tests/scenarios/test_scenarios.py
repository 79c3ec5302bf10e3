"""
The ten scenarios, on real processes and a real Kafka, and all in one process on the memory log.

Each party's must-see and must-not-see stand in the scenario files; the run looks for them in
everything the party's system took, in its release topics, in every log file and in all metrics.
"""

from collections.abc import Callable

import pytest

from broker.simulation.scenarios import load_scenarios
from tests.scenarios.conftest import Run

POLICE = "midshire-police"
TEAM = "northvale-crisis"


@pytest.fixture(scope="module", params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def run(request: pytest.FixtureRequest, play: Callable[..., Run]) -> Run:
    """Play all ten once on each log."""
    if request.param == "memory":
        return play("--memory")
    return play("--kafka", bootstrap=request.getfixturevalue("kafka_bootstrap"))


def test_the_run_says_that_all_is_well(run: Run) -> None:
    """Exit code, summary and every single check agree."""
    assert run.summary, run.told
    assert run.summary["checks"]["broken"] == []
    assert (run.code, run.summary["ok"]) == (0, True), run.told


def test_every_expectation_of_every_scenario_was_looked_at(run: Run) -> None:
    """No must-see and no must-not-see is skipped in silence."""
    for scenario in load_scenarios():
        expected = sum(len(p.sees) + len(p.never_sees) + p.gets_nothing for p in scenario.party)

        assert run.summary["checks"]["by_scenario"][str(scenario.number)] >= expected


def test_in_equals_out(run: Run) -> None:
    """Accepted is released and held and dead, each once, and the chain holds."""
    counts = run.summary["counts"]

    assert counts["in_equals_out"]
    assert counts["faults"] == []
    assert sum(counts["outcomes"].values()) == counts["due"]
    assert run.summary["chain"] == {"verified": True, "records": counts["due"]}


def test_every_referral_ended_with_a_team_and_has_a_holder(run: Run) -> None:
    """Accepted or declined by a team, with a named holder, whatever happened."""
    assert len(run.summary["referrals"]) == 10
    for referral in run.summary["referrals"]:
        assert referral["settled"]
        assert referral["trouble"] == []
        assert referral["holder"]["party"]


def test_1_the_phone_call_moved_responsibility_before_the_message(run: Run) -> None:
    """The hand-over by phone is on record, and the later acceptance is no second one."""
    referral = run.referral(1)

    assert referral["holder"]["party"] == TEAM
    assert "referral_phone_handover" in referral["events"]
    assert referral["flags"] == []


def test_2_the_suite_gets_the_clock_and_no_intelligence(run: Run) -> None:
    """The legal status goes whole; source and history never leave."""
    (made,) = (v for v in run.views(2, "northvale-136-suite") if v["event_type"] == "referral_made")

    assert {"legal_status.arrived_at", "legal_status.expires_at"} <= set(made["released"])
    assert not {"safety_warnings.source", "offence.history"} & set(made["released"])


def test_3_nothing_of_the_informant_is_released(run: Run) -> None:
    """Not name, not number, not that there is one."""
    for view in run.views(3, TEAM):
        assert not any(path.startswith("informant") for path in view["released"])


def test_4_the_council_gets_nothing_without_a_decision(run: Run) -> None:
    """The route is held for a person, on record, and nothing is written to the council."""
    referral_id = run.referral(4)["referral_id"]
    held = [
        each
        for each in run.summary["disclosures"]
        if each["referral_id"] == referral_id and each["recipient"] == "midshire-council"
    ]

    assert [(each["outcome"], each["reason"]) for each in held] == [("held", "needs-person")]
    assert run.views(4, "midshire-council") == []


def test_5_the_police_see_no_diagnosis(run: Run) -> None:
    """Of an outcome only what the police must do goes back."""
    (outcome,) = (v for v in run.views(5, POLICE) if v["event_type"] == "referral_outcome")

    assert outcome["released"] == ["outcome.police_outcome"]


def test_6_the_crew_gets_the_warning_and_not_its_source(run: Run) -> None:
    """What, how fresh, until when and what to do; neither basis nor source."""
    (made,) = (v for v in run.views(6, "midshire-ambulance") if v["event_type"] == "referral_made")
    warning = {path for path in made["released"] if path.startswith("safety_warnings")}

    assert {"safety_warnings.last_confirmed", "safety_warnings.review_by"} <= warning
    assert not {"safety_warnings.source", "safety_warnings.basis"} & warning


def test_7_two_declines_leave_the_sender_responsible(run: Run) -> None:
    """Both have declined, a named person took it back, and a clock runs again."""
    referral = run.referral(7)

    assert referral["answers"]["northvale-crisis"] == "declined"
    assert referral["answers"]["northvale-liaison"] == "declined"
    assert (referral["holder"]["party"], referral["stage"]) == (POLICE, "taken back")
    assert referral["next"] is not None


def test_8_everybody_who_got_the_wrong_referral_is_told(run: Run) -> None:
    """The withdrawal reaches the team that had accepted."""
    assert "referral_withdrawn" in {view["event_type"] for view in run.views(8, TEAM)}


def test_9_a_lapsed_agreement_narrows_nothing_and_is_marked(run: Run) -> None:
    """The team still gets everything, and the record says how long it has been overdue."""
    referral_id = run.referral(9)["referral_id"]
    mine = [each for each in run.summary["disclosures"] if each["referral_id"] == referral_id]

    assert {each["outcome"] for each in mine} == {"released"}
    assert {each["overdue_days"] for each in mine} == {1}


def test_9_says_that_the_outage_was_not_played(run: Run) -> None:
    """Neither log of this run is one that the demo may stop: nobody takes the outage for proved."""
    assert set(run.referral(9)["not_played_here"]) == {"the outage"}


def test_10_a_cad_export_becomes_a_referral(run: Run) -> None:
    """The force's own columns arrive as decision and ground, and the unmapped one does not."""
    (made,) = (v for v in run.views(10, TEAM) if v["event_type"] == "referral_made")

    assert {"incident.rcrp.decision", "incident.rcrp.ground"} <= set(made["released"])
    assert "unmapped" not in made["released"]


def test_what_cannot_be_played_yet_is_named(run: Run) -> None:
    """Nobody takes a scenario for whole that is not."""
    assert set(run.summary["coming"]) == {"2", "7", "8", "9"}


@pytest.mark.kafka
@pytest.mark.crash
@pytest.mark.usefixtures("kafka_bootstrap")
def test_9_intake_keeps_its_promise_while_kafka_is_down(play: Callable[..., Run]) -> None:
    """The receipt says stored here; when Kafka is back the team gets it, once."""
    found = play("--kafka", "--only", "9")

    assert found.summary, found.told
    assert found.referral(9)["trouble"] == []
    assert found.referral(9)["not_played_here"] == {}
    assert found.summary["counts"]["in_equals_out"]
    assert (found.code, "Kafka is stopped now" in found.told) == (0, True), found.told
