"""Bytes of a release topic to a view that may be handed to a connector."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from broker.codec import avro, wire
from broker.codec.registry import SchemaRegistry
from broker.domain.errors import InputError, MalformedMessageError
from broker.processes.deliver_lock import SecondLock
from broker.runtime.inbox_rows import Due
from connectors.contract import View

LATE_MINUTES: Final = {"immediate": 5, "unknown": 5, "urgent": 240, "soon": 1440, "routine": 4320}
"""Age from which a view is late, where its scale sets no target (or a shorter one than 5)."""

PARTS: Final = ["envelope", "manifest", "body"]
CANARY: Final = "canary"


class EnvironmentCrossedError(InputError):
    """A test view in a live installation, or the reverse: it is never delivered (P12)."""

    code = "environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A view in native form, with what it was written with; never printed."""

    native: dict[str, Any] = field(repr=False)
    schema: dict[str, Any] = field(repr=False)
    schema_id: int


class ViewOpener:
    """
    Opens views and puts each through the second lock.

    Args:
        registry: Where writer schemas are asked for.
        lock: The second lock.
        environment: Of this installation; canaries pass as well.
    """

    def __init__(self, *, registry: SchemaRegistry, lock: SecondLock, environment: str) -> None:
        self._registry = registry
        self._lock = lock
        self._environment = environment

    async def decode(self, value: bytes) -> Decoded:
        """
        Decode one framed view; nothing is checked yet.

        Raises:
            InputError: It is no view, or its schema is unknown.
            TransportError: The registry is away.
        """
        schema_id, start = wire.unframe(value)
        schema = await self._registry.schema(schema_id)
        if [part["name"] for part in schema.get("fields", ())] != PARTS:
            raise MalformedMessageError([("$", "not a view")])
        native = avro.decode(schema, value, start)
        return Decoded(native=native, schema=schema, schema_id=schema_id)

    def check(self, decoded: Decoded, purpose: str) -> None:
        """
        Let a view pass that may be delivered on the lane of *purpose*.

        Raises:
            OverSharedError: The lane must stop.
            InputError: This view cannot be delivered as it stands.
        """
        self._lock.check(decoded.schema, decoded.schema_id, decoded.native, purpose)
        if decoded.native["envelope"]["environment"] not in (self._environment, CANARY):
            raise EnvironmentCrossedError("view is of another environment @ envelope.environment")

    async def open(self, due: Due) -> View:
        """Return the view of a row that is due; raises as `decode` and `check` do."""
        decoded = await self.decode(due.value)
        self.check(decoded, due.purpose)
        native = decoded.native
        return View(
            event_type=native["envelope"]["event_type"],
            envelope=native["envelope"],
            manifest=native["manifest"],
            body=native["body"],
            late=is_late(native["envelope"], due.first_sent_at),
        )


def is_late(envelope: dict[str, Any], sent_at: datetime) -> bool:
    """Tell whether a view is older than its urgency allows, or past its own expiry."""
    expires_at = envelope["expires_at"]
    if expires_at is not None and sent_at > expires_at["utc"]:
        return True
    urgency = envelope["urgency"]
    usual = LATE_MINUTES.get(urgency["rank"], LATE_MINUTES["unknown"])
    target = urgency["target_minutes"]
    minutes = usual if target is None else max(target, LATE_MINUTES["immediate"])
    return bool(sent_at - envelope["recorded_at"] > timedelta(minutes=minutes))
