"""Waiting ends with what is waited for, and leaves nothing running."""

import asyncio

import pytest

from broker.runtime.waiting import wait_for_any, wait_or_stop

FOR_EVER = 1e6


async def test_any_of_the_events_ends_the_wait() -> None:
    """Whichever comes, also while we wait; nothing is left behind in the loop."""
    stop, news = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(wait_for_any(FOR_EVER, stop, news))
    await asyncio.sleep(0)
    news.set()

    async with asyncio.timeout(20):
        await waiting

    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_has_happened_already_is_not_waited_for() -> None:
    """A stop that came first counts."""
    stop = asyncio.Event()
    stop.set()

    async with asyncio.timeout(20):
        await wait_or_stop(stop, FOR_EVER)


async def test_without_any_event_the_time_ends_the_wait() -> None:
    """Even no time at all is an end."""
    async with asyncio.timeout(20):
        await wait_for_any(0.0, asyncio.Event(), asyncio.Event())


async def test_a_wait_that_is_cancelled_leaves_nothing_running() -> None:
    """The process may end in the middle of it."""
    waiting = asyncio.create_task(wait_for_any(FOR_EVER, asyncio.Event()))
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
