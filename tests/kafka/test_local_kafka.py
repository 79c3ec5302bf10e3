"""The local Kafka is a real one."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

pytestmark = pytest.mark.kafka


async def _create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()


async def _commit(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{topic}-writer")
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(topic, value, partition=0)
    await producer.stop()


async def _read_first(bootstrap: str, topic: str) -> bytes:
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    consumer.assign([partition])
    await consumer.start()
    consumer.seek(partition, 0)
    record = await consumer.getone()
    await consumer.stop()
    return record.value


async def test_a_committed_transaction_is_read_back(kafka_bootstrap: str, namespace: str) -> None:
    """What one transaction commits, a read-committed reader gets."""
    topic = f"{namespace}.probe"
    await _create_topic(kafka_bootstrap, topic)

    await _commit(kafka_bootstrap, topic, b"stored")

    assert await _read_first(kafka_bootstrap, topic) == b"stored"
