"""From intake to the bytes of a view: what is withheld leaves no trace on the whole way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.domain.streams import Output, Partition
from broker.processes.audit import read_all
from broker.processes.provisioning import topic_plan
from broker.runtime import topics
from broker.runtime.memory import MemoryLog
from tests.broker.processes.intake_site import intake_site
from tests.support import site as support
from tests.support.site import bench, example

ROUTE = {"recipient": "northvale-crisis", "purpose": "crisis-response"}
NEIGHBOUR = "referral_made.anonymous_neighbour"


async def released(folder: Path, *documents: dict[str, Any]) -> list[bytes]:
    """Send documents to an intake, release what it stored, and return the views as they stand."""
    async with intake_site(folder) as site:
        for document in documents:
            assert (await site.send(document)).status_code == 202
        places = [waiting.place for waiting in await site.outbox.waiting()]
        payloads = [await site.outbox.payload(place) for place in places]
    settings = support.test_settings(folder, "t")
    async with bench(settings, MemoryLog({})) as here:
        here.log = MemoryLog({spec.name: 1 for spec in topic_plan(settings, here.book)})
        here.site = replace(here.site, log=here.log)
        events = Partition(topics.events_topic("t"), 0)
        await here.put(*(Output(partition=events, key=p.key, value=p.value) for p in payloads))
        await here.work(until=len(payloads))
        lane = Partition(topics.release_topic("t", ROUTE["recipient"], ROUTE["purpose"]), 0)
        return [record.value async for record in read_all(here.log, lane)]


@pytest.mark.parametrize("given", ["Bríd", "Somebody with a far longer name"])
async def test_an_anonymous_neighbour_leaves_no_trace(tmp_path: Path, given: str) -> None:
    """With one informant, another, or none at all the recipient gets the same bytes, id included."""
    told = example(NEIGHBOUR, routes=[ROUTE])
    told["body"]["informant"]["name"]["given"] = given
    untold = {**told, "body": {**told["body"], "informant": None}}

    with_informant = await released(tmp_path / "a", told)
    without = await released(tmp_path / "b", untold)

    assert len(with_informant) == 1
    assert with_informant == without
