"""
Every process dies by SIGKILL at each of its durable steps, under load, and nothing is lost.

One installation for all of them: what one death left behind is there at the next.
"""

from itertools import count

import pytest

from tests.faults.accounts import settle
from tests.faults.installation import CRISIS, Installation
from tests.faults.load import cases, under_load
from tests.faults.process import DELIVER, INTAKE, RELEASE

pytestmark = [pytest.mark.kafka, pytest.mark.crash, pytest.mark.asyncio(loop_scope="module")]

RATE = 8
PASSES = {"took over, nothing read": 1, "took over, read back": 1, "first records sent": 4}
"""At which pass of a step it dies: the fifth, if not stated."""

SEEDS = count(100)
accepted: list[str] = []


def _trap(step: str) -> dict[str, object]:
    return {"step": step, "passes": PASSES.get(step, 5)}


@pytest.mark.parametrize("step", INTAKE)
async def test_intake_killed_keeps_its_word(standing: Installation, step: str):
    """Whatever has a receipt arrives once, wherever intake died; the rest the sender sends again."""
    await standing.running["intake"].kill()
    doomed = await standing.intake(trap=_trap(step))
    load = standing.load()

    async with under_load(load, cases(next(SEEDS)), RATE):
        died = await doomed.has_killed_itself()
        await standing.intake()
    accepted.extend(load.accepted)

    assert died
    assert load.refused == []
    await settle(standing, accepted)


@pytest.mark.parametrize("step", RELEASE)
async def test_release_killed_releases_once(standing: Installation, step: str):
    """View, disclosure and offset stay together, wherever release died, and none comes twice."""
    load = standing.load()

    async with under_load(load, cases(next(SEEDS)), RATE):
        # It joins the one that is there already, which takes its share over when it has died.
        doomed = await standing.release("doomed", trap=_trap(step), ready=False)
        died = await doomed.has_killed_itself()
    accepted.extend(load.accepted)

    assert died
    assert load.refused == []
    await settle(standing, accepted)


@pytest.mark.parametrize("step", DELIVER)
async def test_deliver_killed_delivers_under_one_id(standing: Installation, step: str):
    """Every view reaches the agency, wherever deliver died; what comes again has the same id."""
    load = standing.load()

    async with under_load(load, cases(next(SEEDS)), RATE):
        await standing.running[f"deliver-{CRISIS}"].kill()
        doomed = await standing.deliver(CRISIS, trap=_trap(step), ready=False)
        died = await doomed.has_killed_itself()
        await standing.deliver(CRISIS)
    accepted.extend(load.accepted)

    assert died
    assert load.refused == []
    await settle(standing, accepted)
