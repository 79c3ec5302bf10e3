"""
How every client of ours connects to Kafka, what it may log, and how it is made to let go.

aiokafka closes politely: it flushes, waits for answers and looks for coordinators, and with the
broker away it does so for ever. `cut` ends a client of any state within `CUT_S`.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.client import AIOKafkaClient

from broker.domain.errors import TransportError
from broker.runtime.deadlines import within
from broker.runtime.kafka_errors import FOREIGN

REQUEST_TIMEOUT_MS = 5_000
"""One request to one broker; after that aiokafka drops the connection and tries again."""

RETRY_BACKOFF_MS = 50
CUT_S = 2.0
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """
    How to prove who we are to Kafka, and Kafka to us.

    Attributes:
        ssl_context: None means no TLS. Kept by reference: loading a renewed certificate into it
            serves every later connection.
        mechanism: ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``; empty means no SASL.
        user: SASL user.
        password: SASL password; never shown.
    """

    ssl_context: ssl.SSLContext | None = None
    mechanism: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    def options(self) -> dict[str, Any]:
        """Return the matching keyword arguments of every aiokafka client."""
        transport = "SSL" if self.ssl_context else "PLAINTEXT"
        if not self.mechanism:
            return {"security_protocol": transport, "ssl_context": self.ssl_context}
        return {
            "security_protocol": f"SASL_{transport}",
            "ssl_context": self.ssl_context,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAddress:
    """Where the cluster is and as whom we call it."""

    bootstrap: str
    client_id: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments that all aiokafka clients of ours share."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.client_id,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            **self.security.options(),
        }


async def cut(client: AIOKafkaClient, *owners: object) -> None:
    """
    End *client* and all that runs for *owners*, without flushing and without asking the broker.

    Tasks are cancelled first, since a transaction task left behind would find its coordinator
    again and commit after we said we had let go; then sockets are closed unsent.
    """
    await _end_tasks((client, *owners))
    for connection in list(client._conns.values()):  # noqa: SLF001 (no public way to a socket)
        if writer := connection._writer:  # noqa: SLF001
            writer.transport.abort()
    with contextlib.suppress(TransportError, *FOREIGN):
        await within(CUT_S, client.close(), "closing")


async def _end_tasks(owners: Iterable[object]) -> None:
    # Some routines catch the first cancellation to tidy up, and hang there: hence the rounds.
    ids = {id(owner) for owner in owners}
    for _ in range(_ROUNDS):
        tasks = [task for task in asyncio.all_tasks() if id(_owner(task)) in ids]
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=CUT_S / _ROUNDS)


def _owner(task: "asyncio.Task[Any]") -> object:
    # aiokafka keeps some of its tasks in local variables only; whose they are, their frame knows.
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame.f_locals.get("self") if frame else None


class _NothingBelowInfo(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.INFO


def quieten_loggers() -> None:
    """
    Refuse aiokafka's DEBUG lines whatever the log level: they hold keys and whole payloads.

    A filter, not only a level, since a level may be set again later by whoever configures logs.
    """
    logging.getLogger("aiokafka").setLevel(logging.INFO)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == "aiokafka" and isinstance(logger, logging.Logger):
            logger.addFilter(_NothingBelowInfo())
