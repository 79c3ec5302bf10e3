"""The checks of who saw what would notice if somebody saw too much or too little."""

import json

from broker.simulation.checks import Check, check_scenario, check_silence
from broker.simulation.chronicle import Chronicle, ViewSeen
from broker.simulation.mailbox import Item
from broker.simulation.scenarios import PartyView, Scenario

REFERRAL = "0" * 32
TEAM, COUNCIL = "northvale-crisis", "midshire-council"


def scenario(party: PartyView) -> Scenario:
    """Return a scenario with expectations of one party."""
    return Scenario(number=1, title="t", shows="s", urgency="B", routes=(), party=(party,))


def item(text: str) -> Item:
    """Return a message that a team's system took."""
    body = json.dumps({"summary": text})  # as senders write it: ŵ becomes an escape
    return Item(
        party=TEAM,
        at="",
        format="fhir_r4_bars",
        request_id="r",
        referral_id=REFERRAL,
        event_type="referral_made",
        body=body,
    )


def view(value: bytes) -> ViewSeen:
    """Return a view in a team's release topic."""
    native = {"envelope": {"referral_id": REFERRAL, "event_id": "e", "event_type": "x"}}
    return ViewSeen(
        recipient=TEAM,
        purpose="p",
        release_id="r",
        native=native,
        schema={},
        value=value,
        seen_at_ms=0,
    )


def verdicts(party: PartyView, *items: Item, views: tuple[ViewSeen, ...] = ()) -> list[bool]:
    """Return whether each check of a party holds."""
    chronicle = Chronicle(views=list(views))
    return [each.holds for each in check_scenario(scenario(party), REFERRAL, items, chronicle)]


def test_what_arrived_is_found_whatever_its_letters() -> None:
    """A Welsh name counts as arrived although JSON wrote it with escapes."""
    party = PartyView(id=TEAM, sees=("Llanwŷddyn", "absent"))

    assert verdicts(party, item("of Llanwŷddyn")) == [True, False]


def test_a_forbidden_text_is_found_in_what_a_system_took() -> None:
    """A leak into the agency's message is noticed."""
    assert verdicts(PartyView(id=TEAM, never_sees=("HERON",)), item("a HERON")) == [False]


def test_a_forbidden_text_is_found_in_a_topic_that_nobody_delivered() -> None:
    """A leak into the release topic is noticed even if no system ever gets it."""
    party = PartyView(id=TEAM, never_sees=("HERON",))

    assert verdicts(party, views=(view(b"..HERON.."),)) == [False]


def test_a_party_that_must_get_nothing_gets_nothing() -> None:
    """A single message, whatever it says, is too much."""
    party = PartyView(id=TEAM, gets_nothing=True)

    assert verdicts(party) == [True]
    assert verdicts(party, item("anything")) == [False]


def test_logs_and_metrics_are_looked_through() -> None:
    """A forbidden text in a log line is named by place and number, never by the text."""
    secret = scenario(PartyView(id=TEAM, never_sees=("HERON", "CURLEW")))

    found = list(check_silence([secret], {"broker.log": "…CURLEW…", "metrics": "fine"}))

    broken = [each for each in found if not each.holds]
    assert [str(each) for each in broken] == ["scenario 1: broker.log never sees text 0: BROKEN"]
    assert Check(scenario=1, party="metrics", rule="never sees", place=-1, holds=True) in found
