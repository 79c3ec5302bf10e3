"""
Who may do what with which topic: the Kafka ACLs of an installation.

Each process is a user of its own, and each recipient's `deliver` is one: a lane has one writer and
one reader. Nothing else may touch payload; admin rights belong to `crisis-broker topics` alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from broker.runtime.topics import (
    Lane,
    dead_letters_topic,
    disclosures_topic,
    events_topic,
    held_topic,
    release_topic,
)


class Resource(StrEnum):
    """What an ACL is about."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Operation(StrEnum):
    """What an ACL allows; each includes seeing that the resource exists."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AclSpec:
    """
    One thing that one user may do, from any host.

    Attributes:
        principal: e.g. ``User:release``.
        resource: What *name* is the name of.
        name: Of the resource; with *prefixed*, what its name begins with.
        operation: What is allowed.
        prefixed: Whether *name* is a beginning.
    """

    principal: str
    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False

    def __str__(self) -> str:
        name = f"{self.name}*" if self.prefixed else self.name
        return f"{self.principal} may {self.operation} {self.resource} {name}"


def release_group(namespace: str) -> str:
    """Name the consumer group in which release processes share the partitions of events."""
    return f"{namespace}.release"


def deliver_user(recipient: str) -> str:
    """Name the Kafka user of one recipient's deliver."""
    return f"deliver-{recipient}"


def plan_acls(namespace: str, lanes: Iterable[Lane], cluster: str) -> tuple[AclSpec, ...]:
    """
    List what every process may do, and thereby all that it may do.

    Args:
        namespace: Of the topics.
        lanes: Recipient and purpose of every release topic.
        cluster: The part of every transactional id that names this installation.
    """
    lanes = sorted(set(lanes))
    events, disclosures = events_topic(namespace), disclosures_topic(namespace)
    held, dead = held_topic(namespace), dead_letters_topic(namespace)
    views = [release_topic(namespace, *lane) for lane in lanes]
    acls = [
        *_topics("intake", Operation.WRITE, events),
        *_topics("intake", Operation.READ, disclosures),  # who may answer which referral
        *_topics("release", Operation.READ, events, disclosures, held),
        *_topics("release", Operation.WRITE, disclosures, held, dead, *views),
        *_topics("watch", Operation.READ, events, disclosures, held, dead),
        *_topics("watch", Operation.WRITE, events),
        *_take_over(namespace, cluster),
    ]
    for lane in lanes:
        acls += _topics(deliver_user(lane[0]), Operation.READ, release_topic(namespace, *lane))
    return tuple(sorted(acls))


def _topics(user: str, operation: Operation, *names: str) -> list[AclSpec]:
    return [
        AclSpec(principal=f"User:{user}", resource=Resource.TOPIC, name=name, operation=operation)
        for name in names
    ]


def _take_over(namespace: str, cluster: str) -> list[AclSpec]:
    return [
        AclSpec(
            principal="User:release",
            resource=Resource.GROUP,
            name=release_group(namespace),
            operation=Operation.READ,
        ),
        AclSpec(
            principal="User:release",
            resource=Resource.TRANSACTIONAL_ID,
            name=f"release-{cluster}-{namespace}-",
            operation=Operation.WRITE,
            prefixed=True,
        ),
    ]
