"""Reading release topics: nothing is skipped, lost in silence, or read twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from broker.domain.errors import TransportError
from broker.domain.streams import Partition
from broker.runtime import metrics
from tests.support.agency import stand_in
from tests.support.deliver import CRISIS, Bench, bench, example

BRIDGE = "referral_made.unknown_man_on_bridge"


async def follow_until(made: Bench, count: int) -> None:
    """Run the reader until the inbox holds so many views."""
    stop = asyncio.Event()
    task = asyncio.create_task(made.deliver.reader.run(stop))
    async with asyncio.timeout(20):
        while (await made.inbox.standing()).waiting < count:  # noqa: ASYNC110 - it is on disk
            await asyncio.sleep(0)
    stop.set()
    await task


async def test_a_record_that_is_no_view_takes_its_place_and_pages(tmp_path: Path) -> None:
    """Garbage, a truncated view and an unknown schema: parked each, and the rest goes on."""
    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        whole = await made.maker.view(example(BRIDGE))
        await made.put(b"", b"garbage", whole[:-1], b"\x00\x00\x00\x00\x07" + whole[5:], whole)
        await follow_until(made, 5)
        await made.step()

        parked = await made.inbox.pages.all()
        positions = await made.inbox.positions()

    assert len(agency.got) == 1
    assert [each.reason for each in parked] == ["malformed-message"] * 3 + ["schema-unknown"]
    assert positions == {Partition(made.topic, 0): 5}


async def test_a_record_read_twice_is_one_view(tmp_path: Path) -> None:
    """A reader that starts from the beginning again brings nothing new."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        view = await made.maker.view(example(BRIDGE))
        await made.take(view)
        made.offset = 0
        await made.take(view)

        standing = await made.inbox.standing()

    assert standing.waiting == 1


async def test_while_the_registry_is_away_nothing_is_skipped(tmp_path: Path) -> None:
    """The position stays before a view that could not be looked at."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        view = await made.maker.view(example(BRIDGE))
        opener = made.deliver.opener
        registry = opener._registry

        class Away:
            async def schema(self, _schema_id: int) -> dict[str, Any]:
                raise TransportError("registry answered 503")

        opener._registry = Away()
        with pytest.raises(TransportError):
            await made.take(view)
        assert await made.inbox.positions() == {}

        opener._registry = registry
        await made.put(view)
        await follow_until(made, 1)

        assert await made.inbox.positions() == {Partition(made.topic, 0): 1}


async def test_views_that_retention_deleted_are_counted_and_said(tmp_path: Path) -> None:
    """After a very long outage the loss is loud, and reading goes on."""
    counter = metrics.VIEWS_LOST.labels(CRISIS)
    before = counter._value.get()

    class Reader:
        sought = -1

        async def beginning(self, _partition: Partition) -> int:
            return 12

        def seek(self, _partition: Partition, offset: int) -> None:
            self.sought = offset

    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        partition, reader = Partition(made.topic, 0), Reader()
        await made.inbox.take([], {partition: 5}, made.watch.now)

        await made.deliver.reader._seek(reader, [partition])

    assert reader.sought == 12
    assert counter._value.get() == before + 7


async def test_a_recipient_without_topics_waits_and_says_so(tmp_path: Path) -> None:
    """Not provisioned yet is a reason for not being ready, and no error."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        made.log._store._topics.clear()
        stop = asyncio.Event()
        task = asyncio.create_task(made.deliver.reader.run(stop))
        async with asyncio.timeout(20):
            while made.deliver.reader.problem != "no release topic exists yet":  # noqa: ASYNC110
                await asyncio.sleep(0)
        stop.set()
        await task
