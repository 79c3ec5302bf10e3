"""What is held can be looked at: what waits is listed, what was released is not, no content shows."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from broker.commands import held as command
from broker.domain.errors import ConfigurationError
from broker.processes import held as process
from broker.processes.held import HeldRoute, held_routes
from broker.processes.provisioning import topic_plan
from broker.runtime import topics
from broker.runtime.memory import MemoryLog
from tests.support import site as support
from tests.support.site import bench, example, route

SUITE = route("northvale-136-suite", "place-of-safety-handover")
MISSING = topics.release_topic("t", *SUITE.values())


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A state folder whose registry is filled once for all tests of this module."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
async def here(state):
    """A site that lacks the release topic of one route."""
    settings = support.test_settings(state, "t")
    async with bench(settings, MemoryLog({})) as found:
        plan = topic_plan(found.settings, found.book)
        found.log = MemoryLog({spec.name: 1 for spec in plan if spec.name != MISSING})
        found.site = replace(found.site, log=found.log)
        yield found


async def refer(here) -> None:
    """Refer to two parties, one of whom cannot get it."""
    await here.put(
        here.event(example("referral_made.detained_at_seventeen", routes=[route(), SUITE]))
    )
    await here.work(until=1)


async def test_what_waits_is_listed_with_its_reason_and_nothing_of_its_content(here):
    """Place, reason and type are enough to act on, and all there is."""
    await refer(here)

    [found] = await held_routes(here.settings, here.log)

    assert (found.recipient, found.purpose) == tuple(SUITE.values())
    assert (found.reason, found.event_type) == ("unwritable", "referral_made")
    assert found.since == support.NOW
    assert len(found.referral_id) == 32
    assert "release topic" in found.waits_for


async def test_what_was_released_later_is_not_listed(here):
    """A resolved pair leaves the list, although its record is still in the topic."""
    await refer(here)
    here.log.add_topic(MISSING, 1)
    here.site = replace(here.site, clock=lambda: support.NOW.replace(hour=23))
    worker = here.worker()
    await worker._take_over("assigned")
    await worker._retry_held()
    await worker._let_go()

    assert [each["kind"] for each in await here.held()] == ["held", "resolved"]
    assert await held_routes(here.settings, here.log) == []


async def test_a_decision_that_only_a_person_can_take_is_named_as_such(here):
    """Nobody waits for a machine to release what a person must decide."""
    council = route("midshire-council", "safeguarding-adult")
    await here.put(
        here.event(example("referral_made.unknown_man_on_bridge", routes=[route(), council]))
    )
    await here.work(until=1)

    [found] = await held_routes(here.settings, here.log)

    assert (found.recipient, found.reason) == ("midshire-council", "needs-person")
    assert found.waits_for == "a named person's decision"


async def test_a_missing_topic_is_not_an_empty_list(here):
    """Nothing to read is not the same as nothing held."""
    with pytest.raises(ConfigurationError, match="topics plan"):
        await held_routes(here.settings, MemoryLog({}))


def test_the_command_shows_a_table_and_fails_while_anything_waits(monkeypatch) -> None:
    """A script that watches the list needs no more than the exit code."""
    waiting = HeldRoute(
        since=support.NOW,
        recipient="midshire-council",
        purpose="safeguarding-adult",
        reason="needs-person",
        referral_id="3f1c0e5a9d0b4c7e8f2a6b1d4c9e0a77",
        event_type="referral_made",
    )
    found = [waiting]

    async def answer(_settings: object) -> list[HeldRoute]:
        return found

    monkeypatch.setattr(process, "held_routes", answer)
    monkeypatch.setenv("COLUMNS", "160")

    result = CliRunner().invoke(command.app, ["list"])
    assert result.exit_code == 1
    assert "needs-person: waits for a named person's decision" in result.output
    for text in ("midshire-council", "safeguarding-adult", waiting.referral_id, "referral_made"):
        assert text in result.output

    found.clear()
    result = CliRunner().invoke(command.app, ["list"])
    assert (result.exit_code, result.output) == (0, "nothing is held\n")
