"""Receipts to intake: the same each time, never given up, and stopping nothing else."""

import json
from pathlib import Path

import pytest

from broker.codec.canonical_json import read_document
from broker.codec.catalogue import load_catalogue
from tests.support.agency import Got, Reply, stand_in
from tests.support.deliver import bench, example

BRIDGE = "referral_made.unknown_man_on_bridge"


@pytest.mark.parametrize("status", [200, 202, 409])
async def test_a_receipt_that_intake_has_is_closed(tmp_path: Path, status: int) -> None:
    """Accepted, or known already: both mean that the control room can see it."""

    async def answer(_got: Got) -> Reply:
        return Reply(status=status)

    async with (
        stand_in() as agency,
        stand_in(answer) as intake,
        bench(tmp_path, agency.url, intake_url=intake.url) as made,
    ):
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()
        await made.deliver.receipts.step()

        assert await made.inbox.receipts.waiting() == 0


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_a_receipt_that_intake_does_not_take_comes_again(tmp_path: Path, status: int) -> None:
    """Same address, same key, same bytes, until it is taken; the delivery stays a delivery."""
    replies = iter([Reply(status=status), Reply(status=202)])

    async def answer(_got: Got) -> Reply:
        return next(replies)

    async with (
        stand_in() as agency,
        stand_in(answer) as intake,
        bench(tmp_path, agency.url, intake_url=intake.url) as made,
    ):
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()
        await made.deliver.receipts.step()
        assert await made.inbox.receipts.waiting() == 1

        made.watch.forward(60)
        await made.deliver.receipts.step()

        assert await made.inbox.receipts.waiting() == 0
        assert (await made.inbox.standing()).waiting == 0

    first, second = intake.got
    assert (first.path, first.body) == (second.path, second.body)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_an_intake_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    """Views go on to the agency; their receipts wait on disk."""
    async with (
        stand_in() as agency,
        bench(tmp_path, agency.url, intake_url="http://127.0.0.1:1") as made,
    ):
        for number in (1, 2):
            await made.take(await made.maker.view(example(BRIDGE), number=number))
            await made.step()
            await made.deliver.receipts.step()

        waiting = await made.inbox.receipts.waiting()

    assert (len(agency.got), waiting) == (2, 2)


async def test_intake_understands_the_receipt(tmp_path: Path) -> None:
    """The document is canonical JSON without a single finding of substance."""
    async with (
        stand_in() as agency,
        stand_in() as intake,
        bench(tmp_path, agency.url, intake_url=intake.url) as made,
    ):
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()
        await made.deliver.receipts.step()

    parsed = read_document(load_catalogue(), json.loads(intake.got[0].body))
    assert parsed.event_type == "referral_received"
    assert parsed.body["receipt"]["request_id"] == agency.got[0].headers["webhook-id"]
    assert [each.code for each in parsed.findings if each.code != "urgency-missing"] == []
