"""
How a member is told its partitions: one call at a time, in order, and never fatal.

Both logs use it, so that a callback behaves alike on either.
"""

import asyncio
from collections.abc import Iterable

import structlog

from broker.domain.streams import Assigned, Partition

log = structlog.get_logger()


class Announcer:
    """Calls one member's callback; remembers whether the last call went well."""

    def __init__(self, assigned: Assigned, group: str) -> None:
        self._assigned = assigned
        self._group = group
        self._one_at_a_time = asyncio.Lock()
        self._silenced = False
        self.healthy = True

    async def tell(self, partitions: Iterable[Partition]) -> None:
        """Await the callback; an exception of its own makes us unhealthy until the next call."""
        async with self._one_at_a_time:
            if self._silenced:
                return
            try:
                await self._assigned(frozenset(partitions))
            except Exception:
                self.healthy = False
                log.exception("assignment callback failed", group=self._group)
            else:
                self.healthy = True

    def silence(self) -> None:
        """Call no more."""
        self._silenced = True
