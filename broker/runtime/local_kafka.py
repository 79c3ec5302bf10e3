"""
One real Apache Kafka on this machine: start it, find it, stop it.

Everything it keeps is in one data folder, and the folder is how it is named: two folders are two
Kafkas. It listens on 127.0.0.1 only and outlives the command that started it. The functions block;
inside an event loop call them by `asyncio.to_thread`.
"""

import asyncio
import base64
import socket
import subprocess
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.domain.errors import ConfigurationError
from broker.runtime import local_kafka_process as process
from broker.runtime.file_lock import exclusively
from broker.runtime.kafka_admin import is_serving
from broker.runtime.local_kafka_jars import deploy_folder, find_java, resolve_jars
from broker.runtime.local_kafka_ports import choose_ports, recall_ports
from broker.runtime.local_kafka_properties import HOST, Listeners, server_properties

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 15.0
USERS: Final = ("admin", "intake", "release", "watch")
_ATTEMPT_S: Final = 2.0
_POLL_S: Final = 0.05
_TAIL_LINES: Final = 12

# Compiling less thoroughly starts half a second sooner and leaves more of a small machine to us.
_JVM: Final = (
    "-Xmx512m",
    "-XX:+UseG1GC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalKafka:
    """
    A running Kafka.

    Attributes:
        bootstrap: ``host:port`` for clients without a name, who may do everything.
        pid: Of the Java process.
        port: The port in *bootstrap*.
        data_dir: Its data, settings, log and lock.
        sasl_bootstrap: ``host:port`` for the users (SASL_PLAINTEXT, PLAIN), who may do what the
            ACLs say; None without an authorizer.
        sasl_password: The password of every user; empty without an authorizer.
    """

    bootstrap: str
    pid: int
    port: int
    data_dir: Path
    sasl_bootstrap: str | None = None
    sasl_password: str = field(default="", repr=False)


def up(
    data_dir: Path,
    port: int | None = None,
    *,
    authorizer: bool = False,
    users: Sequence[str] = USERS,
) -> LocalKafka:
    """
    Start the Kafka of *data_dir*, or find it running, and wait until it really serves.

    Args:
        data_dir: Made when it is not there yet; data of an earlier run is kept.
        port: None takes the port of the last run if it is free, else any free one.
        authorizer: Also open a second port where *users* may do what the ACLs say, `admin` all.
        users: Names that may connect to the second port.

    Raises:
        ConfigurationError: Something is missing on this machine, the port is taken, or Kafka gave
            up; shows the last lines that it wrote.
    """
    folder = data_dir.resolve()
    with exclusively(folder / "lock"):
        running = status(folder)
        if running is None:
            running = _start(folder, port, users if authorizer else ())
        elif port not in (None, running.port) or (authorizer and not running.sasl_bootstrap):
            raise ConfigurationError(f"Kafka runs already, but with other settings @ {folder}")
        try:
            _wait_until_serving(running)
        except ConfigurationError:
            process.stop(running.pid, _settings(folder), STOP_TIMEOUT_S)
            raise
        return running


def down(data_dir: Path) -> bool:
    """Stop the Kafka of *data_dir*, by force after 15 s; False if none was running."""
    folder = data_dir.resolve()
    if not folder.is_dir():
        return False
    with exclusively(folder / "lock"):
        running = status(folder)
        if running is not None:
            process.stop(running.pid, _settings(folder), STOP_TIMEOUT_S)
        return running is not None


def status(data_dir: Path) -> LocalKafka | None:
    """Return the running Kafka of *data_dir*, serving or still starting; None if there is none."""
    folder = data_dir.resolve()
    ports = recall_ports(folder / "ports.json")
    try:
        pid = int((folder / "pid").read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    if ports is None or not process.is_running(pid, _settings(folder)):
        return None
    return _describe(folder, pid, ports)


def _describe(folder: Path, pid: int, ports: Listeners) -> LocalKafka:
    named = ports.sasl_port is not None
    return LocalKafka(
        bootstrap=f"{HOST}:{ports.port}",
        pid=pid,
        port=ports.port,
        data_dir=folder,
        sasl_bootstrap=f"{HOST}:{ports.sasl_port}" if named else None,
        sasl_password=ports.password if named else "",
    )


def _start(folder: Path, port: int | None, users: Sequence[str]) -> LocalKafka:
    java, libs = find_java(), resolve_jars()
    ports = choose_ports(folder / "ports.json", port, users)
    _settings(folder).touch(0o600)
    _settings(folder).write_text(server_properties(folder, ports), "ascii")
    _format_once(java, libs, folder)
    (folder / "server.log").unlink(missing_ok=True)  # an error must not show an earlier run
    command = _java(java, libs, folder, *_JVM)
    pid = process.spawn([*command, process.MAIN_CLASS, str(_settings(folder))], _output(folder))
    (folder / "pid").write_text(str(pid), "ascii")
    return _describe(folder, pid, ports)


def _format_once(java: str, libs: Path, folder: Path) -> None:
    if (folder / "formatted").exists():
        return
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = _java(java, libs, folder, "-XX:TieredStopAtLevel=1")
    command += ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
    command += [f"--cluster-id={cluster_id}", f"--config={_settings(folder)}"]
    with _output(folder).open("w") as output:
        done = subprocess.run(  # noqa: S603
            command, stdout=output, stderr=output, check=False, timeout=START_TIMEOUT_S
        )
    if done.returncode:
        raise ConfigurationError(f"Kafka could not format its storage{_last_words(folder)}")
    (folder / "formatted").touch()


def _wait_until_serving(kafka: LocalKafka) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (_is_listening(kafka) and _is_serving(kafka)):
        if not process.is_running(kafka.pid, _settings(kafka.data_dir)):
            raise ConfigurationError(f"Kafka gave up{_last_words(kafka.data_dir)}")
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"Kafka does not serve after {START_TIMEOUT_S:.0f} s{_last_words(kafka.data_dir)}"
            )
        time.sleep(_POLL_S)


def _is_listening(kafka: LocalKafka) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, kafka.port)) == 0


def _is_serving(kafka: LocalKafka) -> bool:
    # A thread of its own, because asyncio.run would disturb the event loop of the calling one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, is_serving(kafka.bootstrap, _ATTEMPT_S)).result()


def _last_words(folder: Path) -> str:
    """Quote what Kafka wrote last, without stack frames."""
    lines: list[str] = []
    for path in (_output(folder), folder / "server.log"):
        if path.exists():
            lines += path.read_text("utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.strip() and not line.startswith(("\tat", "\t..."))]
    return "; its last words:\n" + "\n".join(f"  {line}" for line in said[-_TAIL_LINES:])


def _java(java: str, libs: Path, folder: Path, *flags: str) -> list[str]:
    logging = deploy_folder() / "log4j2.properties"
    return [
        *(java, *flags, f"-Dkafka.logs.dir={folder}"),
        *(f"-Dlog4j2.configurationFile={logging}", "-cp", f"{libs}/*"),
    ]


def _settings(folder: Path) -> Path:
    return folder / "server.properties"


def _output(folder: Path) -> Path:
    return folder / "output.log"
