"""Waiting that ends early when something happens, such as the process being told to stop."""

import asyncio


async def wait_or_stop(stop: asyncio.Event, seconds: float) -> None:
    """Wait for *seconds*, or until *stop* is set."""
    await wait_for_any(seconds, stop)


async def wait_for_any(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of *events* is set, at most for *seconds*."""
    if any(event.is_set() for event in events):
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
