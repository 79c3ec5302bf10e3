"""A deadline holds whatever the call does with it."""

import asyncio

import pytest

from broker.domain.errors import OutcomeUnknownError
from broker.runtime.deadlines import within


async def test_an_answer_in_time_is_returned() -> None:
    """The result comes through."""

    async def answer() -> int:
        return 7

    assert await within(60, answer(), "asking") == 7


async def test_an_error_in_time_is_raised() -> None:
    """An error of the call's own is not dressed up as a deadline."""

    async def fail() -> None:
        raise KeyError("its own")

    with pytest.raises(KeyError):
        await within(60, fail(), "asking")


async def test_a_late_call_is_unknown_and_stopped() -> None:
    """Past the deadline the outcome is unknown, and the call is told to stop."""
    stopped = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Future()
        finally:
            stopped.set()

    with pytest.raises(OutcomeUnknownError, match="@ asking"):
        await within(0, hang(), "asking")
    async with asyncio.timeout(60):
        await stopped.wait()


async def test_a_call_that_swallows_cancellation_is_left_behind() -> None:
    """The caller is back although the call goes on; its late failure disturbs nobody."""
    go_on = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Future()
        except asyncio.CancelledError:
            await go_on.wait()
            raise KeyError("late") from None

    async with asyncio.timeout(60):
        with pytest.raises(OutcomeUnknownError):
            await within(0.001, stubborn(), "asking")
    (left,) = asyncio.all_tasks() - {asyncio.current_task()}
    go_on.set()
    await asyncio.wait([left])

    assert not left.cancelled()


async def test_a_call_cancelled_from_inside_is_unknown() -> None:
    """A library that cancels its own future does not cancel us."""

    async def cancelled() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(OutcomeUnknownError):
        await within(60, cancelled(), "asking")


async def test_cancelling_the_caller_cancels_the_call() -> None:
    """Nothing goes on for a caller that has gone."""
    began, stopped = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        began.set()
        try:
            await asyncio.Future()
        finally:
            stopped.set()

    caller = asyncio.ensure_future(within(60, hang(), "asking"))
    await began.wait()
    caller.cancel()
    await asyncio.wait([caller])

    assert caller.cancelled()
    async with asyncio.timeout(60):
        await stopped.wait()
