"""`crisis-broker intake again`: for whoever stands before a Kafka that has lost its last moments."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.commands.intake import app
from broker.domain.errors import ConfigurationError
from broker.runtime.outbox import Entry, Outbox, outbox_file

EARLIER = datetime.now(UTC) - timedelta(hours=3)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder whose outbox has handed one event over three hours ago."""
    monkeypatch.setenv("CRISIS_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("CRISIS_CONFIG", raising=False)
    asyncio.run(fill(tmp_path))
    return tmp_path


async def fill(state_dir: Path) -> None:
    """Accept one event, and hand it over."""
    outbox = Outbox(outbox_file(state_dir))
    entry = Entry(
        event_id="1" * 32,
        event_type="referral_made",
        referral_id="2" * 32,
        party="midshire-police",
        digest=b"d" * 32,
        topic="crisis.events",
        partition=0,
        priority=0,
        key=b"key",
        value=b"value",
        accepted_at=EARLIER,
    )
    await outbox.accept([entry])
    await outbox.hand_over(entry.event_id, EARLIER)
    await outbox.aclose()


async def waiting(state_dir: Path) -> int:
    """Return how many events wait for Kafka."""
    outbox = Outbox(outbox_file(state_dir))
    try:
        return len(await outbox.waiting())
    finally:
        await outbox.aclose()


def test_what_was_handed_over_since_waits_again(state: Path) -> None:
    """The next intake that starts here hands it over once more."""
    since = EARLIER - timedelta(minutes=1)

    result = CliRunner().invoke(app, ["again", "--since", since.isoformat()])

    assert (result.exit_code, result.output) == (
        0,
        "1 events will be handed over again once intake runs\n",
    )
    assert asyncio.run(waiting(state)) == 1


def test_a_time_without_an_offset_is_never_later_than_its_writer_meant(state: Path) -> None:
    """Written as UTC or as London time, in winter or summer: what follows it is handed over."""
    written = f"{EARLIER - timedelta(minutes=1):%Y-%m-%dT%H:%M}"

    assert CliRunner().invoke(app, ["again", "--since", written]).exit_code == 0
    assert asyncio.run(waiting(state)) == 1


def test_while_intake_runs_it_says_so_and_changes_nothing(state: Path) -> None:
    """Two writers of one outbox would each believe to know what Kafka has."""
    running = Outbox(outbox_file(state))
    try:
        result = CliRunner().invoke(app, ["again", "--since", EARLIER.isoformat()])
    finally:
        asyncio.run(running.aclose())

    assert isinstance(result.exception, ConfigurationError)
    assert "stop intake first" in str(result.exception)
    assert asyncio.run(waiting(state)) == 0


def test_where_no_intake_has_run_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong folder must not look like an outbox in which nothing is missing."""
    monkeypatch.setenv("CRISIS_STATE_DIR", str(tmp_path))

    result = CliRunner().invoke(app, ["again", "--since", EARLIER.isoformat()])

    assert isinstance(result.exception, ConfigurationError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("since", ["yesterday", "2999-01-01T00:00"])
def test_a_time_that_cannot_be_is_a_usage_error(state: Path, since: str) -> None:
    """Neither a guess nor the future is taken for a time."""
    assert CliRunner().invoke(app, ["again", "--since", since]).exit_code == 2
    assert asyncio.run(waiting(state)) == 0
