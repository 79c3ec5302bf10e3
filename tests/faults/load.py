"""Control rooms that do not give up: every referral is sent until intake has said yes."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from broker.domain.errors import TransportError
from broker.runtime.http_client import HttpAnswer, HttpClient
from broker.simulation.traffic import referrals

ROUTES = (("northvale-crisis", "crisis-response"), ("midshire-ambulance", "responder-safety"))
UPDATES = 2
MOST = 60
"""Referrals of one load: on a slow machine a process takes long to come back."""

AGAIN_S = 0.2
BUSY = frozenset({429, 503})

Document = Mapping[str, Any]


def cases(seed: int, *, routes: Sequence[tuple[str, str]] = ROUTES) -> Iterator[list[Document]]:
    """Invent referrals without end, each followed by updates that its recipients may see."""
    stated = [{"recipient": recipient, "purpose": purpose} for recipient, purpose in routes]
    for made in referrals(seed, begin=datetime.now(UTC), every=timedelta(milliseconds=20)):
        yield [
            {**made, "routes": stated},
            *(_update(made, sequence) for sequence in range(2, 2 + UPDATES)),
        ]


def _update(made: Document, sequence: int) -> Document:
    return {
        **{name: made[name] for name in ("reference", "occurred_at", "environment", "urgency")},
        "event_type": "referral_updated",
        "sequence": sequence,
        "routes": [],
        "body": {
            "changes": {"reason": "moved", "paths": ["subject.location_now"]},
            "subject": {"location_now": {"description": f"by lamp post {sequence}"}},
        },
    }


@dataclass(slots=True)
class Load:
    """
    What has been sent.

    Attributes:
        clients: Of intakes; every message goes to each of them.
        key: API key of the sender.
        accepted: Event ids of all receipts, in the order they came.
        refused: Answers that no sender can do anything about.
        repeats: How often a message had to be sent again.
    """

    clients: Sequence[HttpClient]
    key: str
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    repeats: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def has_accepted(self, count: int) -> None:
        """Wait until there are so many receipts."""
        async with asyncio.timeout(120), self._changed:
            await self._changed.wait_for(lambda: len(self.accepted) >= count or self.refused)

    async def send(self, found: Iterator[list[Document]], rate: float, stop: asyncio.Event) -> None:
        """Begin *rate* referrals a second until *stop* or `MOST`, then see them all through."""
        loop = asyncio.get_running_loop()
        begun, number = loop.time(), 0
        async with asyncio.TaskGroup() as group:
            while not stop.is_set() and number < MOST:
                group.create_task(self.see_through(next(found)))
                number += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, begun + number / rate - loop.time())):
                        await stop.wait()

    async def send_some(self, found: Iterator[list[Document]], count: int) -> None:
        """Send *count* referrals at once and see them through."""
        async with asyncio.TaskGroup() as group:
            for case in islice(found, count):
                group.create_task(self.see_through(case))

    async def see_through(self, case: Sequence[Document]) -> None:
        """Send one referral and what follows it, one after the other."""
        for document in case:
            async with asyncio.TaskGroup() as group:
                for client in self.clients:
                    group.create_task(self._insist(client, orjson.dumps(document)))

    async def _insist(self, client: HttpClient, body: bytes) -> None:
        answer = None
        while answer is None or answer.status in BUSY:
            try:
                answer = await self._post(client, body)
            except TransportError:
                answer = None
            if answer is None or answer.status in BUSY:
                self.repeats += 1
                await asyncio.sleep(AGAIN_S)  # the other side is being started again
        async with self._changed:
            if 200 <= answer.status < 300:
                self.accepted.append(orjson.loads(answer.body)["event_id"])
            else:
                self.refused.append(f"{answer.status} {answer.body.decode()}")
            self._changed.notify_all()

    async def _post(self, client: HttpClient, body: bytes) -> HttpAnswer:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return await client.exchange("POST", "/v1/referrals", headers=headers, body=body)


@asynccontextmanager
async def under_load(load: Load, found: Iterator[list[Document]], rate: float) -> Any:
    """Keep sending while the body runs; afterwards everything sent has been answered."""
    stop = asyncio.Event()
    task = asyncio.create_task(load.send(found, rate, stop))
    try:
        yield load
        stop.set()
        await asyncio.wait_for(task, 120)
    finally:
        stop.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
