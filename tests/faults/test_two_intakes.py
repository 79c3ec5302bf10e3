"""The same message given to two intakes is one event."""

from collections import Counter
from itertools import islice

import pytest

from tests.faults.accounts import read, settle
from tests.faults.installation import Installation, until
from tests.faults.load import cases, under_load

pytestmark = [pytest.mark.kafka, pytest.mark.crash]


async def test_a_message_given_to_two_intakes_is_released_once(site: Installation):
    """Both give the same id, the log may hold it twice, and every recipient gets it once."""
    await site.start_all()
    await site.second_intake()
    load = site.load()

    async with under_load(load, cases(1), 8):
        await load.has_accepted(60)
        await site.running["intake-2"].kill()
        await site.restart_second_intake()
    books = await settle(site, load.accepted)

    assert load.refused == []
    assert len(load.accepted) == 2 * len(set(load.accepted))
    assert len(books.events) > len(books.first)


async def test_a_repeat_is_known_to_a_release_that_never_saw_the_first(site: Installation):
    """What was released before is read back at a take-over: a late repeat makes no second view."""
    await site.start_all()
    load = site.load()
    sent = list(islice(cases(2), 6))
    for case in sent:
        await load.see_through(case)
    await settle(site, load.accepted)

    await site.running["release"].kill()
    await site.release()
    await site.second_intake()
    late = site.load()
    late.clients = [site.intakes["intake-2"]]
    for case in sent:
        await late.see_through(case)
    await until(lambda: _has_twice(site, load.accepted), "the log holds every event twice")
    await settle(site, load.accepted)

    assert (load.refused, late.refused) == ([], [])
    assert late.accepted == load.accepted


async def _has_twice(site: Installation, accepted: list[str]) -> bool:
    times = Counter(event.event_id for event in (await read(site)).events)
    return all(times[event_id] == 2 for event_id in accepted)
