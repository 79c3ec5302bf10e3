"""
Intake without a transport: messages in, receipts out, and nothing is promised before it is on disk.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from broker.processes.intake_events import Assembler, Draft
from broker.processes.intake_reading import DraftReader, Intent
from broker.runtime import metrics
from broker.runtime.clock import Clock
from broker.runtime.offload import compute
from broker.runtime.outbox import Conflict, Entry, Outbox, Receipt
from broker.runtime.problems import Code, Problem
from broker.runtime.retry import RANKS
from connectors.contract import Inbound

OTHER_CONTENT: Final = (
    "other content came before with this reference, event type, sequence and time:"
    " state an Idempotency-Key or another sequence"
)
"""A key that is derived holds only what every recipient may see, so content cannot tell two apart."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What became of one message.

    Attributes:
        receipts: Of events that are stored.
        problems: (number of the event in the message, why it was refused).
    """

    receipts: Sequence[Receipt] = ()
    problems: Sequence[tuple[int, Problem]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """
    Reads, stores and answers.

    Attributes:
        reader: Messages to drafts.
        assembler: Drafts to entries.
        outbox: Where entries are kept.
        clock: What time it is.
        notify: Told after something was stored.
        max_event_bytes: Larger events would not fit Kafka.
    """

    reader: DraftReader
    assembler: Assembler
    outbox: Outbox
    clock: Clock
    notify: Callable[[], None]
    max_event_bytes: int = 900_000
    _mono: Callable[[], float] = field(default=time.monotonic)

    async def read(self, inbounds: Sequence[Inbound], intent: Intent) -> list[Draft | Problem]:
        """
        Read every event of a message.

        Raises:
            TransportError: It cannot be found out now whether the caller may do this.
        """
        return [
            await self.reader.read(inbound, intent, index) for index, inbound in enumerate(inbounds)
        ]

    async def store(self, drafts: Sequence[Draft | Problem]) -> Answer:
        """
        Store every draft in one transaction, and answer once they are on disk.

        Raises:
            TransportError: The disk does not take it; nothing was stored.
        """
        begun = self._mono()
        problems = {n: draft for n, draft in enumerate(drafts) if isinstance(draft, Problem)}
        entries: dict[int, tuple[Draft, Entry]] = {}
        for number, draft in enumerate(drafts):
            if isinstance(draft, Draft):
                entry = await compute(self.assembler.entry, draft.size, draft, self.clock())
                if len(entry.value) > self.max_event_bytes:
                    problems[number] = _too_large(self.max_event_bytes)
                else:
                    entries[number] = draft, entry
        receipts = []
        if entries:
            results = await self.outbox.accept([entry for _, entry in entries.values()])
            self.notify()
            for (number, (draft, _)), result in zip(entries.items(), results, strict=True):
                if isinstance(result, Conflict):
                    problems[number] = _conflict(draft)
                else:
                    receipts.append(result)
                    _count(draft, result)
            metrics.ACCEPT_SECONDS.observe(self._mono() - begun)
        return Answer(receipts=receipts, problems=sorted(problems.items(), key=_number))


def most_urgent(drafts: Sequence[Draft | Problem]) -> str:
    """Return the highest rank among drafts, as far as there are any."""
    ranks = {draft.parsed.urgency["rank"] for draft in drafts if isinstance(draft, Draft)}
    return next((rank for rank in RANKS if rank in ranks), RANKS[-1])


def _conflict(draft: Draft) -> Problem:
    errors = [("$", OTHER_CONTENT)] if draft.has_derived_key else []
    return Problem(code=Code.CONFLICT, errors=errors)


def _too_large(max_bytes: int) -> Problem:
    rule = f"encoded event is larger than {max_bytes} bytes"
    return Problem(code=Code.TOO_LARGE, errors=[("$", rule)])


def _number(item: tuple[int, Problem]) -> int:
    return item[0]


def _count(draft: Draft, receipt: Receipt) -> None:
    if receipt.repeated:
        metrics.REPEATED.inc()
        return
    metrics.ACCEPTED.labels(draft.parsed.event_type, draft.parsed.urgency["rank"]).inc()
    for finding in draft.findings:
        metrics.FINDINGS.labels(finding.code).inc()
    log.info(
        "event stored",
        event_id=receipt.event_id,
        referral_id=receipt.referral_id,
        event_type=receipt.event_type,
        party=draft.party.id,
        findings=len(draft.findings),
    )
