"""Size, time and rate: for each party alone, and never at the price of an immediate referral."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker.runtime import metrics
from broker.runtime.limits import RateLimits, TokenBucket, read_body
from broker.runtime.problems import Code, ProblemError


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    """Yield the parts of a body."""
    for part in parts:
        yield part


async def stalled() -> AsyncIterator[bytes]:
    """Yield a beginning and then nothing more."""
    yield b"x"
    await asyncio.Event().wait()


def refusal(limits: RateLimits, rank: str, party: str = "midshire-police") -> int | None:
    """Ask for one event; return the seconds to wait, None if it was let in."""
    try:
        limits.admit(party, rank)
    except ProblemError as error:
        return error.problem.retry_after_s
    return None


def test_a_bucket_allows_a_burst_and_then_its_rate() -> None:
    """After the burst one more is there when its time has come."""
    clock = Hands()
    bucket = TokenBucket(3, 0.5, clock)
    burst = [bucket.take() for _ in range(4)]
    clock.now = 1.9
    early = bucket.take()
    clock.now = 2.0

    assert burst == [0.0, 0.0, 0.0, 2.0]
    assert round(early, 6) == 0.1
    assert bucket.take() == 0.0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    """A quiet night does not add up."""
    clock = Hands()
    bucket = TokenBucket(2, 1, clock)
    clock.now = 10_000.0

    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 1.0]


def test_a_message_larger_than_the_burst_is_not_locked_out() -> None:
    """It takes the whole bucket instead of waiting for ever."""
    assert TokenBucket(2, 1, Hands()).take(500) == 0.0


def test_a_routine_flood_is_slowed_and_told_when_to_come_back() -> None:
    """The party hears 429 with the seconds; others are not concerned."""
    limits = RateLimits(60, Hands())
    answers = [refusal(limits, "routine") for _ in range(61)]

    assert answers == [None] * 60 + [1]
    assert refusal(limits, "routine", "eastmoor-police") is None


def test_an_immediate_referral_is_never_refused_for_the_rate() -> None:
    """Beyond rate and reserve it is let in and counted."""
    limits = RateLimits(60, Hands())
    before = metrics.RATE_OVERDRAWN.labels("midshire-police")._value.get()
    answers = [refusal(limits, "immediate") for _ in range(125)]

    assert answers == [None] * 125
    assert metrics.RATE_OVERDRAWN.labels("midshire-police")._value.get() - before == 5


def test_an_unknown_urgency_draws_on_the_reserve_and_ends_there() -> None:
    """Leaving out the urgency is no way around the limit."""
    limits = RateLimits(60, Hands())
    answers = [refusal(limits, "unknown") for _ in range(121)]

    assert answers == [None] * 120 + [1]


async def test_a_body_within_the_limits_is_read_whole() -> None:
    """Chunks are put together."""
    assert await read_body(chunks(b"ab", b"", b"cd"), max_bytes=4, timeout_s=5) == b"abcd"


@pytest.mark.parametrize(
    ("parts", "stated"), [((b"ab", b"cde"), None), ((), "5"), ((b"abcde",), "1"), ((), "9" * 30)]
)
async def test_a_body_too_large_is_refused_whatever_it_states(
    parts: tuple[bytes, ...], stated: str | None
) -> None:
    """Content-Length may refuse early, but it is never believed."""
    with pytest.raises(ProblemError) as caught:
        await read_body(chunks(*parts), max_bytes=4, timeout_s=5, stated=stated)

    assert caught.value.problem.code is Code.TOO_LARGE


async def test_a_body_that_never_ends_is_refused() -> None:
    """Whoever sends a byte now and then holds no place for ever."""
    with pytest.raises(ProblemError) as caught:
        await read_body(stalled(), max_bytes=4, timeout_s=0.0)

    assert caught.value.problem.code is Code.TOO_SLOW
