"""Keeps long computations off the event loop, so that a small urgent message need not wait."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LARGE_BYTES: Final = 64 * 1024
"""A message of this size takes some tens of milliseconds; going to a thread takes a tenth of one."""


async def compute(work: Callable[P, T], size: int, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call *work*: at once for a message of few bytes, in a thread for one of many."""
    if size < LARGE_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
