"""Which processes one machine runs, and on which ops ports."""

import socket
from itertools import count
from typing import Final

from broker.runtime.parties import load_parties
from broker.runtime.settings import Settings
from broker.runtime.supervisor import Child

EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
"""Hosts to listen on that are no host to call."""


def children(settings: Settings, ops_base: int) -> list[Child]:
    """Return intake, release and one deliver per recipient; *ops_base* 0 picks free ports."""
    names: list[tuple[str, tuple[str, ...]]] = [
        ("intake", ("run", "intake")),
        ("release", ("run", "release")),
    ]
    names += [
        (f"deliver {recipient}", ("run", "deliver", "--recipient", recipient))
        for recipient in load_parties(settings.parties_file).recipients()
    ]
    ports = count(ops_base) if ops_base else iter(_free_ports(len(names)))
    everywhere = settings.ops_host in EVERYWHERE
    return [
        Child(
            name=name,
            arguments=arguments,
            ops_port=port,
            ops_host="localhost" if everywhere else settings.ops_host,
            is_secured=settings.ops_tls is not None,
        )
        for (name, arguments), port in zip(names, ports, strict=False)
    ]


def _free_ports(number: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()
