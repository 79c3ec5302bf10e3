"""The same message given to two intakes is one event."""

import pytest

from tests.faults.accounts import settle
from tests.faults.installation import Installation
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
