"""Starts, recognises and ends the Java process of the local Kafka."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

MAIN_CLASS: Final = "kafka.Kafka"
_POLL_S: Final = 0.05
_PROC: Final = Path("/proc")


def spawn(command: list[str], output: Path) -> int:
    """
    Start a process in a session of its own, so that it outlives this one.

    Returns:
        Its process id; this process is its parent and must reap it (`is_running` and `stop` do).
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
    return not _has_ended(pid) and _command_line(pid)[-2:] == [MAIN_CLASS, str(properties)]


def stop(pid: int, properties: Path, timeout_s: float) -> None:
    """End Kafka: politely first, by force after *timeout_s*."""
    for politeness in (signal.SIGTERM, signal.SIGKILL):
        if not is_running(pid, properties):
            return
        os.kill(pid, politeness)
        os.kill(pid, signal.SIGCONT)  # a suspended process would never see the SIGTERM
        _wait(pid, timeout_s)


def _wait(pid: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _has_ended(pid) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return _has_ended_elsewhere(pid)


def _has_ended_elsewhere(pid: int) -> bool:
    """Tell it of a process that another one has started, and perhaps not reaped."""
    if not _PROC.exists():
        return not _command_line(pid)
    try:
        state = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2]
    except OSError:
        return True
    return state.split()[0] in "ZX"


def _command_line(pid: int) -> list[str]:
    if _PROC.exists():
        try:
            return (_PROC / str(pid) / "cmdline").read_text("utf-8", "replace").split("\0")[:-1]
        except OSError:
            return []
    shown = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    said = subprocess.run(shown, capture_output=True, text=True, check=False)  # noqa: S603
    return said.stdout.strip().rsplit(" ", 2)
