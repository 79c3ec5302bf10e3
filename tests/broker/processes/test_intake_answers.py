"""Who may answer, change and take back, and where that goes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.domain import ids
from broker.processes.intake_index import Disclosed
from tests.broker.processes.intake_site import SECRET, IntakeSite, answer, intake_site, referral

POLICE, TEAM, LIAISON = "midshire-police", "northvale-crisis", "northvale-liaison"
FEEDBACK = "police-outcome-feedback"
ELSEWHERE = ids.referral_id(SECRET, POLICE, "MP-20261122-0413")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[IntakeSite]:
    """One open intake."""
    async with intake_site(tmp_path) as site:
        yield site


def disclosed(
    recipient: str, purpose: str = "crisis-response", *, outcome: str = "released"
) -> Disclosed:
    """Return the disclosure of a new referral."""
    return Disclosed(POLICE, recipient, purpose, "referral_made", outcome)


def withdrawal(**changes: Any) -> dict[str, Any]:
    """Return a withdrawal."""
    return {
        "event_type": "referral_withdrawn",
        "occurred_at": "2026-11-22T14:20:00+00:00",
        "environment": "test",
        "urgency": {"scheme": "ukmhts", "version": "1", "code": "B"},
        "body": {"withdrawal": {"reason": "resolved", "by_role": "duty inspector"}},
        **changes,
    }


async def last_routes(site: IntakeSite) -> set[tuple[str, str, str]]:
    """Return recipient, purpose and source of every route of the last event stored."""
    routes = (await site.stored())[-1]["envelope"]["routes"]
    return {(route["recipient"], route["purpose"], route["source"]) for route in routes}


async def test_who_has_received_a_referral_may_answer_it(site: IntakeSite) -> None:
    """The answer belongs to the same referral and goes back to its sender."""
    referral_id = (await site.send(referral())).json()["referral_id"]
    site.index.disclose(referral_id, disclosed(TEAM))
    response = await site.send(answer(), TEAM, to=referral_id)

    assert response.status_code == 202
    assert response.json()["referral_id"] == referral_id
    assert await last_routes(site) == {(POLICE, FEEDBACK, "reply")}
    assert (await site.stored())[-1]["envelope"]["sender"] == TEAM


async def test_one_key_at_two_addresses_is_two_events(site: IntakeSite) -> None:
    """The same answer with the same key for another referral is stored and not taken for a repeat."""
    made = [referral(reference=f"R-{number}") for number in (1, 2)]
    referrals = [(await site.send(each)).json()["referral_id"] for each in made]
    for referral_id in referrals:
        site.index.disclose(referral_id, disclosed(TEAM))
    key = {"Idempotency-Key": "shift-7"}
    receipts = [
        (await site.send(answer(), TEAM, to=referral_id, **key)).json() for referral_id in referrals
    ]

    assert [receipt["referral_id"] for receipt in receipts] == referrals
    assert [receipt["repeated"] for receipt in receipts] == [False, False]
    events = [event["envelope"] for event in (await site.stored())[2:]]
    assert [event["referral_id"] for event in events] == referrals
    assert len({event["event_id"] for event in events}) == 2
    assert len({event["content_digest"] for event in events}) == 2


async def test_an_answer_works_where_the_referral_was_not_made(site: IntakeSite) -> None:
    """An intake that never saw the referral finds its sender in the disclosures."""
    site.index.disclose(ELSEWHERE, disclosed(TEAM))
    response = await site.send(answer(), TEAM, to=ELSEWHERE)

    assert response.status_code == 202
    assert await last_routes(site) == {(POLICE, FEEDBACK, "reply")}


async def test_an_answer_waits_until_the_index_has_caught_up(site: IntakeSite) -> None:
    """A team that is quicker than the index is not turned away."""
    site.index.later[ELSEWHERE] = {disclosed(TEAM)}

    assert (await site.send(answer(), TEAM, to=ELSEWHERE)).status_code == 202


@pytest.mark.parametrize("outcome", ["held", "no_route", "unchanged"])
async def test_what_was_not_released_cannot_be_answered(site: IntakeSite, outcome: str) -> None:
    """A held referral has not reached anybody."""
    site.index.disclose(ELSEWHERE, disclosed(TEAM, outcome=outcome))

    assert (await site.send(answer(), TEAM, to=ELSEWHERE)).status_code == 403


async def test_an_envelope_alone_can_be_answered(site: IntakeSite) -> None:
    """Whoever got the minimal envelope can take responsibility all the same."""
    site.index.disclose(ELSEWHERE, disclosed(TEAM, outcome="envelope_only"))

    assert (await site.send(answer(), TEAM, to=ELSEWHERE)).status_code == 202


async def test_nobody_else_learns_whether_a_referral_exists(site: IntakeSite) -> None:
    """A stranger gets the same refusal for a real referral and an invented one."""
    site.index.disclose(ELSEWHERE, disclosed(TEAM))
    real = await site.send(answer(), LIAISON, to=ELSEWHERE)
    invented = await site.send(answer(), LIAISON, to="0" * 32)
    nonsense = await site.send(answer(), LIAISON, to="nonsense")

    assert [each.status_code for each in (real, invented, nonsense)] == [403] * 3
    assert real.json() == invented.json()
    assert await site.stored() == []


async def test_when_it_cannot_be_known_the_caller_is_asked_to_come_back(site: IntakeSite) -> None:
    """With the disclosures out of reach the answer is neither yes nor no."""
    site.index.is_away = True
    response = await site.send(answer(), TEAM, to=ELSEWHERE)

    assert response.status_code == 503
    assert "Retry-After" in response.headers


async def test_a_recipient_cannot_withdraw_and_a_sender_cannot_accept(site: IntakeSite) -> None:
    """Each side has its own events."""
    referral_id = (await site.send(referral())).json()["referral_id"]
    site.index.disclose(referral_id, disclosed(TEAM))

    assert (await site.send(withdrawal(), TEAM, to=referral_id)).status_code == 403
    assert (await site.send(answer(), POLICE, to=referral_id)).status_code == 403


async def test_a_withdrawal_reaches_everybody_who_was_addressed(site: IntakeSite) -> None:
    """Those addressed here, those found in the disclosures, and those stated now."""
    referral_id = (await site.send(referral())).json()["referral_id"]
    site.index.disclose(referral_id, disclosed(LIAISON), disclosed("", "", outcome="no_route"))
    now = [{"recipient": "midshire-ambulance", "purpose": "responder-safety"}]
    response = await site.send(withdrawal(routes=now), POLICE, to=referral_id)

    assert response.status_code == 202
    assert await last_routes(site) == {
        (TEAM, "crisis-response", "sender"),
        (LIAISON, "crisis-response", "sender"),
        ("midshire-ambulance", "responder-safety", "sender"),
    }


async def test_a_withdrawal_by_reference_is_the_same(site: IntakeSite) -> None:
    """Who does not keep our ids names the referral by their own reference."""
    referral_id = (await site.send(referral())).json()["referral_id"]
    response = await site.send(withdrawal(reference="MP-20261122-0412"))

    assert response.json()["referral_id"] == referral_id
    assert await last_routes(site) == {(TEAM, "crisis-response", "sender")}


async def test_a_withdrawal_at_another_intake_finds_the_addressees(site: IntakeSite) -> None:
    """An intake that did not take the referral reads its addressees from the disclosures."""
    site.index.later[ELSEWHERE] = {disclosed(TEAM)}
    response = await site.send(withdrawal(reference="MP-20261122-0413"))

    assert response.status_code == 202
    assert await last_routes(site) == {(TEAM, "crisis-response", "sender")}


async def test_a_withdrawal_of_nothing_known_is_refused(site: IntakeSite) -> None:
    """Without any addressee it would end in silence, so the sender must say whom to tell."""
    response = await site.send(withdrawal(reference="MP-never-sent"))

    assert response.status_code == 422
    assert response.json()["type"] == "/v1/problems/unknown-addressee"


async def test_an_update_goes_on_with_what_is_known_when_disclosures_are_away(
    site: IntakeSite,
) -> None:
    """A withdrawal is not refused for that, but it says that somebody may be missing."""
    site.index.is_away = True
    site.index.disclose(ELSEWHERE, disclosed(TEAM))
    response = await site.send(withdrawal(reference="MP-20261122-0413"))

    assert response.status_code == 202
    codes = {finding["code"] for finding in response.json()["findings"]}
    assert "addressees-not-confirmed" in codes


async def test_either_side_may_record_a_phone_hand_over(site: IntakeSite) -> None:
    """The sender's goes to everybody addressed, the recipient's to the sender."""
    handover = {
        **withdrawal(event_type="referral_phone_handover"),
        "body": {"phone_handover": {"from_role": "dispatcher", "to_role": "shift lead"}},
    }
    referral_id = (await site.send(referral())).json()["referral_id"]
    site.index.disclose(referral_id, disclosed(TEAM))
    await site.send(handover, POLICE, to=referral_id)
    of_sender = await last_routes(site)
    await site.send(handover, TEAM, to=referral_id)
    of_team = await last_routes(site)

    assert of_sender == {(TEAM, "crisis-response", "sender")}
    assert of_team == {(POLICE, FEEDBACK, "reply")}


async def test_two_parties_with_the_same_reference_have_two_referrals(site: IntakeSite) -> None:
    """A reference belongs to its party: nobody can write into another's referral."""
    mine = await site.send(referral())
    theirs = await site.send(referral(), "eastmoor-police")

    assert mine.json()["referral_id"] != theirs.json()["referral_id"]
    assert mine.json()["event_id"] != theirs.json()["event_id"]
