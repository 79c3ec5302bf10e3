"""Chooses the ports of the local Kafka, and remembers them for its next start."""

import json
import secrets
import socket
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from broker.domain.errors import ConfigurationError
from broker.runtime.local_kafka_properties import HOST, Listeners

# Below the range from which systems take ports for outgoing connections: such a port would be
# free now and taken a second later, when Kafka gets to open it.
_CHOICE: Final = range(20_000, 32_000)
_ATTEMPTS: Final = 200


def choose_ports(memory: Path, port: int | None, users: Sequence[str]) -> Listeners:
    """
    Choose ports that are free now.

    Args:
        memory: File of the last choice, whose ports are taken again as far as they are free: so
            clients find Kafka again after a restart.
        port: The port for clients that somebody asked for, or None.
        users: Who needs a port for named users; empty for none.

    Raises:
        ConfigurationError: The port that was asked for is taken.
    """
    if port is not None and not _is_free(port):
        raise ConfigurationError(f"port {port} is taken; choose another or leave it out")
    last = recall_ports(memory)
    taken: set[int] = set() if port is None else {port}
    listeners = Listeners(
        port=port or _free(last.port if last else None, taken),
        controller_port=_free(last.controller_port if last else None, taken),
        sasl_port=_free(last.sasl_port if last else None, taken) if users else None,
        users=tuple(users),
        password=(last.password if last else "") or secrets.token_urlsafe(18),
    )
    memory.touch(0o600)
    memory.write_text(json.dumps(asdict(listeners)), "utf-8")
    return listeners


def recall_ports(memory: Path) -> Listeners | None:
    """Read the last choice; None if there was none."""
    try:
        return Listeners(**json.loads(memory.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"not a list of ports; delete it @ {memory}") from error


def _free(preferred: int | None, taken: set[int]) -> int:
    for attempt in range(_ATTEMPTS):
        port = preferred if preferred and attempt == 0 else secrets.choice(_CHOICE)
        if port not in taken and _is_free(port):
            taken.add(port)
            return port
    raise ConfigurationError(f"no free port between {_CHOICE.start} and {_CHOICE.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
