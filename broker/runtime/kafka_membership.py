"""
A place in a Kafka consumer group, used only to learn which partitions are one's own.

Its consumer never fetches: every partition is paused and placed at 0 before aiokafka can ask for
its position, and the poll only keeps the member alive. Fencing, not membership, keeps two owners
apart; so a revocation waits for the callback, but not for ever.
"""

import asyncio
import contextlib
from collections.abc import Collection, Coroutine, Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from broker.domain.errors import TransportError
from broker.domain.streams import Assigned, Partition
from broker.runtime.assignments import Announcer
from broker.runtime.deadlines import within
from broker.runtime.kafka_connection import KafkaAddress
from broker.runtime.kafka_errors import FOREIGN, read_error
from broker.runtime.kafka_reader import cut_consumer

JOIN_S = 10.0
LEAVE_S = 5.0
HEARTBEAT_MS = 1_000
SESSION_MS = 10_000
REBALANCE_MS = 30_000
DRAIN_S = 20.0
"""How long a revocation waits for the callback; less than the rebalance timeout, or we are out."""

JOIN_REQUEST_MS = 40_000
"""Joining waits at the broker for all others, so this exceeds the rebalance timeout."""

UNHEARD_S = 15.0
POLL_MS = 500
RETRY_S = 1.0
METADATA_MS = 60_000
"""How soon a member notices that its topic has grown."""

log = structlog.get_logger()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hands revocations and assignments on; aiokafka swallows whatever is raised here."""

    def __init__(self, membership: "KafkaMembership") -> None:
        self._membership = membership

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:  # noqa: ARG002 (aiokafka's name)
        await self._membership.revoke()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._membership.assign(assigned)


class KafkaMembership:
    """Keeps itself in the group until closed, and tells the callback what it holds."""

    def __init__(self, consumer: AIOKafkaConsumer, announcer: Announcer, topic: str) -> None:
        self._consumer = consumer
        self._announcer = announcer
        self._topic = topic
        self._heard_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def healthy(self) -> bool:
        """Whether a heartbeat was answered recently and the last callback went well."""
        heard_s = asyncio.get_running_loop().time() - self._heard_at
        return self._announcer.healthy and heard_s < UNHEARD_S

    async def start(self) -> None:
        """Enter the group; the first assignment follows by itself."""
        await self._consumer.start()
        self._observe_heartbeats()
        self._consumer.subscribe([self._topic], listener=_Listener(self))
        self._spawn(self._poll())

    async def revoke(self) -> None:
        """Wait until the callback has let go, at most `DRAIN_S`."""
        with contextlib.suppress(TransportError):
            await within(DRAIN_S, self._announcer.tell(()), "revoking partitions")

    def assign(self, assigned: Iterable[TopicPartition]) -> None:
        """Stop aiokafka from fetching, then tell the callback in a task of its own."""
        for tp in assigned:
            self._consumer.pause(tp)
            self._consumer.seek(tp, 0)
        # Not awaited here: aiokafka sends no heartbeat while this runs, and a take-over may take
        # longer than the session timeout.
        self._heard_at = asyncio.get_running_loop().time()
        self._spawn(self._announcer.tell(Partition(*tp) for tp in assigned))

    async def aclose(self) -> None:
        """Leave the group; the callback is not called any more."""
        self._announcer.silence()
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(TransportError, *FOREIGN):
            await within(LEAVE_S, self._consumer.stop(), "leaving the group")
        await cut_consumer(self._consumer)

    def _spawn(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _observe_heartbeats(self) -> None:
        # aiokafka keeps the time of the last answered heartbeat in a local variable.
        coordinator = self._consumer._coordinator  # noqa: SLF001
        beat = coordinator._do_heartbeat  # noqa: SLF001

        async def observed() -> bool:
            answered = bool(await beat())
            if answered:
                self._heard_at = asyncio.get_running_loop().time()
            return answered

        coordinator._do_heartbeat = observed  # noqa: SLF001

    async def _poll(self) -> None:
        while True:
            try:
                await self._consumer.getmany(timeout_ms=POLL_MS)
            except FOREIGN as error:
                log.warning(
                    "group membership failing", topic=self._topic, error=type(error).__name__
                )
                if self._consumer._coordinator._coordination_task.done():  # noqa: SLF001
                    # Nothing keeps us in the group any more: let go before others take over.
                    await self._announcer.tell(())
                    self._announcer.silence()
                    return
                await asyncio.sleep(RETRY_S)


async def join(
    address: KafkaAddress, group: str, topic: str, assigned: Assigned, *, instance_id: str | None
) -> KafkaMembership:
    """
    Enter *group* for the partitions of *topic*; returns before the first assignment.

    Args:
        address: The cluster.
        group: Group id.
        topic: An existing topic.
        assigned: Awaited on every change.
        instance_id: Static membership: a restart within the session timeout moves nothing, but
            neither does a stop. None for a dynamic member.

    Raises:
        TransportError: Kafka did not answer.
    """
    consumer = AIOKafkaConsumer(
        **{**address.options(), "request_timeout_ms": JOIN_REQUEST_MS},
        group_id=group,
        group_instance_id=instance_id,
        enable_auto_commit=False,
        auto_offset_reset="none",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        rebalance_timeout_ms=REBALANCE_MS,
        metadata_max_age_ms=METADATA_MS,
    )
    membership = KafkaMembership(consumer, Announcer(assigned, group), topic)
    try:
        await within(JOIN_S, membership.start(), f"joining group {group}")
    except FOREIGN as error:
        await cut_consumer(consumer)
        raise read_error(error, f"joining group {group}") from error
    except BaseException:
        await cut_consumer(consumer)
        raise
    return membership
