"""
The log as Apache Kafka keeps it, by way of aiokafka and the modules `kafka_*` beside this one.

What those avoid of aiokafka stands in tests/kafka/test_traps.py. Brokers from 2.5 on; see
`KafkaLookup.committed` for the one thing that is surer from 4.0 on.
"""

from collections.abc import Sequence

from broker.domain.errors import TransportError
from broker.domain.streams import Assigned, Partition
from broker.runtime import kafka_membership, kafka_producer, kafka_reader
from broker.runtime.kafka_connection import KafkaAddress, KafkaSecurity, quieten_loggers
from broker.runtime.kafka_lookup import KafkaLookup

__all__ = ["KafkaLog", "KafkaSecurity"]

quieten_loggers()


class KafkaLog:
    """
    A partitioned log in Apache Kafka.

    Every producer, reader and membership has connections of its own, so that none waits for
    another; the log itself keeps one for questions.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        client_id: str,
        security: KafkaSecurity | None = None,
        instance_id: str | None = None,
    ) -> None:
        """
        Remember where the cluster is; connects when first used.

        Args:
            bootstrap: ``host:port``, several with commas.
            client_id: Name in the broker's logs and quotas.
            security: None for no TLS and no SASL.
            instance_id: Makes group membership static; see `kafka_membership.join`.
        """
        self._address = KafkaAddress(
            bootstrap=bootstrap, client_id=client_id, security=security or KafkaSecurity()
        )
        self._instance_id = instance_id
        self._lookup = KafkaLookup(self._address)

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions; 0 if the topic does not exist. Never makes a topic."""
        return await self._lookup.partitions(topic)

    async def open_producer(self) -> kafka_producer.KafkaProducer:
        """Open an idempotent producer."""
        producer = kafka_producer.KafkaProducer(self._address)
        await producer.open()
        return producer

    async def open_transactional_producer(
        self, transactional_id: str
    ) -> kafka_producer.KafkaTransactionalProducer:
        """Take over *transactional_id*: when this returns, no earlier owner can commit any more."""
        return await kafka_producer.open_transactional(self._address, transactional_id)

    async def open_reader(self, partitions: Sequence[Partition]) -> kafka_reader.KafkaReader:
        """Open a reader of exactly these partitions."""
        for topic in dict.fromkeys(p.topic for p in partitions):
            await self._require(topic)
        return await kafka_reader.open_reader(self._address, partitions)

    async def committed(self, group: str, partition: Partition) -> int | None:
        """Return the group's committed offset; ask only after a take-over."""
        return await self._lookup.committed(group, partition)

    async def join(
        self, group: str, topic: str, assigned: Assigned
    ) -> kafka_membership.KafkaMembership:
        """Join *group* for the partitions of *topic*; *assigned* is awaited on every change."""
        await self._require(topic)
        return await kafka_membership.join(
            self._address, group, topic, assigned, instance_id=self._instance_id
        )

    async def aclose(self) -> None:
        """Close the connection for questions; what was opened is closed by whoever opened it."""
        await self._lookup.aclose()

    async def _require(self, topic: str) -> None:
        # A consumer would ask the broker to make the topic, and wait 5 s for that.
        if not await self._lookup.partitions(topic):
            raise TransportError(f"no such topic @ {topic}")
