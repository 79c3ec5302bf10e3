"""A process is Kafka if its command line says so, and is ended whoever started it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.runtime import local_kafka
from broker.runtime.local_kafka_process import MAIN_CLASS, is_running, spawn, stop

SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[str]"]:
    """A process of somebody else's."""
    command = [sys.executable, "-c", SLEEPER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def _spawn(program: str, properties: Path) -> int:
    output = properties.with_suffix(".out")
    pid = spawn([sys.executable, "-c", program, MAIN_CLASS, str(properties)], output)
    while "ready" not in output.read_text("ascii"):
        os.sched_yield()
    return pid


def test_a_recycled_process_id_is_neither_found_nor_killed(
    stranger: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    """A pid file that names somebody else's process counts for nothing."""
    (tmp_path / "pid").write_text(str(stranger.pid), "ascii")
    (tmp_path / "ports.json").write_text('{"port": 1, "controller_port": 2}', "ascii")

    found = local_kafka.status(tmp_path)
    stopped = local_kafka.down(tmp_path)

    assert found is None
    assert not stopped
    assert stranger.poll() is None


def test_what_runs_with_other_settings_is_not_ours(tmp_path: Path) -> None:
    """Two data folders are two Kafkas, even when one's pid file names the other's process."""
    pid = _spawn(SLEEPER, tmp_path / "one.properties")

    stop(pid, tmp_path / "two.properties", 5.0)

    assert is_running(pid, tmp_path / "one.properties")
    assert not is_running(pid, tmp_path / "two.properties")
    stop(pid, tmp_path / "one.properties", 5.0)


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN])
def test_stop_ends_it_for_good(program: str, tmp_path: Path) -> None:
    """Afterwards there is no such process, not even one that has ended and was not reaped."""
    pid = _spawn(program, tmp_path / "server.properties")

    stop(pid, tmp_path / "server.properties", 0.2)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_spawned_process_has_a_session_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C at the terminal that started Kafka does not reach it."""
    pid = _spawn(SLEEPER, tmp_path / "server.properties")

    assert os.getsid(pid) == pid
    stop(pid, tmp_path / "server.properties", 5.0)


def test_a_folder_without_kafka_has_none(tmp_path: Path) -> None:
    """No folder, no pid, nonsense for a pid: all mean that none is running."""
    (tmp_path / "pid").write_text("nonsense", "ascii")

    assert local_kafka.status(tmp_path) is None
    assert local_kafka.status(tmp_path / "missing") is None
    assert not local_kafka.down(tmp_path / "missing")
