"""
Plays scenarios: tells the stand-ins' people what to answer, lets the control room send, and waits.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from broker.domain import ids
from broker.processes.deliver_dispatch import RECEIPT_FOR
from broker.runtime.clock import utc_now
from broker.simulation.chronicle import Case, Chronicle
from broker.simulation.mailbox import Item
from broker.simulation.scenarios import Answer, Scenario, Step
from broker.simulation.standins import Standins
from broker.simulation.witness import Witness

STORED: Final = 202
PATIENCE_S: Final = 60.0
BETWEEN_S: Final = 0.35
"""Between two scenarios, so that a person can follow."""

LOOK_S: Final = 0.15
OUTAGE: Final = "the outage"
ACKNOWLEDGE: Final = {"event": "referral_acknowledged"}


@dataclass(slots=True, kw_only=True)
class Played:
    """
    One scenario in one run.

    Attributes:
        referral_id: As intake derives it.
        receipts: Of everything the sender sent, in order.
        accept_s: Seconds to each receipt.
        trouble: What did not happen, in words; empty if all did.
        left_out: What of the scenario could not be played here, and why.
    """

    scenario: Scenario
    referral_id: str
    receipts: list[dict[str, Any]] = field(default_factory=list)
    accept_s: list[float] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


class Player:
    """Plays scenarios on one installation."""

    def __init__(self, standins: Standins, witness: Witness, secret: bytes, run: str) -> None:
        self._standins = standins
        self._witness = witness
        self._secret = secret
        self._run = run
        self.played: list[Played] = []

    async def play_all(
        self,
        scenarios: Sequence[Scenario],
        *,
        without_kafka: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]] | str,
    ) -> None:
        """
        Play all scenarios, those that need Kafka away last and alone.

        Where it cannot be away, they are played as if it were not asked for, and say so.

        Args:
            scenarios: In the order to be sent.
            without_kafka: Does something while Kafka is stopped, or the reason why it cannot be.
        """
        can_stop = not isinstance(without_kafka, str)
        together = [each for each in scenarios if not (each.kafka_down and can_stop)]
        async with asyncio.TaskGroup() as group:
            for scenario in together:
                played = self._open(scenario)
                if scenario.kafka_down:
                    played.left_out[OUTAGE] = str(without_kafka)
                group.create_task(self._play(played))
                await asyncio.sleep(BETWEEN_S)
        if not isinstance(without_kafka, str):
            for scenario in (each for each in scenarios if each.kafka_down):
                await self._play_without_kafka(scenario, without_kafka)
        await self._until_delivered()

    async def _play_without_kafka(
        self,
        scenario: Scenario,
        without_kafka: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
    ) -> None:
        played = self._open(scenario)

        async def send() -> None:
            await self._begin(played)

        await without_kafka(send)
        if any(receipt["state"] != "stored here" for receipt in played.receipts):
            played.trouble.append("the receipt does not say that Kafka has not got it yet")
        await self._follow(played)

    def _open(self, scenario: Scenario) -> Played:
        reference = scenario.reference(self._run)
        referral_id = ids.referral_id(self._secret, scenario.sender, reference)
        played = Played(scenario=scenario, referral_id=referral_id)
        self.played.append(played)
        return played

    async def _play(self, played: Played) -> None:
        await self._begin(played)
        await self._follow(played)

    async def _begin(self, played: Played) -> None:
        scenario = played.scenario
        for party in dict.fromkeys(scenario.recipients()):
            answers = [_told(each) for each in scenario.answers_of(party)]
            await self._standins.tell(party, played.referral_id, answers or [ACKNOWLEDGE])
        await self._send(played, *scenario.message(self._run, utc_now()))

    async def _follow(self, played: Played) -> None:
        for sequence, step in enumerate(played.scenario.step, 2):
            await self._take_step(played, step, sequence)
        for answer in played.scenario.answer:
            await self._await(played, answer.by, answer.event)

    async def _take_step(self, played: Played, step: Step, sequence: int) -> None:
        for before in step.after:
            await self._await(played, *before.split())
        document = played.scenario.step_document(step, self._run, sequence, utc_now())
        await self._send(played, "/v1/referrals", "application/json", json.dumps(document).encode())
        await self._await(played, played.scenario.sender, step.event)

    async def _send(self, played: Played, path: str, media_type: str, body: bytes) -> None:
        sender = played.scenario.sender
        found = await self._standins.send(sender, path, media_type, body)
        if found["status"] != STORED:
            played.trouble.append(f"intake answered {found['status']} @ {path}")
            return
        played.receipts += found["answer"].get("receipts") or [found["answer"]]
        played.accept_s.append(found["seconds"])

    async def _await(self, played: Played, party: str, event_type: str) -> None:
        def has_come(chronicle: Chronicle) -> bool:
            case = chronicle.cases.get(played.referral_id)
            return case is not None and case.has(party, event_type)

        if not await self._witness.until(has_come, PATIENCE_S):
            played.trouble.append(f"no {event_type} by {party}")

    async def _until_delivered(self) -> None:
        """Wait until every view is with its agency, and everything read that follows from it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._all_is_quiet():  # noqa: ASYNC110 - agencies tell us nothing
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            self.played[-1].trouble.append("not everything was delivered")

    async def _all_is_quiet(self) -> bool:
        chronicle = self._witness.chronicle
        before = len(chronicle.events), len(chronicle.views), len(chronicle.disclosures)
        items, _ = await self._standins.received()
        if not _delivered(chronicle, items) or await self._witness.lag():
            return False
        receipts = sum(event.event_type == "referral_received" for event in chronicle.events)
        if receipts < sum(view.event_type in RECEIPT_FOR for view in chronicle.views):
            return False
        after = len(chronicle.events), len(chronicle.views), len(chronicle.disclosures)
        return before == after


def settled(case: Case) -> bool:
    """Whether a referral ended accepted or declined by a team."""
    return case.state is not None and case.state.is_answered


def _told(answer: Answer) -> dict[str, Any]:
    return {"event": answer.event, "body": answer.body}


def _delivered(chronicle: Chronicle, items: Sequence[Item]) -> bool:
    return len(items) >= len(chronicle.views)
