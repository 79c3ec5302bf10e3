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
        while (await made.inbox.standing()).waiting < count:
            assert not task.done()
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


@pytest.mark.parametrize("new", [[3], [2, 3], [3, 4, 2]])
async def test_a_topic_made_anew_is_read_from_its_beginning(tmp_path: Path, new: list[int]) -> None:
    """Shorter than before, as long, or longer: no view is skipped, and people are told."""
    replaced = metrics.LOG_REPLACED.labels(CRISIS)._value
    pages = metrics.PAGES.labels(CRISIS, "log-replaced")._value
    before = replaced.get(), pages.get()

    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        await made.put(*[await made.maker.view(example(BRIDGE), number=n) for n in (1, 2)])
        await follow_until(made, 2)
        made.log._store._partitions.clear()
        await made.put(*[await made.maker.view(example(BRIDGE), number=n) for n in new])

        await follow_until(made, len({1, 2, *new}))

        positions = await made.inbox.positions()

    # A view that stands in both is stored once.
    assert positions == {Partition(made.topic, 0): len(new)}
    assert (replaced.get(), pages.get()) == (before[0] + 1, before[1] + 1)


async def test_a_topic_that_is_the_same_calls_nobody(tmp_path: Path) -> None:
    """A restart goes on where it stood, also where much has come meanwhile."""
    replaced = metrics.LOG_REPLACED.labels(CRISIS)._value
    before = replaced.get()

    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        for count in (1, 2, 4):
            while made.log._store.partition(Partition(made.topic, 0)).stable_end() < count:
                made.offset += 1
                await made.put(await made.maker.view(example(BRIDGE), number=made.offset))
            await follow_until(made, count)

    assert replaced.get() == before


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
