"""
A batch: everything one transaction will write, complete before it begins.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.codec.disclosures import GENESIS, Head, encode_held, seal
from broker.domain import ids
from broker.domain.errors import InputError
from broker.domain.streams import Headers, Output, Partition, Record
from broker.processes.release_decider import Decided, RouteResult
from broker.processes.release_state import PartitionState, RouteKey
from broker.runtime.topics import dead_letters_topic, disclosures_topic, held_topic

STAGE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Confluent prefixes of the broker's own records, as this installation's registry has them."""

    disclosure: bytes
    held: bytes


@dataclass(slots=True, kw_only=True)
class Batch:
    """
    Outputs in order, and the state they lead to once committed.

    Attributes:
        outputs: Views, disclosures, held records and dead letters.
        chain: Chain head after this batch.
        seen: Event ids this batch adds.
        held: Held records this batch adds, in order.
        counts: (recipient, purpose, outcome) of every route decided, for the metrics.
        recorded: When the events of this batch were accepted.
    """

    namespace: str
    number: int
    secret: bytes
    frames: Frames
    now: datetime
    state: PartitionState
    chain: bytes = GENESIS
    outputs: list[Output] = field(default_factory=list)
    seen: dict[str, bytes] = field(default_factory=dict)
    held: list[dict[str, Any]] = field(default_factory=list)
    held_keys: set[RouteKey] = field(default_factory=set)
    counts: list[tuple[str, str, str]] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    safety: list[tuple[str, str]] = field(default_factory=list)
    recorded: list[datetime] = field(default_factory=list)
    _held: Partition = field(init=False)
    _disclosures: Partition = field(init=False)

    def __post_init__(self) -> None:
        """Continue the chain where the partition stands."""
        self.chain = self.state.chain
        self._held = Partition(held_topic(self.namespace), self.number)
        self._disclosures = Partition(disclosures_topic(self.namespace), self.number)

    def is_repeat(self, decided: Decided) -> bool:
        """
        Whether this event has been disclosed before.

        Raises:
            InputError: The id was used for other content.
        """
        known = self.seen.get(decided.event_id) or self.state.seen.get(decided.event_id)
        if known is None:
            return False
        if known != decided.content_digest:
            raise RepeatedIdError("this event id was used for other content @ envelope.event_id")
        return True

    def add(self, record: Record, decided: Decided, unwritable: Iterable[str]) -> None:
        """Add an event's views and disclosures; routes that cannot be written go to `held`."""
        for route in decided.routes:
            result = self._kept_in_order(decided.referral_id, route, unwritable)
            if result.view is not None:
                self._write_view(result, decided)
            if result.outcome == "held":
                self._hold(record, result, decided)
            self._disclose(result, decided, record.offset)
        self.seen[decided.event_id] = decided.content_digest
        self.recorded.append(decided.recorded_at)

    def add_redriven(self, held: dict[str, Any], decided: Decided, result: RouteResult) -> None:
        """Release what was held: view, disclosure and the note that it is resolved."""
        if result.view is not None:
            self._write_view(result, decided)
        self._disclose(result, decided, held["source_offset"], supersedes=held["release_id"])
        note = {**held, "kind": "resolved", "reason": result.outcome, "event": b"", "at": self.now}
        self._put(self._held, held["referral_id"], self.frames.held + encode_held(note))
        self.held.append(note)

    def add_dead_letter(self, record: Record, error: InputError) -> None:
        """Set the original bytes aside; the headers say where they came from, and nothing else."""
        place = record.partition
        headers = (
            ("source-topic", place.topic.encode()),
            ("source-partition", str(place.number).encode()),
            ("source-offset", str(record.offset).encode()),
            ("source-time-ms", str(record.timestamp_ms).encode()),
            ("stage", STAGE.encode()),
            ("error-code", error.code.encode()),
            ("disposition", disposition(error).encode()),
            ("attempts", b"1"),
        )
        topic = Partition(dead_letters_topic(self.namespace), self.number)
        self.outputs.append(Output(partition=topic, key=None, value=record.value, headers=headers))
        self.dead.append(error.code)

    def commit_to(self, state: PartitionState) -> None:
        """Carry what was committed over into *state*."""
        state.chain = self.chain
        state.seen.update(self.seen)
        for record in self.held:
            state.take_held(record)

    def _kept_in_order(
        self, referral_id: str, route: RouteResult, unwritable: Iterable[str]
    ) -> RouteResult:
        key = (referral_id, route.recipient, route.purpose)
        if route.view is None:
            return route
        if key in self.state.held or key in self.held_keys:
            return _held(route, "behind-held")
        if route.topic in unwritable:
            return _held(route, "unwritable")
        return route

    def _write_view(self, result: RouteResult, decided: Decided) -> None:
        headers = (
            ("event-type", decided.event_type.encode()),
            ("rank", decided.rank.encode()),
            ("release-id", result.release_id.encode()),
        )
        self._put(
            Partition(result.topic, self.number), decided.referral_id, result.view or b"", headers
        )
        if result.tells_of_safety:
            self.safety.append((result.recipient, result.purpose))

    def _hold(self, record: Record, result: RouteResult, decided: Decided) -> None:
        held = {
            "kind": "held",
            "release_id": result.release_id,
            "event_id": decided.event_id,
            "referral_id": decided.referral_id,
            "recipient": result.recipient,
            "purpose": result.purpose,
            "reason": result.reason,
            "at": self.now,
            "source_offset": record.offset,
            "event": record.value,
        }
        self._put(self._held, decided.referral_id, self.frames.held + encode_held(held))
        self.held.append(held)
        self.held_keys.add((decided.referral_id, result.recipient, result.purpose))

    def _disclose(
        self, result: RouteResult, decided: Decided, offset: int, supersedes: str = ""
    ) -> None:
        head = Head(
            event_id=decided.event_id,
            referral_id=decided.referral_id,
            event_type=decided.event_type,
            sender=decided.sender,
            recipient=result.recipient,
            purpose=result.purpose,
            outcome=result.outcome,
            reason=result.reason,
            decided_at=self.now,
            source_partition=self.number,
            source_offset=offset,
            release_id=result.release_id,
            supersedes=supersedes,
            content_digest=decided.content_digest,
            event_digest=decided.event_digest,
            view_digest=GENESIS if result.view is None else ids.digest(self.secret, result.view),
        )
        sealed = seal(self.chain, head, result.encoded_plan)
        self.chain = sealed.chain
        self._put(
            self._disclosures,
            decided.referral_id,
            self.frames.disclosure + sealed.record,
        )
        self.counts.append((result.recipient, result.purpose, result.outcome))

    def _put(self, partition: Partition, key: str, value: bytes, headers: Headers = ()) -> None:
        self.outputs.append(
            Output(
                partition=partition,
                key=key.encode(),
                value=value,
                headers=headers,
            )
        )


class RepeatedIdError(InputError):
    """An event id came again with other content."""

    code = "event-id-reused"


def disposition(error: InputError) -> str:
    """Return why a record is a dead letter, from the closed list of design."""
    return {"schema-unknown": "schema-unknown", "policy-denied": "policy-denied"}.get(
        error.code, "poison"
    )


def _held(route: RouteResult, reason: str) -> RouteResult:
    return RouteResult(
        recipient=route.recipient,
        purpose=route.purpose,
        release_id=route.release_id,
        outcome="held",
        reason=reason,
        encoded_plan=route.encoded_plan,
    )
