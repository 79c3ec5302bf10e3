"""Other people's Kafka tools read our records through `registry serve`, from a real Kafka."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from broker.codec import avro, wire
from broker.codec.catalogue import load_catalogue
from broker.codec.registry import subject_name
from broker.runtime.registry import DirectoryRegistry
from tests.served_registry import an_accepted_referral, served_registry

pytestmark = pytest.mark.kafka

ACCEPTED = load_catalogue().event("referral_accepted")


@pytest.fixture
async def topic(kafka_bootstrap: str, namespace: str, tmp_path: Path) -> str:
    """A topic with one accepted referral, its schema registered in a folder."""
    name = f"{namespace}.events"
    number = await DirectoryRegistry(tmp_path).register(
        subject_name(name, ACCEPTED.fullname), ACCEPTED.schema
    )
    value = wire.frame(number) + avro.encode(ACCEPTED.schema, an_accepted_referral())
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(name, value, partition=0)
    await producer.stop()
    return name


def test_confluents_consumer_and_deserializer_read_it(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    """What librdkafka fetches, Confluent's deserializer decodes to the value we wrote."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka_bootstrap,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    message = consumer.poll(60)
    consumer.close()
    assert message is not None
    assert message.error() is None

    with served_registry(tmp_path) as url, SchemaRegistryClient({"url": url}) as client:
        found = AvroDeserializer(client)(
            message.value(), SerializationContext(topic, MessageField.VALUE)
        )

    assert found == an_accepted_referral()


def test_kcat_reads_it(kafka_bootstrap: str, topic: str, tmp_path: Path) -> None:
    """`kcat -s value=avro -r URL` prints the record as JSON, Welsh letters and all."""
    with served_registry(tmp_path) as url:
        command = [kcat(), "-b", kafka_bootstrap, "-t", topic, "-C", "-e", "-q"]
        command += ["-o", "beginning", "-s", "value=avro", "-r", url]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    record: dict[str, Any] = json.loads(printed.stdout)
    (acceptance,) = record["acceptance"].values()
    assert acceptance["team"] == {"string": "Tîm Argyfwng Dyffryn y Gogledd"}
    assert record["envelope"]["event_type"] == "referral_accepted"


def kcat() -> str:
    """The kcat to use: $KCAT, else that on the path; it must know Avro, which Debian's does not."""
    found = os.environ.get("KCAT") or shutil.which("kcat")
    if found is None:
        missing("kcat is not installed")
    version = subprocess.run([found, "-V"], capture_output=True, text=True, check=True).stdout
    if "Avro" not in version:
        pytest.skip("this kcat was built without Avro (as Debian's is); set KCAT to one with it")
    return found


def missing(reason: str) -> None:
    """Skip, but never in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
