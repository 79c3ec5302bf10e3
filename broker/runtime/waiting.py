"""Waiting that ends early when the process is told to stop."""

import asyncio


async def wait_or_stop(stop: asyncio.Event, seconds: float) -> None:
    """Wait for *seconds*, or until *stop* is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
