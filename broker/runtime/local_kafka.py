"""
One real Apache Kafka on this machine: start it, find it, stop it.

Everything it keeps is in one data folder, and the folder is how it is named: two folders are two
Kafkas. It listens on 127.0.0.1 only and outlives the command that started it. The functions block;
inside an event loop call them by `asyncio.to_thread`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.domain.errors import ConfigurationError
from broker.runtime import local_kafka_process as process
from broker.runtime.file_lock import exclusively
from broker.runtime.local_kafka_folder import KafkaFolder
from broker.runtime.local_kafka_ports import recall_ports
from broker.runtime.local_kafka_properties import HOST, Listeners
from broker.runtime.local_kafka_start import start, wait_until_serving

STOP_TIMEOUT_S: Final = 15.0
USERS: Final = ("admin", "intake", "release", "watch")


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
    folder = KafkaFolder(data_dir.resolve())
    with exclusively(folder.lock):
        kafka = _running(folder)
        if kafka is None:
            return _start(folder, port, users if authorizer else ())
        if port not in (None, kafka.port) or (authorizer and not kafka.sasl_bootstrap):
            raise ConfigurationError(f"Kafka runs already, but with other settings @ {folder.path}")
        wait_until_serving(folder, kafka.pid, kafka.port)
        return kafka


def down(data_dir: Path) -> bool:
    """Stop the Kafka of *data_dir*, by force after 15 s; False if none was running."""
    folder = KafkaFolder(data_dir.resolve())
    if not folder.path.is_dir():
        return False
    with exclusively(folder.lock):
        kafka = _running(folder)
        if kafka is not None:
            process.stop(kafka.pid, folder.settings, STOP_TIMEOUT_S)
        return kafka is not None


def status(data_dir: Path) -> LocalKafka | None:
    """Return the running Kafka of *data_dir*, serving or still starting; None if there is none."""
    return _running(KafkaFolder(data_dir.resolve()))


def _start(folder: KafkaFolder, port: int | None, users: Sequence[str]) -> LocalKafka:
    pid, ports = start(folder, port, users)
    try:
        wait_until_serving(folder, pid, ports.port)
    except BaseException:
        # Nobody would know of it: a start that was broken off leaves nothing behind.
        process.stop(pid, folder.settings, STOP_TIMEOUT_S)
        raise
    return _describe(folder, pid, ports)


def _running(folder: KafkaFolder) -> LocalKafka | None:
    ports = recall_ports(folder.ports)
    try:
        pid = int(folder.pid.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    if ports is None or not process.is_running(pid, folder.settings):
        return None
    return _describe(folder, pid, ports)


def _describe(folder: KafkaFolder, pid: int, ports: Listeners) -> LocalKafka:
    named = ports.sasl_port is not None
    return LocalKafka(
        bootstrap=f"{HOST}:{ports.port}",
        pid=pid,
        port=ports.port,
        data_dir=folder.path,
        sasl_bootstrap=f"{HOST}:{ports.sasl_port}" if named else None,
        sasl_password=ports.password if named else "",
    )
