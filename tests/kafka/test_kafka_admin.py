"""Topics are made as planned on a real Kafka, and what cannot be altered is refused."""

from dataclasses import replace

import pytest

from broker.domain.errors import ConfigurationError, TransportError
from broker.runtime.kafka_admin import apply, difference, is_serving
from broker.runtime.topics import ChangeKind, TopicSpec, plan

pytestmark = pytest.mark.kafka

LANES = [("north", "crisis-response")]


def _with(spec: TopicSpec, name: str, value: str) -> TopicSpec:
    return replace(spec, config={**spec.config, name: value})


async def test_apply_makes_what_is_planned_and_nothing_twice(
    kafka_bootstrap: str, namespace: str
) -> None:
    """Afterwards there is no difference, and applying again changes nothing."""
    specs = plan(namespace, LANES, partitions=3)

    made = await apply(kafka_bootstrap, specs)

    assert [(change.kind, change.topic) for change in made] == [
        (ChangeKind.CREATE, spec.name) for spec in specs
    ]
    assert await difference(kafka_bootstrap, specs) == ()
    assert await apply(kafka_bootstrap, specs) == ()


async def test_difference_changes_nothing(kafka_bootstrap: str, namespace: str) -> None:
    """Asking twice gives the same answer: nothing was created in between."""
    specs = plan(namespace, LANES, partitions=1)

    first = await difference(kafka_bootstrap, specs)

    assert {change.kind for change in first} == {ChangeKind.CREATE}
    assert await difference(kafka_bootstrap, specs) == first


async def test_a_drifted_setting_is_put_right_and_others_stay(
    kafka_bootstrap: str, namespace: str
) -> None:
    """Only planned settings are corrected; one that somebody else has set survives."""
    spec = plan(namespace, [], partitions=1)[0]
    await apply(kafka_bootstrap, [_with(spec, "retention.ms", "60000")])
    await apply(kafka_bootstrap, [_with(spec, "max.compaction.lag.ms", "123456")])

    changed = await apply(kafka_bootstrap, [_with(spec, "delete.retention.ms", "777")])

    assert [change.detail for change in changed] == ["delete.retention.ms 86400000 -> 777"]
    assert await difference(kafka_bootstrap, [_with(spec, "max.compaction.lag.ms", "123456")]) == ()


async def test_apply_returns_when_the_cluster_shows_the_change(
    kafka_bootstrap: str, namespace: str
) -> None:
    """Whoever looks afterwards sees no difference, however fast one change follows the other."""
    spec = plan(namespace, [], partitions=1)[0]
    await apply(kafka_bootstrap, [spec])
    drifts = [_with(spec, "retention.ms", str(60_000 + number)) for number in range(10)]

    seen = [len(await apply(kafka_bootstrap, [drifted])) for drifted in drifts]

    assert seen == [1] * len(drifts)


async def test_other_partitions_are_an_error_and_nothing_is_changed(
    kafka_bootstrap: str, namespace: str
) -> None:
    """One topic that cannot be altered keeps every other one from being made."""
    await apply(kafka_bootstrap, plan(namespace, [], partitions=1))
    grown = plan(namespace, LANES, partitions=2)

    with pytest.raises(ConfigurationError, match=r"partitions 1, planned 2 @ t-\w+\.events"):
        await apply(kafka_bootstrap, grown)

    lane = [spec for spec in grown if ".release." in spec.name]
    assert [c.kind for c in await difference(kafka_bootstrap, lane)] == [ChangeKind.CREATE]


async def test_more_replicas_than_brokers_are_refused(
    shared_kafka: object, kafka_bootstrap: str, namespace: str
) -> None:
    """The error names topic and rule."""
    with pytest.raises(ConfigurationError, match=r"InvalidReplicationFactor.+ @ topic t-"):
        await apply(kafka_bootstrap, plan(namespace, [], partitions=1, replication=3))


async def test_a_cluster_that_is_away_does_not_serve() -> None:
    """Nobody listens on port 1: not serving, and a difference is an error that may pass."""
    assert not await is_serving("127.0.0.1:1", 5.0)
    with pytest.raises(TransportError):
        await difference("127.0.0.1:1", plan("crisis", []))
