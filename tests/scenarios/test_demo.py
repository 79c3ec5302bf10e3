"""The demo as a command: where there is no Kafka, when somebody has seen enough, and in a pipe."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.conftest import PATIENCE_S, Run, clean_environment

DEMO = (sys.executable, "-m", "broker.commands.main", "demo")


@pytest.fixture
def no_java(tmp_path: Path) -> dict[str, str]:
    """Return variables of a machine on which nothing can be found."""
    return {"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)}


def test_without_java_it_goes_on_in_memory_and_says_why(
    play: Callable[..., Run], no_java: dict[str, str]
) -> None:
    """Whoever has no Java sees the whole line all the same, and knows what it is not."""
    run = play("--only", "4", **no_java)

    assert (run.code, run.summary["log"]) == (0, "memory"), run.told
    assert run.referral(4)["not_played_here"] == {}
    assert "There is no Kafka on this machine" in run.told
    assert "java is missing" in run.told


def test_whoever_insists_on_kafka_gets_kafka_or_nothing(
    play: Callable[..., Run], no_java: dict[str, str]
) -> None:
    """A falling back in silence would make every proof worthless."""
    run = play("--kafka", **no_java)

    assert (run.code, run.summary) == (2, {})
    assert "java is missing" in run.told


def test_interrupting_it_stops_everything_that_it_started(tmp_path: Path) -> None:
    """Ctrl-C while it stays up: no process is left, and it ends well."""
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [*DEMO, "--memory", "--only", "3", "--show", "3", "--keep", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    try:
        assert demo.stdout is not None
        told = ""
        for line in demo.stdout:
            told += line
            if "keys, logs and settings" in line:
                break
        started = processes_of(folder)
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=PATIENCE_S)
    finally:
        demo.kill()
        demo.wait()

    assert (demo.returncode, len(started)) == (0, 3), told + rest
    assert "everything is stopped" in rest
    assert processes_of(folder) == []


def test_in_a_pipe_there_is_no_colour_and_nothing_is_rewritten(tmp_path: Path) -> None:
    """What is written to a file can be read with any tool."""
    done = subprocess.run(
        [*DEMO, "--memory", "--once", "--only", "6", "--keep", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env=clean_environment(),
    )

    assert done.returncode == 0, done.stdout
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 120
    for words in (
        "— withheld: third parties",
        "age band 25-34 (reduced)",
        "got back",
        "chain verified",
    ):
        assert words in re.sub(r"[\s│]+", " ", done.stdout)


def test_a_scenario_that_is_not_there_is_a_usage_error() -> None:
    """A run of nothing must never say that all is well."""
    done = subprocess.run(
        [*DEMO, "--once", "--memory", "--json", "--only", "99"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "there are 1 to 10" in done.stderr


def test_json_needs_an_end() -> None:
    """One document can only be printed by a run that ends."""
    done = subprocess.run([*DEMO, "--json"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that work in *folder*."""
    listed = subprocess.run(
        ["ps", "-eo", "args", "-ww"], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in listed.splitlines() if str(folder) in line and "--keep" not in line]
