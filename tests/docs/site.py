"""A newcomer's working folder and shell, in which what the documents say is really typed."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread

from tests.docs.command_lines import ROOT

VENV = Path(sys.executable).parent.parent
PATIENCE_S = 120
"""Beyond this something hangs; no speed is judged by it."""

HEAVY = re.compile(r"Traceback|Exception Group")


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


class Site:
    """
    A folder like a fresh clone, with a shell in it.

    Args:
        folder: Empty.
        bootstrap: The Kafka to use; empty for none.
        namespace: Topics of this site alone.
    """

    def __init__(self, folder: Path, bootstrap: str = "", namespace: str = "crisis") -> None:
        self.folder = folder
        self.port = _free_port()
        (folder / ".venv").symlink_to(VENV, target_is_directory=True)
        for name in ("schemas", "deploy"):
            (folder / name).symlink_to(ROOT / name, target_is_directory=True)
        self.environment = {
            "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "COLUMNS": "80",
            "CRISIS_NAMESPACE": namespace,
            "CRISIS_PARTITIONS": "1",
            "CRISIS_INTAKE__PORT": str(self.port),
        }
        if bootstrap:
            self.environment["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap

    def type(self, line: str) -> Said:
        """Run one command line to its end."""
        done = subprocess.run(
            ["bash", "-c", self._here(line)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert not HEAVY.search(done.stdout + done.stderr)
        return Said(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, line: str, *awaited: str) -> Iterator[None]:
        """Keep a command running once it has said all that is awaited; then Ctrl-C, and exit 0."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self._here(line)}"],
            cwd=self.folder,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        heard = Heard(process)
        try:
            heard.wait_for(awaited)
            yield
            process.send_signal(signal.SIGINT)
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()
            heard.close()
        assert not HEAVY.search(heard.text)
        assert code == 0, heard.text

    def _here(self, line: str) -> str:
        return line.replace("127.0.0.1:8443", f"127.0.0.1:{self.port}")


class Heard:
    """What a process says, read on without end: it would stand still before a full pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self.text = ""
        self._pipe = process.stdout
        self._has_ended = False
        self._changed = Condition()
        self._thread = Thread(target=self._read)
        self._thread.start()

    def wait_for(self, awaited: tuple[str, ...]) -> None:
        """Return once all of it was said."""

        def is_decided() -> bool:
            return self._has_ended or all(text in self.text for text in awaited)

        with self._changed:
            assert self._changed.wait_for(is_decided, PATIENCE_S), f"only said: {self.text}"
            assert not self._has_ended, f"ended with: {self.text}"

    def close(self) -> None:
        """Read to the end."""
        self._thread.join()
        self._pipe.close()

    def _read(self) -> None:
        for line in self._pipe:
            with self._changed:
                self.text += line.decode()
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port
