"""
What is held: every (event, route) pair that has not been released, read back from the topic.

Only places and reasons leave this module; the events themselves stay unread but for their type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from broker.codec import avro, wire
from broker.codec.catalogue import Schema, load_catalogue
from broker.codec.disclosures import read_held
from broker.domain.decisions import NEEDS_PERSON, SUSPENDED
from broker.domain.errors import ConfigurationError, InputError
from broker.domain.streams import Log, Partition
from broker.processes.audit import opened, read_all
from broker.processes.release_state import PartitionState
from broker.runtime.settings import Settings
from broker.runtime.topics import held_topic

UNREADABLE: Final = "unreadable"
WAITS_FOR: Final[Mapping[str, str]] = {
    NEEDS_PERSON: "a named person's decision",
    SUSPENDED: "a signed agreement: this one is suspended",
    "no-agreement": "a signed agreement between these parties for this purpose",
    "not-provisioned": "`crisis-broker topics apply`",
    "unwritable": "its release topic: does it exist, and may release write to it?",
    "oversize": "a larger limit, or a smaller referral from the sender",
    "environment": "nobody: it is of another environment, and must not be released here",
    "behind-held": "the event of the same referral before it",
}
"""What lets each reason go; whatever else there is may be read in the runbook under its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRoute:
    """One event that one recipient has not got."""

    since: datetime
    recipient: str
    purpose: str
    reason: str
    referral_id: str
    event_type: str

    @property
    def waits_for(self) -> str:
        """Return what lets it go; empty if nobody can say."""
        return WAITS_FOR.get(self.reason, "")


async def held_routes(settings: Settings, log: Log | None = None) -> list[HeldRoute]:
    """
    Return everything that is held, oldest first.

    Raises:
        ConfigurationError: There is no such topic.
        TransportError: The log does not answer.
    """
    envelope = load_catalogue(settings.schemas_dir).type_schema("crisis.types.Envelope")
    topic = held_topic(settings.namespace)
    found: list[HeldRoute] = []
    async with opened(settings, log) as kafka:
        count = await kafka.partitions(topic)
        if not count:
            raise ConfigurationError(f"there is no such topic: see `topics plan` @ {topic}")
        for number in range(count):
            state = PartitionState()
            async for record in read_all(kafka, Partition(topic, number)):
                state.take_held(dict(read_held(record.value)))
            for waiting in state.held.values():
                found += [_route(record, envelope) for record in waiting.values()]
    return sorted(found, key=lambda each: each.since)


def _route(record: Mapping[str, Any], envelope: Schema) -> HeldRoute:
    return HeldRoute(
        since=record["at"],
        recipient=record["recipient"],
        purpose=record["purpose"],
        reason=record["reason"],
        referral_id=record["referral_id"],
        event_type=_event_type(record["event"], envelope),
    )


def _event_type(event: bytes, envelope: Schema) -> str:
    try:
        _, start = wire.unframe(event)
        return str(avro.peek(envelope, event, start)["event_type"])
    except InputError:
        return UNREADABLE
