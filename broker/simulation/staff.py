"""
The people of a stand-in agency: they answer what reaches them, each referral in the order given.

What to answer is told beforehand per referral; whoever was told nothing acts like a team on a quiet
day: sees it, and takes it. An answer goes to intake like any system's, under the agency's own key.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
import structlog

from broker.domain.errors import TransportError
from broker.runtime.clock import Clock
from broker.runtime.http_client import HttpClient
from broker.simulation.moments import LONDON, fill_in

log = structlog.get_logger()

Answer = Mapping[str, Any]
"""``event`` and ``body``; times in the body may be relative."""

PAUSES_S: Final = (0.1, 0.3, 1.0, 2.0, *(5.0,) * 20)
TRY_AGAIN: Final = frozenset({403, 404, 408, 425, 429, 500, 502, 503, 504})
"""403 and 404 too: another machine's intake may not have read yet that we got the referral."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """
    Who answers for one party.

    Attributes:
        party: Party id.
        team: Its name, as it signs.
        role: Of whoever is on duty.
        call_back: Where it can be rung.
        key: Its API key for intake.
        usual: What it answers when nobody told it otherwise.
        think_s: How long somebody looks at the screen before each answer.
    """

    party: str
    team: str
    role: str
    call_back: str
    key: str = field(repr=False)
    usual: Sequence[Answer] = ()
    think_s: float = 0.2


class Staff:
    """
    Answers referrals for the desks of one stand-in.

    Args:
        desks: Who answers for whom.
        intake: Connection to intake.
        clock: Asks the time.
        pauses_s: Between attempts at one answer; after the last it is given up and counted.
    """

    def __init__(
        self,
        desks: Sequence[Desk],
        intake: HttpClient,
        clock: Clock,
        *,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._desks = {desk.party: desk for desk in desks}
        self._intake = intake
        self._clock = clock
        self._pauses_s = pauses_s
        self._told: dict[tuple[str, str], Sequence[Answer]] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self.failed = 0

    def tell(self, party: str, referral_id: str, answers: Sequence[Answer]) -> None:
        """Say beforehand what to answer to one referral."""
        self._told[party, referral_id] = answers

    def react(self, party: str, referral_id: str, urgency: Mapping[str, Any] | None) -> None:
        """Begin to answer a referral that has just come in."""
        desk = self._desks.get(party)
        if desk is None:
            return
        answers = self._told.pop((party, referral_id), desk.usual)
        task = asyncio.create_task(self._answer(desk, referral_id, answers, urgency))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _answer(
        self,
        desk: Desk,
        referral_id: str,
        answers: Sequence[Answer],
        urgency: Mapping[str, Any] | None,
    ) -> None:
        for sequence, answer in enumerate(answers, 1):
            await asyncio.sleep(desk.think_s)
            document = answer_document(desk, answer, sequence, urgency, self._clock())
            await self._post(desk, referral_id, document)

    async def _post(self, desk: Desk, referral_id: str, document: Mapping[str, Any]) -> None:
        headers = {
            "Authorization": f"Bearer {desk.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"{referral_id}-{document['sequence']}",
        }
        path, body = f"/v1/referrals/{referral_id}/events", orjson.dumps(document)
        for pause_s in self._pauses_s:
            status = await self._attempt(path, headers, body)
            if status not in TRY_AGAIN:
                break
            await asyncio.sleep(pause_s)
        if not 200 <= status < 300:
            self.failed += 1
            log.error("answer not accepted", party=desk.party, code=status)

    async def _attempt(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            return (await self._intake.exchange("POST", path, headers=headers, body=body)).status
        except TransportError:
            return 503


def answer_document(
    desk: Desk,
    answer: Answer,
    sequence: int,
    urgency: Mapping[str, Any] | None,
    now: datetime,
) -> dict[str, Any]:
    """Return an answer as canonical JSON, with what the desk always says filled in."""
    event = answer["event"]
    body = {name: dict(section) for name, section in answer.get("body", {}).items()}
    for section, usual in _usual_words(desk, event).items():
        body[section] = {**usual, **body.get(section, {})}
    return {
        "event_type": event,
        "sequence": sequence,
        "occurred_at": now.astimezone(LONDON).isoformat(timespec="seconds"),
        "environment": "test",
        "urgency": urgency,
        "body": fill_in(body, now),
    }


def _usual_words(desk: Desk, event: str) -> dict[str, dict[str, Any]]:
    who = {"team": desk.team, "role": desk.role}
    call_back = {"call_back_number": desk.call_back}
    usual: dict[str, dict[str, dict[str, Any]]] = {
        "referral_acknowledged": {"acknowledgement": {**who, "at": "@now"}},
        "referral_accepted": {"acceptance": {**who, **call_back, "from_when": "@now"}},
        "referral_declined": {"decline": {**who, **call_back, "at": "@now"}},
        "referral_outcome": {"outcome": {"at": "@now"}},
    }
    return usual.get(event, {})
