"""Starts, recognises and ends the Java process of the local Kafka."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

MAIN_CLASS: Final = "kafka.Kafka"
_POLL_S: Final = 0.05


def spawn(command: list[str], output: Path) -> int:
    """
    Start a process in a session of its own, so that it outlives this one.

    Returns:
        Its process id; this process is its parent and must reap it (`is_running` does).
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)
    # The kernel shows the command line a moment after the process has begun.
    while not (_command_line(pid) or _has_ended(pid)):
        time.sleep(_POLL_S)
    return pid


def is_running(pid: int, properties: Path) -> bool:
    """
    Tell whether *pid* is the Kafka that was started with this properties file.

    A process id is given out again after a while; only the command line says whose it is.
    """
    _reap(pid)
    return _command_line(pid)[-2:] == [MAIN_CLASS, str(properties)]


def stop(pid: int, properties: Path, timeout_s: float) -> None:
    """End Kafka: politely first, by force after *timeout_s*."""
    for politeness in (signal.SIGTERM, signal.SIGKILL):
        if not is_running(pid, properties):
            return
        os.kill(pid, politeness)
        os.kill(pid, signal.SIGCONT)  # a suspended process would never see the SIGTERM
        _wait(pid, properties, timeout_s)


def _wait(pid: int, properties: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while is_running(pid, properties) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # started by another process, which is not our business to wait for


def _command_line(pid: int) -> list[str]:
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")[:-1]
        except OSError:
            return []
    shown = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    said = subprocess.run(shown, capture_output=True, text=True, check=False)  # noqa: S603
    return said.stdout.strip().rsplit(" ", 2)
