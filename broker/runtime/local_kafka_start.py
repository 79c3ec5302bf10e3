"""Brings the Java process of a local Kafka to the point where it serves, or says why it does not."""

import asyncio
import base64
import socket
import subprocess
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from broker.domain.errors import ConfigurationError
from broker.runtime import local_kafka_process as process
from broker.runtime.kafka_admin_client import is_serving
from broker.runtime.local_kafka_folder import KafkaFolder
from broker.runtime.local_kafka_jars import deploy_folder, find_java, resolve_jars
from broker.runtime.local_kafka_ports import choose_ports
from broker.runtime.local_kafka_properties import HOST, Listeners, server_properties

START_TIMEOUT_S: Final = 60.0
_ATTEMPT_S: Final = 6.0
_POLL_S: Final = 0.05

# Compiling less thoroughly starts half a second sooner and leaves more of a small machine to us.
_JVM: Final = (
    "-Xmx512m",
    "-XX:+UseG1GC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)


def start(folder: KafkaFolder, port: int | None, users: Sequence[str]) -> tuple[int, Listeners]:
    """
    Start the Java process; return its id and its ports.

    Raises:
        ConfigurationError: Something is missing on this machine, or the storage is not usable.
    """
    java, libs = find_java(), resolve_jars()
    ports = choose_ports(folder.ports, port, users)
    folder.settings.touch(0o600)
    folder.settings.write_text(server_properties(folder.data, ports), "ascii")
    _format_once(java, libs, folder)
    folder.log.unlink(missing_ok=True)  # an error must not show an earlier run
    command = _java(java, libs, folder, *_JVM)
    pid = process.spawn([*command, process.MAIN_CLASS, str(folder.settings)], folder.output)
    folder.pid.write_text(str(pid), "ascii")
    return pid, ports


def _format_once(java: str, libs: Path, folder: KafkaFolder) -> None:
    if folder.formatted.exists():
        return
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = _java(java, libs, folder, "-XX:TieredStopAtLevel=1")
    command += ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
    command += [f"--cluster-id={cluster_id}", f"--config={folder.settings}"]
    with folder.output.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=output, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigurationError(f"Kafka could not format its storage{folder.last_words()}")
    folder.formatted.touch()


def wait_until_serving(folder: KafkaFolder, pid: int, port: int) -> None:
    """
    Return when Kafka serves requests.

    Raises:
        ConfigurationError: It ended, or it does not serve after 60 s; shows its last words.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (_is_listening(port) and _is_serving(port)):
        if not process.is_running(pid, folder.settings):
            raise ConfigurationError(f"Kafka gave up{folder.last_words()}")
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"Kafka does not serve after {START_TIMEOUT_S:.0f} s{folder.last_words()}"
            )
        time.sleep(_POLL_S)


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _is_serving(port: int) -> bool:
    # A thread of its own, because asyncio.run would disturb the event loop of the calling one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, is_serving(f"{HOST}:{port}", _ATTEMPT_S)).result()


def _java(java: str, libs: Path, folder: KafkaFolder, *flags: str) -> list[str]:
    logging = deploy_folder() / "log4j2.properties"
    return [
        *(java, *flags, f"-Dkafka.logs.dir={folder.path}"),
        *(f"-Dlog4j2.configurationFile={logging}", "-cp", f"{libs}/*"),
    ]
