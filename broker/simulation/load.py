"""
Posts referrals to an intake at a steady rate, whether it answers or not.

Open loop: a slow answer delays no later referral, so that the latencies are those a busy evening
would see. One bad answer stops nothing; every one is counted.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from broker.domain.errors import TransportError
from broker.runtime.http_client import HttpClient
from broker.simulation import cad
from broker.simulation.traffic import Document

UNREACHED = "not reached"


@dataclass(slots=True, kw_only=True)
class Tally:
    """
    What became of the referrals posted so far.

    Attributes:
        posted: Begun, answered or not.
        accepted: Answered with a receipt.
        refused: Count by HTTP status, or ``not reached``.
        latencies_s: Of the accepted ones, from posting to receipt.
        elapsed_s: From the first posting to the last answer.
        event_ids: Of the receipts, to look them up later.
    """

    posted: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0
    event_ids: list[str] = field(default_factory=list)

    def percentile_ms(self, share: float) -> float | None:
        """Return a percentile of the accept latency; None while nothing has been accepted."""
        return percentile(self.latencies_s, share)


def percentile(seconds: Iterable[float], share: float) -> float | None:
    """
    Return a percentile in milliseconds; None of nothing.

    >>> percentile([0.004, 0.002, 0.1], 0.5)
    4.0
    """
    ordered = sorted(seconds)
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it is posted."""

    path: str
    media_type: str
    body: bytes


def as_json(document: Document) -> Message:
    """Return a referral as canonical JSON."""
    return Message(path="/v1/referrals", media_type="application/json", body=orjson.dumps(document))


def as_cad(document: Document) -> Message:
    """Return a referral as a control room's own export of one row."""
    body = cad.export([cad.row_of(document)])
    return Message(path=cad.PATH, media_type=cad.MEDIA_TYPE, body=body)


async def post_all(
    client: HttpClient,
    key: str,
    messages: Iterable[Message],
    *,
    rate: float,
    told: Callable[[Tally], None],
) -> Tally:
    """
    Post every message, *rate* of them a second, and wait for all answers.

    Args:
        client: Of the intake's address.
        key: API key of the sending party.
        messages: What to post; ends when they end.
        rate: Postings a second.
        told: Called about once a second with the tally so far.
    """
    tally = Tally()
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_tell(tally, told))
        posts = []
        for number, message in enumerate(messages):
            await asyncio.sleep(began + number / rate - time.monotonic())
            tally.posted += 1
            posts.append(group.create_task(_post(client, key, message, tally)))
        await asyncio.gather(*posts)
        watching.cancel()
    tally.elapsed_s = time.monotonic() - began
    return tally


async def _post(client: HttpClient, key: str, message: Message, tally: Tally) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": message.media_type}
    began = time.monotonic()
    try:
        answer = await client.exchange("POST", message.path, headers=headers, body=message.body)
    except TransportError:
        tally.refused[UNREACHED] += 1
        return
    if not 200 <= answer.status < 300:
        tally.refused[str(answer.status)] += 1
        return
    tally.accepted += 1
    tally.latencies_s.append(time.monotonic() - began)
    found = orjson.loads(answer.body)
    tally.event_ids += [each["event_id"] for each in found.get("receipts") or [found]]


async def _tell(tally: Tally, told: Callable[[Tally], None]) -> None:
    while True:
        await asyncio.sleep(1.0)
        told(tally)
