"""A sender sees beforehand what each addressee will see."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.processes.intake_models import PreviewModel
from tests.broker.processes.intake_site import IntakeSite, intake_site, referral

ROUTES = [
    {"recipient": "northvale-crisis", "purpose": "crisis-response"},
    {"recipient": "midshire-ambulance", "purpose": "responder-safety"},
    {"recipient": "midshire-council", "purpose": "safeguarding-adult"},
    {"recipient": "northvale-crisis", "purpose": "missing-or-awol"},
]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[IntakeSite]:
    """One open intake."""
    async with intake_site(tmp_path) as site:
        yield site


async def preview(site: IntakeSite, document: dict[str, Any]) -> httpx.Response:
    """Ask for a preview."""
    return await site.client.post(
        "/v1/preview", json=document, headers=site.headers("midshire-police")
    )


async def test_a_preview_shows_each_addressee_its_own_view(site: IntakeSite) -> None:
    """What is granted is shown, what is not does not stand there, and nothing is stored."""
    body = referral()["body"]
    body["informant"] = {"name": {"family": "Canaryperson"}, "wants_anonymity": "yes"}
    response = await preview(site, referral(routes=ROUTES, body=body))

    assert response.status_code == 200
    PreviewModel.model_validate(response.json())
    team, ambulance, council, missing = response.json()["routes"]
    assert team["outcome"] == "released"
    assert team["body"]["subject"]["identity"]["names"][0]["family"] == "Testperson"
    assert team["body"]["handover_summary"]
    assert "handover_summary" not in ambulance["body"]
    assert "informant" in {entry["group"] for entry in team["withheld"]}
    assert (council["outcome"], council["reason"]) == ("held", "needs-person")
    assert (missing["outcome"], missing["reason"]) == ("held", "no-agreement")
    assert "Canaryperson" not in response.text
    assert await site.stored() == []


async def test_a_preview_says_who_gets_nothing_of_an_update(site: IntakeSite) -> None:
    """As in release: an update of which an addressee may see nothing is not sent to it."""
    await site.send(referral())
    update = referral(
        event_type="referral_updated",
        sequence=2,
        routes=ROUTES[:2],
        body={"handover_summary": "She has left the bridge."},
    )
    response = await preview(site, update)

    PreviewModel.model_validate(response.json())
    team, ambulance = response.json()["routes"]
    assert (team["outcome"], team["body"]["handover_summary"]) == (
        "released",
        "She has left the bridge.",
    )
    assert (ambulance["outcome"], ambulance["reason"]) == ("unchanged", "nothing-granted-changed")
    assert "body" not in ambulance


async def test_a_preview_refuses_what_sending_would_refuse(site: IntakeSite) -> None:
    """A preview of a wrong message names the same places as sending it."""
    wrong = referral(environment="live")
    previewed, sent = await preview(site, wrong), await site.send(wrong)

    assert previewed.status_code == sent.status_code == 422
    assert previewed.json() == sent.json()
