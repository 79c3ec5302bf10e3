"""
What a caller may use: bytes, seconds and requests.

A flood of one party takes nothing from another, and an immediate referral is never refused for
the rate: it draws on a reserve, and beyond that it is accepted and counted, so that a person asks.
"""

import asyncio
import math
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from typing import Final

from broker.runtime import metrics
from broker.runtime.problems import Code, refuse

Monotonic = Callable[[], float]
"""Return monotonic seconds, e.g. `time.monotonic`."""

RESERVE_SHARE: Final = 1.0
NEVER_REFUSED: Final = "immediate"
RESERVED: Final = ("immediate", "unknown")


@dataclass(slots=True)
class TokenBucket:
    """
    Allows a burst, then a steady rate.

    Attributes:
        capacity: Largest burst.
        per_second: Steady rate.
    """

    capacity: float
    per_second: float
    clock: Monotonic
    _level: float = math.inf
    _seen_at: float = 0.0

    def take(self, count: int = 1) -> float:
        """Take *count* if they are there and return 0.0, else return the seconds until they are."""
        now = self.clock()
        gained = max(0.0, now - self._seen_at) * self.per_second
        self._level, self._seen_at = min(self.capacity, self._level + gained), now
        wanted = min(float(count), self.capacity)
        if self._level >= wanted:
            self._level -= wanted
            return 0.0
        return (wanted - self._level) / self.per_second


class RateLimits:
    """
    One bucket and one reserve for each party.

    Args:
        per_minute: Steady rate of one party; the burst is a minute's worth.
        clock: Monotonic seconds.
    """

    def __init__(self, per_minute: int, clock: Monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[tuple[str, bool], TokenBucket] = {}

    def admit(self, party: str, rank: str, count: int = 1) -> None:
        """
        Let *count* events of a rank in.

        Raises:
            ProblemError: 429 with the seconds to wait.
        """
        wait_s = self._bucket(party, reserve=False).take(count)
        if wait_s and rank in RESERVED:
            wait_s = self._bucket(party, reserve=True).take(count)
        if not wait_s:
            return
        if rank == NEVER_REFUSED:
            metrics.RATE_OVERDRAWN.labels(party).inc()
            return
        raise refuse(
            Code.TOO_MANY, "$", "rate of this party exceeded", retry_after_s=math.ceil(wait_s)
        )

    def _bucket(self, party: str, *, reserve: bool) -> TokenBucket:
        share = RESERVE_SHARE if reserve else 1.0
        return self._buckets.setdefault(
            (party, reserve),
            TokenBucket(self._per_minute * share, self._per_minute * share / 60.0, self._clock),
        )


async def read_body(
    chunks: AsyncIterable[bytes], *, max_bytes: int, timeout_s: float, stated: str | None = None
) -> bytes:
    """
    Read a request's body, no larger and no slower than allowed.

    Args:
        chunks: The body as it arrives.
        max_bytes: Reading stops here, whatever Content-Length says.
        timeout_s: For the whole body.
        stated: The Content-Length header.

    Raises:
        ProblemError: 413 or 408.
    """
    if stated and stated.isascii() and stated.isdigit() and int(stated[:19]) > max_bytes:
        raise _too_large(max_bytes)
    received = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in chunks:
                received += chunk
                if len(received) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        rule = f"body must arrive within {timeout_s:g} seconds"
        raise refuse(Code.TOO_SLOW, "$", rule) from None
    return bytes(received)


def _too_large(max_bytes: int) -> Exception:
    return refuse(Code.TOO_LARGE, "$", f"body is larger than {max_bytes} bytes")
