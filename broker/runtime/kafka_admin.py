"""Makes the topics of a cluster as they are planned to be, or says how they differ."""

from collections.abc import Iterable
from typing import Any, Final

import aiokafka.errors as kafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from broker.domain.errors import ConfigurationError
from broker.runtime.kafka_admin_client import administer, is_serving, raise_for, until_seen
from broker.runtime.kafka_connection import KafkaSecurity
from broker.runtime.topics import Change, ChangeKind, TopicSpec, compare

__all__ = ["apply", "difference", "is_serving"]

_SET_ON_THE_TOPIC: Final = 1  # DYNAMIC_TOPIC_CONFIG in Kafka's DescribeConfigs


async def difference(
    bootstrap: str, specs: Iterable[TopicSpec], security: KafkaSecurity | None = None
) -> tuple[Change, ...]:
    """
    Say what would have to change, and change nothing.

    Raises:
        TransportError: The cluster did not answer.
        ConfigurationError: The cluster refused, for want of rights for instance.
    """
    async with administer(bootstrap, security) as admin:
        return await _difference(admin, tuple(specs))


async def apply(
    bootstrap: str, specs: Iterable[TopicSpec], security: KafkaSecurity | None = None
) -> tuple[Change, ...]:
    """
    Create missing topics, correct the settings of others, and wait until all can be written.

    Topics that are not planned are left alone, and so are settings that the plan does not name.
    Running it again changes nothing.

    Returns:
        What was changed.

    Raises:
        ConfigurationError: A topic has other partitions or replication than planned: nothing was
            changed at all. Or the cluster refused a change.
        TransportError: The cluster did not answer; run it again.
    """
    wanted = {spec.name: spec for spec in specs}
    async with administer(bootstrap, security) as admin:
        changes = await _difference(admin, tuple(wanted.values()))
        _refuse_mismatches(changes)
        await _create(admin, [wanted[c.topic] for c in changes if c.kind is ChangeKind.CREATE])
        for change in changes:
            if change.kind is ChangeKind.CONFIGURE:
                await _configure(admin, wanted[change.topic])
        await until_seen(lambda: _is_done(admin, tuple(wanted.values())))
        return changes


async def _difference(
    admin: AIOKafkaAdminClient, specs: tuple[TopicSpec, ...]
) -> tuple[Change, ...]:
    actual = await _describe(admin, {spec.name for spec in specs})
    changes = (compare(spec, actual.get(spec.name)) for spec in specs)
    return tuple(change for change in changes if change)


async def _describe(admin: AIOKafkaAdminClient, names: set[str]) -> dict[str, TopicSpec]:
    # All topics are listed: naming one that is missing could make Kafka create it.
    topics = [t for t in await admin.describe_topics() if t["topic"] in names]
    configs = await _configs(admin, [t["topic"] for t in topics])
    return {
        topic["topic"]: TopicSpec(
            name=topic["topic"],
            partitions=len(topic["partitions"]),
            replication=len(topic["partitions"][0]["replicas"]),
            config=configs[topic["topic"]],
        )
        for topic in topics
    }


async def _configs(
    admin: AIOKafkaAdminClient, names: list[str], *, only_own: bool = False
) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(asked):
        for code, _, _, name, entries in response.resources:
            raise_for(code, f"topic {name}")
            found[name] = {
                entry[0]: entry[1]
                for entry in entries
                if not only_own or entry[3] == _SET_ON_THE_TOPIC
            }
    return found


async def _create(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> None:
    if not specs:
        return
    new = [NewTopic(s.name, s.partitions, s.replication, topic_configs=s.config) for s in specs]
    response = await admin.create_topics(new)
    for name, code, _ in response.topic_errors:
        if kafka.for_code(code) is not kafka.TopicAlreadyExistsError:
            raise_for(code, f"topic {name}")


async def _configure(admin: AIOKafkaAdminClient, spec: TopicSpec) -> None:
    # The request replaces all settings of the topic, so those we do not plan are sent along.
    own = (await _configs(admin, [spec.name], only_own=True))[spec.name]
    wanted = ConfigResource(ConfigResourceType.TOPIC, spec.name, {**own, **spec.config})
    for response in await admin.alter_configs([wanted]):
        for code, _, _, name in response.resources:
            raise_for(code, f"topic {name}")


async def _is_done(admin: AIOKafkaAdminClient, specs: tuple[TopicSpec, ...]) -> bool:
    if await _difference(admin, specs):
        return False
    topics: list[dict[str, Any]] = await admin.describe_topics()
    led = {t["topic"] for t in topics if all(p["leader"] >= 0 for p in t["partitions"])}
    return led.issuperset(spec.name for spec in specs)


def _refuse_mismatches(changes: tuple[Change, ...]) -> None:
    wrong = [f"{c.detail} @ {c.topic}" for c in changes if c.kind is ChangeKind.MISMATCH]
    if wrong:
        raise ConfigurationError(f"topics cannot be altered so: {'; '.join(wrong)}")
