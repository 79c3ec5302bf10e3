"""
Which topics an installation needs: their names, and the settings that keep our promises about them.

Pure: `plan` says what ought to be, `compare` how a cluster differs from it;
`broker.runtime.kafka_admin` asks the cluster and changes it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.domain.errors import ConfigurationError

DEFAULT_NAMESPACE: Final = "crisis"
DEFAULT_PARTITIONS: Final = 12
PAYLOAD_BYTES: Final = 2 * 1024 * 1024
"""Largest batch of events, views and disclosures; well above what the processes allow themselves."""

ORIGINAL_BYTES: Final = 2 * PAYLOAD_BYTES
"""Largest batch of what wraps other records: whatever came in can also be held or dead-lettered."""

_DAY_MS: Final = 24 * 60 * 60 * 1000
_PAYLOAD_MS: Final = 7 * _DAY_MS
_HELD_MS: Final = 90 * _DAY_MS
_DISCLOSURE_MS: Final = (8 * 365 + 2) * _DAY_MS
_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")

Lane = tuple[str, str]
"""Recipient id and purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic as it ought to be; settings that *config* leaves out stay as they are."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class ChangeKind(StrEnum):
    """What it takes to make a topic as it ought to be."""

    CREATE = "create"
    CONFIGURE = "configure"
    MISMATCH = "mismatch"
    """Nothing may be done: partitions are part of the order, growth needs a new generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between a cluster and a plan, in words that an operator can act on."""

    kind: ChangeKind
    topic: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} {self.topic}: {self.detail}"


def events_topic(namespace: str = DEFAULT_NAMESPACE) -> str:
    """Name the topic of canonical events."""
    return f"{_checked_namespace(namespace)}.events"


def release_topic(namespace: str, recipient: str, purpose: str) -> str:
    """
    Name the topic of one lane.

    Raises:
        ConfigurationError: Recipient or purpose is not 1 to 40 of ``a-z 0-9 -``.
    """
    for place, name in (("recipient", recipient), ("purpose", purpose)):
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"a {place} is 1 to 40 of a-z, 0-9 and - @ lane")
    return f"{_checked_namespace(namespace)}.release.{recipient}.{purpose}"


def disclosures_topic(namespace: str = DEFAULT_NAMESPACE) -> str:
    """Name the topic of disclosure records."""
    return f"{_checked_namespace(namespace)}.disclosures"


def held_topic(namespace: str = DEFAULT_NAMESPACE) -> str:
    """Name the topic of what cannot be released now."""
    return f"{_checked_namespace(namespace)}.held"


def dead_letters_topic(namespace: str = DEFAULT_NAMESPACE) -> str:
    """Name the topic of what can never be processed as it stands."""
    return f"{_checked_namespace(namespace)}.deadletters"


def plan(
    namespace: str,
    lanes: Iterable[Lane],
    partitions: int = DEFAULT_PARTITIONS,
    replication: int = 1,
) -> tuple[TopicSpec, ...]:
    """
    List every topic that an installation needs, by name; a lane named twice counts once.

    All have the same number of partitions, since what is read from p is written to p.
    """
    # Kafka deletes a segment once its newest record is old enough, so that the oldest one in it
    # lives longer by what the segment spans. Payload goes by its day at the latest, records not
    # before theirs.
    payload = _settings(_PAYLOAD_MS - _DAY_MS, _DAY_MS, PAYLOAD_BYTES, replication)
    original = payload | {"max.message.bytes": str(ORIGINAL_BYTES)}
    # What nobody has decided yet must not vanish with the event it is about. Kafka deletes by age
    # only, so that what is resolved stays as long: the cases are few, and the readers are two.
    held = _settings(_HELD_MS - _DAY_MS, _DAY_MS, ORIGINAL_BYTES, replication)
    record = _settings(_DISCLOSURE_MS, 30 * _DAY_MS, PAYLOAD_BYTES, replication)
    configs = {
        events_topic(namespace): payload,
        disclosures_topic(namespace): record,
        held_topic(namespace): held,
        dead_letters_topic(namespace): original,
        **{release_topic(namespace, *lane): payload for lane in lanes},
    }
    return tuple(
        TopicSpec(name=name, partitions=partitions, replication=replication, config=config)
        for name, config in sorted(configs.items())
    )


def compare(spec: TopicSpec, actual: TopicSpec | None) -> Change | None:
    """Say how a topic differs from its specification; None if it does not."""
    if actual is None:
        detail = f"{spec.partitions} partitions, replication {spec.replication}"
        return Change(kind=ChangeKind.CREATE, topic=spec.name, detail=detail)
    for what in ("partitions", "replication"):
        found, wanted = getattr(actual, what), getattr(spec, what)
        if found != wanted:
            detail = f"{what} {found}, planned {wanted}"
            return Change(kind=ChangeKind.MISMATCH, topic=spec.name, detail=detail)
    wrong = {k: v for k, v in sorted(spec.config.items()) if actual.config.get(k) != v}
    if not wrong:
        return None
    detail = ", ".join(f"{k} {actual.config.get(k, 'unset')} -> {v}" for k, v in wrong.items())
    return Change(kind=ChangeKind.CONFIGURE, topic=spec.name, detail=detail)


def _settings(retention_ms: int, roll_ms: int, max_bytes: int, replication: int) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "retention.bytes": "-1",
        "segment.ms": str(roll_ms),
        "compression.type": "producer",
        "max.message.bytes": str(max_bytes),
        # A producer's clock that is wrong by a week must not delete a referral.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(min(2, (replication + 1) // 2)),
        "unclean.leader.election.enable": "false",
    }


def _checked_namespace(namespace: str) -> str:
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(
            "a namespace begins with a letter and is at most 40 of a-z, 0-9 and - @ namespace"
        )
    return namespace
