"""Other people's Kafka tools read our records through `registry serve`, from a real Kafka."""

import json
import os
import shutil
import subprocess
from pathlib import Path

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
    """
    The tool kcat prints the record as JSON by way of the registry, Welsh letters and all.

    Debian builds kcat without Avro. Such a kcat fetches the bytes, and Confluent's deserializer
    reads what it printed; $KCAT may name one with Avro, which then does both.
    """
    tool = kcat()
    fetch = [tool, "-b", kafka_bootstrap, "-t", topic, "-C", "-e", "-q", "-o", "beginning"]
    with served_registry(tmp_path) as url:
        if knows_avro(tool):
            record = json.loads(run(*fetch, "-s", "value=avro", "-r", url))
            (acceptance,) = record["acceptance"].values()
            team = acceptance["team"]["string"]
        else:
            printed = run(*fetch, "-f", "%s")
            context = SerializationContext(topic, MessageField.VALUE)
            with SchemaRegistryClient({"url": url}) as client:
                found = AvroDeserializer(client)(printed, context)
            team = found["acceptance"]["team"]

    assert team == "Tîm Argyfwng Dyffryn y Gogledd"


def kcat() -> str:
    """The kcat to use: $KCAT, else that on the path; a machine without one skips, CI has one."""
    found = os.environ.get("KCAT") or shutil.which("kcat")
    if found is None:
        pytest.skip("kcat is not installed: apt-get install kcat")
    return found


def knows_avro(tool: str) -> bool:
    """Whether this kcat was built with Avro."""
    return b"Avro" in run(tool, "-V")


def run(*command: str) -> bytes:
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout
