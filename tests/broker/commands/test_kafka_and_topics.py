"""`crisis-broker kafka` and `crisis-broker topics`, as somebody at a terminal meets them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.commands import kafka, topics
from broker.domain.errors import ConfigurationError
from broker.runtime import local_kafka

LANE = ["--lane", "north:crisis-response"]


@pytest.fixture(autouse=True)
def _installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation with nothing in it, whatever this machine has set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("CRISIS_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """A cluster that somebody else runs."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example.org:9092")
    monkeypatch.setattr(local_kafka, "up", pytest.fail)
    monkeypatch.setattr(local_kafka, "down", pytest.fail)
    return "kafka.example.org:9092"


def test_a_cluster_elsewhere_is_used_and_nothing_is_started(elsewhere: str) -> None:
    """`kafka up` prints the address on its own line, so that a script can take it."""
    result = CliRunner().invoke(kafka.app, ["up", "--no-provision"])

    assert result.exit_code == 0
    assert result.stdout == f"{elsewhere}\n"
    assert "nothing was started" in result.stderr


def test_a_cluster_elsewhere_is_never_stopped(elsewhere: str) -> None:
    """`kafka down` leaves alone what `kafka up` did not start."""
    result = CliRunner().invoke(kafka.app, ["down"])

    assert result.exit_code == 0
    assert "nothing was stopped" in result.stderr


def test_status_and_down_say_that_none_is_running() -> None:
    """No Kafka is a failure to `status`, which names the remedy, and fine to `down`."""
    status = CliRunner().invoke(kafka.app, ["status"])
    down = CliRunner().invoke(kafka.app, ["down"])

    assert status.exit_code == 1
    assert "crisis-broker kafka up" in status.stderr
    assert down.exit_code == 0
    assert "no Kafka was running" in down.stderr


def test_a_lane_without_purpose_is_refused(elsewhere: str) -> None:
    """The error names the option and its rule, before anything is asked of the cluster."""
    result = CliRunner().invoke(topics.app, ["plan", "--lane", "north"])

    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception) == "a lane is RECIPIENT:PURPOSE @ --lane"


@pytest.mark.kafka
def test_topics_are_planned_made_and_then_fine(
    kafka_bootstrap: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `plan` shows is what `apply` does; afterwards there is nothing to change."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("CRISIS_NAMESPACE", namespace)
    monkeypatch.setenv("CRISIS_PARTITIONS", "2")

    planned = CliRunner().invoke(topics.app, ["plan", *LANE])
    applied = CliRunner().invoke(topics.app, ["apply", *LANE])
    again = CliRunner().invoke(topics.app, ["plan", *LANE])
    monkeypatch.setenv("CRISIS_PARTITIONS", "3")
    grown = CliRunner().invoke(topics.app, ["plan", *LANE])

    assert len(planned.stdout.splitlines()) == 5
    assert applied.stdout == planned.stdout
    assert again.stdout == "nothing to change\n"
    assert grown.exit_code == 1
    assert f"mismatch {namespace}.events: partitions 2, planned 3" in grown.stdout
