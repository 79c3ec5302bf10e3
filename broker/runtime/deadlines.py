"""
The one place where a call into a library gets its deadline.

Clients of brokers and partners retry for ever, or hang on a connection that is neither open nor
closed. Nothing of ours waits for them longer than it said it would.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from broker.domain.errors import OutcomeUnknownError

T = TypeVar("T")


async def within(limit_s: float, call: Coroutine[Any, Any, T], place: str) -> T:
    """
    Await *call* for at most *limit_s* seconds, whatever it does with its cancellation.

    It runs as a task of its own, which is told to stop but not waited for: libraries swallow
    cancellation in places, and then a plain timeout would wait with them.

    Args:
        limit_s: Seconds.
        call: A coroutine that was not started yet.
        place: What is being called, for the error; never a value.

    Raises:
        OutcomeUnknownError: No answer in time, or the call was cancelled from inside. It may
            have happened, or happen yet.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait({task}, timeout=limit_s)
    finally:
        if not task.done():
            task.cancel()
        task.add_done_callback(_retrieve)
    if not task.done() or task.cancelled():
        raise OutcomeUnknownError(f"no answer within the deadline @ {place}")
    return task.result()


def _retrieve(task: "asyncio.Future[Any]") -> None:
    # What fails after its deadline has been reported already; asyncio would log it once more.
    if not task.cancelled():
        task.exception()
