"""ACLs hold on a real Kafka: each user may do what the plan says and nothing else."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from broker.domain.errors import ConfigurationError
from broker.runtime.acls import AclSpec, Operation, Resource, plan_acls
from broker.runtime.kafka_acls import create_acls, delete_acls, list_acls
from broker.runtime.kafka_admin import apply
from broker.runtime.kafka_connection import KafkaSecurity
from broker.runtime.local_kafka import LocalKafka
from broker.runtime.topics import plan, release_topic

pytestmark = pytest.mark.kafka

LANES = [("north", "crisis-response"), ("south", "crisis-response")]


@pytest.fixture
async def guarded(shared_kafka: LocalKafka, namespace: str) -> LocalKafka:
    """A cluster with the topics and ACLs of two lanes."""
    await apply(shared_kafka.bootstrap, plan(namespace, LANES, partitions=1))
    await create_acls(shared_kafka.bootstrap, plan_acls(namespace, LANES, "local"))
    return shared_kafka


def _as(kafka: LocalKafka, user: str) -> dict[str, object]:
    security = KafkaSecurity(mechanism="PLAIN", user=user, password=kafka.sasl_password)
    return {"bootstrap_servers": kafka.sasl_bootstrap, **security.options()}


async def _write(kafka: LocalKafka, user: str, topic: str) -> None:
    producer = AIOKafkaProducer(**_as(kafka, user))
    try:
        await producer.start()
        await producer.send_and_wait(topic, b"view", partition=0)
    finally:
        await producer.stop()


async def _read(kafka: LocalKafka, user: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(**_as(kafka, user))
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    try:
        await consumer.start()
        consumer.seek(partition, 0)
        return (await consumer.getone()).value
    finally:
        await consumer.stop()


async def test_a_lane_is_read_by_its_recipient_only(guarded: LocalKafka, namespace: str) -> None:
    """North reads what release wrote for north; south may not, and neither may write."""
    topic = release_topic(namespace, *LANES[0])

    await _write(guarded, "release", topic)

    assert await _read(guarded, "deliver-north", topic) == b"view"
    with pytest.raises(TopicAuthorizationFailedError):
        await _read(guarded, "deliver-south", topic)
    with pytest.raises(TopicAuthorizationFailedError):
        await _write(guarded, "deliver-north", topic)


async def test_a_revoked_acl_refuses_one_topic_and_no_other(
    guarded: LocalKafka, namespace: str
) -> None:
    """Once `delete_acls` has returned, release can write the other lane only."""
    north, south = (release_topic(namespace, *lane) for lane in LANES)
    revoked = AclSpec(
        principal="User:release", resource=Resource.TOPIC, name=north, operation=Operation.WRITE
    )

    await delete_acls(guarded.bootstrap, [revoked])

    await _write(guarded, "release", south)
    with pytest.raises(TopicAuthorizationFailedError):
        await _write(guarded, "release", north)
    await create_acls(guarded.bootstrap, [revoked])
    await _write(guarded, "release", north)


async def test_acls_are_listed_as_planned_and_made_once(
    guarded: LocalKafka, namespace: str
) -> None:
    """What was created is what is listed, prefixes included; creating again adds nothing."""
    planned = plan_acls(namespace, LANES, "local")

    again = await create_acls(guarded.bootstrap, planned)

    assert again == ()
    assert set(planned) <= await list_acls(guarded.bootstrap)


async def test_a_process_has_no_admin_rights(guarded: LocalKafka, namespace: str) -> None:
    """The release user can neither list ACLs nor make topics."""
    user = KafkaSecurity(mechanism="PLAIN", user="release", password=guarded.sasl_password)

    with pytest.raises(ConfigurationError, match="ClusterAuthorizationFailed"):
        await list_acls(str(guarded.sasl_bootstrap), user)
    with pytest.raises(ConfigurationError, match="TopicAuthorizationFailed"):
        await apply(str(guarded.sasl_bootstrap), plan("other", [], partitions=1), user)


async def test_a_cluster_without_authorizer_says_so(own_kafka: LocalKafka) -> None:
    """Asking for ACLs where there are none is a matter of configuration."""
    with pytest.raises(ConfigurationError, match="SecurityDisabled"):
        await list_acls(own_kafka.bootstrap)
