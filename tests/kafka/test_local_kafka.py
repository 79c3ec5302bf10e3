"""The local Kafka is a real one, and does as it is told."""

import asyncio
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from broker.domain.errors import ConfigurationError
from broker.runtime import local_kafka
from broker.runtime.local_kafka import LocalKafka

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


async def test_what_was_committed_outlives_kill_and_restart(own_kafka: LocalKafka) -> None:
    """After SIGKILL the same folder comes up at the same address with the same records."""
    await _create_topic(own_kafka.bootstrap, "probe")
    await _commit(own_kafka.bootstrap, "probe", b"stored")
    os.kill(own_kafka.pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, own_kafka.pid, 0)

    dead = local_kafka.status(own_kafka.data_dir)
    again = await asyncio.to_thread(local_kafka.up, own_kafka.data_dir)

    assert dead is None
    assert again.bootstrap == own_kafka.bootstrap
    assert again.pid != own_kafka.pid
    assert await _read_first(again.bootstrap, "probe") == b"stored"


def test_up_is_repeatable_and_down_ends_it(own_kafka: LocalKafka) -> None:
    """A second `up` finds the first one's Kafka; after `down` there is none, and no process."""
    again = local_kafka.up(own_kafka.data_dir)

    stopped = local_kafka.down(own_kafka.data_dir)

    assert again == own_kafka
    assert stopped
    assert local_kafka.status(own_kafka.data_dir) is None
    assert not local_kafka.down(own_kafka.data_dir)
    with pytest.raises(ProcessLookupError):
        os.kill(own_kafka.pid, 0)


def test_a_suspended_kafka_is_stopped_too(own_kafka: LocalKafka) -> None:
    """`down` wakes a Kafka that somebody has suspended, so that it can tidy up and end."""
    os.kill(own_kafka.pid, signal.SIGSTOP)

    local_kafka.down(own_kafka.data_dir)

    assert local_kafka.status(own_kafka.data_dir) is None
    assert (own_kafka.data_dir / "data" / ".kafka_cleanshutdown").exists()


def test_other_settings_are_refused_while_it_runs(own_kafka: LocalKafka) -> None:
    """`up` never pretends that a running Kafka has the port or the users that were asked for."""
    with pytest.raises(ConfigurationError, match="with other settings"):
        local_kafka.up(own_kafka.data_dir, own_kafka.port + 1)
    with pytest.raises(ConfigurationError, match="with other settings"):
        local_kafka.up(own_kafka.data_dir, authorizer=True)


def test_two_starts_at_once_give_one_kafka(shared_kafka: LocalKafka, tmp_path: Path) -> None:
    """Whoever comes second waits for the first and finds its Kafka."""
    with ThreadPoolExecutor(2) as threads:
        started = list(threads.map(local_kafka.up, [tmp_path, tmp_path]))
    local_kafka.down(tmp_path)

    assert started[0] == started[1]
    assert started[0].pid != shared_kafka.pid


def test_a_kafka_that_gives_up_says_why(own_kafka: LocalKafka) -> None:
    """The error quotes what Kafka said, without stack frames, and nothing is left running."""
    local_kafka.down(own_kafka.data_dir)
    identity = own_kafka.data_dir / "data" / "meta.properties"
    identity.write_text(identity.read_text("utf-8").replace("node.id=1", "node.id=2"), "utf-8")

    with pytest.raises(ConfigurationError) as caught:
        local_kafka.up(own_kafka.data_dir)

    assert "Kafka gave up; its last words:\n" in str(caught.value)
    assert "node" in str(caught.value).split("last words:")[1]
    assert "\tat " not in str(caught.value)
    assert local_kafka.status(own_kafka.data_dir) is None


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The error names the port; no Kafka is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigurationError, match=f"port {port} is taken"):
            local_kafka.up(tmp_path, port)

    assert local_kafka.status(tmp_path) is None
    assert not (tmp_path / "pid").exists()
