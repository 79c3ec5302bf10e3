"""
Technical receipts to intake: "the recipient's machine has stored it".

Sent with the recipient's own key, so that intake sees who says so, and with a derived idempotency
key, so that a repeat is the same event. Nothing else waits for them.
"""

import asyncio
import json
import random
from datetime import datetime, timedelta
from typing import Final

import structlog

from broker.domain.errors import TransportError
from broker.runtime import metrics
from broker.runtime.clock import Clock
from broker.runtime.http_client import HttpAnswer, HttpClient
from broker.runtime.inbox import Inbox
from broker.runtime.inbox_rows import ReceiptDue
from broker.runtime.retry import Chance, next_attempt, retry_after_s
from broker.runtime.waiting import wait_for_any

log = structlog.get_logger()

AT_ONCE: Final = 20
IDLE_S: Final = 5.0
PATIENCE: Final = timedelta(minutes=10)
"""For so long a receipt is tried quickly; afterwards slowly, for ever."""

REPEATED: Final = 409


class ReceiptSender:
    """
    Tells intake of deliveries until told to stop.

    Args:
        inbox: Where receipts wait.
        client: Connection to intake.
        recipient: Party id.
        endpoint: What the receipt names as the endpoint that stored the view.
        key: The recipient's API key.
        clock: Asks the time.
        chance: Spreads repeated attempts.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        client: HttpClient,
        recipient: str,
        endpoint: str,
        key: bytes,
        clock: Clock,
        chance: Chance = random.random,
    ) -> None:
        self._inbox = inbox
        self._client = client
        self._recipient = recipient
        self._endpoint = endpoint
        self._authorization = f"Bearer {key.decode('ascii', 'replace')}"
        self._clock = clock
        self._chance = chance
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look for receipts now."""
        self._awake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send receipts until *stop*; what is left waits in the inbox."""
        while not stop.is_set():
            self._awake.clear()
            pause = IDLE_S
            try:
                pause = await self.step()
            except TransportError as error:
                log.error("inbox cannot be used", code=error.code, recipient=self._recipient)
            await wait_for_any(pause, stop, self._awake)

    async def step(self) -> float:
        """Send what is due; return how long to wait if nothing else happens, in seconds."""
        now = self._clock()
        due = await self._inbox.receipts.due(now, AT_ONCE)
        await asyncio.gather(*(self._send(receipt) for receipt in due))
        metrics.RECEIPTS_WAITING.labels(self._recipient).set(await self._inbox.receipts.waiting())
        if len(due) == AT_ONCE:
            return 0.0
        next_at = await self._inbox.receipts.next_due(now)
        until = IDLE_S if next_at is None else (next_at - now).total_seconds()
        return max(0.0, min(IDLE_S, until))

    async def _send(self, receipt: ReceiptDue) -> None:
        try:
            answer = await self._client.exchange(
                "POST",
                f"/v1/referrals/{receipt.referral_id}/events",
                headers={
                    "Authorization": self._authorization,
                    "Content-Type": "application/json",
                    "Idempotency-Key": f"received-{receipt.request_id}",
                },
                body=receipt_document(receipt, self._endpoint),
            )
        except TransportError as error:
            await self._again(receipt, error.code, 0.0)
            return
        if 200 <= answer.status < 300 or answer.status == REPEATED:
            await self._inbox.receipts.accepted(receipt.request_id, self._clock())
        else:
            asked = retry_after_s(answer.headers.get("retry-after"), self._clock())
            await self._again(receipt, _code(answer), asked)

    async def _again(self, receipt: ReceiptDue, code: str, asked_s: float) -> None:
        log.warning("receipt not accepted", code=code, attempts=receipt.attempts,
                    request_id=receipt.request_id, recipient=self._recipient)  # fmt: skip
        again_at = next_attempt(
            rank="urgent",
            attempts=receipt.attempts,
            now=self._clock(),
            due=receipt.stored_at + PATIENCE,
            chance=self._chance,
            retry_after_s=asked_s,
        )
        await self._inbox.receipts.failed(receipt.request_id, again_at)


def receipt_document(receipt: ReceiptDue, endpoint: str) -> bytes:
    """Return the canonical JSON document of one technical receipt; the same for every attempt."""
    stored_at = _text(receipt.stored_at)
    document = {
        "event_type": "referral_received",
        "occurred_at": stored_at,
        "environment": receipt.environment,
        "body": {
            "receipt": {
                "endpoint": endpoint,
                "stored_at": stored_at,
                "request_id": receipt.request_id,
            }
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _code(answer: HttpAnswer) -> str:
    return f"intake-{answer.status}"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
