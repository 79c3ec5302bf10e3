"""
When to try again: the one place of back-off.

Pure: time and chance are arguments.
A view is tried quickly until its deadline, then slowly until a person resolves it; it is never
given up by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

Chance = Callable[[], float]
"""Return a number from 0 to 1, e.g. `random.random`."""

RANKS: Final = ("immediate", "unknown", "urgent", "soon", "routine")
"""First things first; an unknown urgency is nearly as urgent as it gets until a person sets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """
    How one urgency is retried.

    Attributes:
        patience_s: From the moment the broker accepted the event to the page.
        first_s: Pause after the first failure; doubles with each further one.
        longest_s: Longest pause before the deadline.
        parked_s: Pause between tries after the deadline.
    """

    patience_s: float
    first_s: float = 1.0
    longest_s: float
    parked_s: float


BACKOFFS: Final[Mapping[str, Backoff]] = {
    "immediate": Backoff(patience_s=120, longest_s=10, parked_s=60),
    "unknown": Backoff(patience_s=120, longest_s=10, parked_s=60),
    "urgent": Backoff(patience_s=600, longest_s=30, parked_s=120),
    "soon": Backoff(patience_s=1800, longest_s=60, parked_s=300),
    "routine": Backoff(patience_s=3600, longest_s=120, parked_s=300),
}


def priority(rank: str) -> int:
    """Return the place of a rank in the queue, 0 first; a rank never heard of counts as unknown."""
    return RANKS.index(rank if rank in RANKS else "unknown")


def deadline(rank: str, accepted_at: datetime) -> datetime:
    """Return when a person must be paged if the view has not been delivered."""
    return accepted_at + timedelta(seconds=_backoff(rank).patience_s)


def next_attempt(
    *,
    rank: str,
    attempts: int,
    now: datetime,
    due: datetime,
    chance: Chance,
    retry_after_s: float = 0.0,
) -> datetime:
    """
    Return when to try again after *attempts* failures.

    Before the deadline *due* the pause doubles, with up to half of it left to chance so that
    views which failed together do not come back together; one try always falls on the deadline.
    After it the pause is long and steady. What the agency asks for (`Retry-After`) lengthens a
    pause, yet never past the deadline and never past ten slow pauses.
    """
    plan = _backoff(rank)
    if now >= due:
        pause = min(max(plan.parked_s, retry_after_s), 10 * plan.parked_s)
        return now + timedelta(seconds=_jittered(pause, chance))
    pause = min(plan.longest_s, plan.first_s * 2 ** min(attempts - 1, 30))
    pause = max(_jittered(pause, chance), retry_after_s)
    # Compared as seconds first: an absurd Retry-After must not overflow a date.
    return due if pause >= (due - now).total_seconds() else now + timedelta(seconds=pause)


def retry_after_s(header: str | None, now: datetime) -> float:
    """Read a `Retry-After` header, seconds or a date; what cannot be read asks for nothing."""
    if not header:
        return 0.0
    if header.strip().isascii() and header.strip().isdigit():
        return float(min(int(header.strip()[:9]), 86_400))
    try:
        asked = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return 0.0
    asked = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
    return max(0.0, (asked - now).total_seconds())


def _jittered(pause: float, chance: Chance) -> float:
    return pause * (0.5 + 0.5 * chance())


def _backoff(rank: str) -> Backoff:
    return BACKOFFS.get(rank, BACKOFFS["unknown"])
