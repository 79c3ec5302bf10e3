"""Back-off: quick until the deadline, one try on it, slow for ever after."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codec.catalogue import load_catalogue
from broker.runtime.retry import (
    BACKOFFS,
    RANKS,
    deadline,
    next_attempt,
    priority,
    retry_after_s,
)

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
ranks = st.sampled_from([*RANKS, "something-new"])
chances = st.floats(0, 1)


def after(seconds: float) -> datetime:
    """The instant so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def test_every_rank_of_the_schema_has_a_backoff_and_a_place() -> None:
    """No urgency the schema knows is left to a default."""
    symbols = load_catalogue().type_schema("crisis.types.Rank")["symbols"]

    assert set(symbols) == set(RANKS) == set(BACKOFFS)


def test_an_unknown_urgency_goes_before_everything_but_immediate() -> None:
    """A rank nobody understood is not put last, and one never heard of counts the same."""
    assert sorted(RANKS, key=priority) == ["immediate", "unknown", "urgent", "soon", "routine"]
    assert priority("something-new") == priority("unknown")


def test_the_deadline_runs_from_acceptance() -> None:
    """What waited in Kafka has used up its patience there."""
    assert deadline("immediate", NOW) == after(120)
    assert deadline("routine", NOW) == after(3600)


def test_pauses_double_up_to_the_longest() -> None:
    """Without chance the pauses of an immediate view are 1, 2, 4, 8, 10, 10 seconds."""
    pauses = [
        next_attempt(rank="immediate", attempts=n, now=NOW, due=after(9999), chance=lambda: 1.0)
        - NOW
        for n in range(1, 7)
    ]

    assert [pause.total_seconds() for pause in pauses] == [1, 2, 4, 8, 10, 10]


def test_one_try_falls_on_the_deadline() -> None:
    """A pause that would run past the deadline ends on it."""
    found = next_attempt(rank="routine", attempts=9, now=NOW, due=after(7), chance=lambda: 1.0)

    assert found == after(7)


@pytest.mark.parametrize(("rank", "pause_s"), [("immediate", 60), ("routine", 300)])
def test_after_the_deadline_the_pause_is_long_and_steady(rank: str, pause_s: float) -> None:
    """A parked view is tried slowly, however often it failed."""
    for attempts in (1, 50):
        found = next_attempt(rank=rank, attempts=attempts, now=NOW, due=NOW, chance=lambda: 1.0)

        assert found == after(pause_s)


def test_retry_after_is_honoured_but_not_past_the_deadline() -> None:
    """An agency may ask for time, yet not for more than the person in crisis has."""
    asked = {"rank": "immediate", "attempts": 1, "now": NOW, "chance": lambda: 0.0}

    assert next_attempt(**asked, due=after(100), retry_after_s=30) == after(30)
    assert next_attempt(**asked, due=after(100), retry_after_s=3600) == after(100)


@given(ranks, st.integers(1, 10_000), st.floats(-1e6, 1e6), chances, st.floats(0, 1e12))
def test_the_next_attempt_is_always_ahead_and_never_beyond_reason(
    rank: str, attempts: int, due_in_s: float, chance: float, asked_s: float
) -> None:
    """Whatever happens, time moves on, and nothing waits for hours."""
    due = after(due_in_s)

    found = next_attempt(
        rank=rank,
        attempts=attempts,
        now=NOW,
        due=due,
        chance=lambda: chance,
        retry_after_s=asked_s,
    )

    assert found > NOW
    assert found <= (due if due > NOW else after(3000))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("Sun, 22 Nov 2026 14:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 13:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("²", 0),
        ("99999999999999999999", 86_400),
        ("", 0),
        (None, 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float) -> None:
    """Both forms of the header are understood; anything else asks for nothing."""
    assert retry_after_s(header, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_breaks_the_retry(header: str) -> None:
    """An agency's header can say anything at all."""
    assert retry_after_s(header, NOW) >= 0
