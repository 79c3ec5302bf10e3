"""People and deliver: what waits is listed, decisions are taken, nothing else is believed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.commands.deliver import app
from broker.processes.deliver_people import REOPEN, RESOLVE, decide, deliver_folder, waiting
from tests.support.deliver import CRISIS, NOW, PURPOSE, Bench, bench, example

BRIDGE = "referral_made.unknown_man_on_bridge"


async def park(made: Bench) -> str:
    """Put a view into the inbox that can never be delivered; return its request id."""
    await made.take(await made.maker.view(example(BRIDGE, environment="live")))
    await made.step()
    await made.step()
    (parked,) = await made.inbox.pages.all()
    return parked.request_id


async def test_what_waits_is_listed_without_a_word_about_anybody(tmp_path: Path) -> None:
    """Ids, codes and times: enough to phone, nothing to leak (P9)."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        request_id = await park(made)
        folder = deliver_folder(made.settings, CRISIS)

        await made.deliver.people.step()

    found = waiting(folder)
    (view,) = found["views"]
    assert found["as_of"] == NOW.isoformat()
    assert (view["request_id"], view["reason"]) == (request_id, "environment")
    assert set(view) == {
        "request_id",
        "referral_id",
        "purpose",
        "event_type",
        "rank",
        "reason",
        "accepted_at",
    }


async def test_a_person_resolves_a_parked_view(tmp_path: Path) -> None:
    """After that it is not tried again and not listed; the decision stays as a file."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        folder = deliver_folder(made.settings, CRISIS)
        decide(folder, RESOLVE, await park(made), "duty manager")

        await made.deliver.people.step()

        standing = await made.inbox.standing()

    assert (standing.waiting, waiting(folder)["views"]) == (0, [])
    (done,) = (folder / "decisions").glob("*.done")
    assert json.loads(done.read_text())["role"] == "duty manager"


async def test_a_person_reopens_a_lane(tmp_path: Path) -> None:
    """Only a lane that is closed, and only with a role."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        folder = deliver_folder(made.settings, CRISIS)
        await made.inbox.lanes.close(PURPOSE, "over-shared", NOW)
        decide(folder, REOPEN, PURPOSE, "")
        await made.deliver.people.step()
        assert await made.inbox.lanes.all() == {PURPOSE: "over-shared"}

        decide(folder, REOPEN, PURPOSE, "privacy officer")
        await made.deliver.people.step()

        assert await made.inbox.lanes.all() == {}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"action": "resolve", "subject": "nothing", "role": "x"}']
)
async def test_a_file_that_is_no_decision_changes_nothing(tmp_path: Path, content: str) -> None:
    """It is set aside, and the next look does not stumble over it again."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        await park(made)
        folder = deliver_folder(made.settings, CRISIS)
        decide(folder, RESOLVE, "", "x")
        (file,) = (folder / "decisions").glob("*.json")
        file.write_text(content)

        await made.deliver.people.step()

        standing = await made.inbox.standing()

    assert standing.parked == 1
    assert [path.suffix for path in (folder / "decisions").iterdir()] == [".refused"]


def test_the_command_lists_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1 tells a script that somebody is needed."""
    monkeypatch.setenv("CRISIS_STATE_DIR", str(tmp_path))
    runner = CliRunner()
    assert runner.invoke(app, ["waiting", CRISIS]).exit_code == 0
    folder = tmp_path / "deliver" / CRISIS
    folder.mkdir(parents=True)
    (folder / "waiting.json").write_text(
        json.dumps({"as_of": "now", "views": [], "closed_lanes": {PURPOSE: "over-shared"}})
    )

    result = runner.invoke(app, ["waiting", CRISIS])

    assert result.exit_code == 1
    assert "lane crisis-response is closed: over-shared" in result.stdout


def test_the_command_leaves_a_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running process finds it in its folder."""
    monkeypatch.setenv("CRISIS_STATE_DIR", str(tmp_path))

    result = CliRunner().invoke(app, ["resolve", CRISIS, "3f1c", "--role", "duty manager"])

    (file,) = (tmp_path / "deliver" / CRISIS / "decisions").glob("*.json")
    assert result.exit_code == 0
    assert json.loads(file.read_text()) == {
        "action": "resolve",
        "subject": "3f1c",
        "role": "duty manager",
    }
