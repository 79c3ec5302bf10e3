"""Urgent first, one in flight for each referral, order kept."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.processes.intake_queue import ForwardQueue
from broker.runtime.outbox import Waiting

NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)


def waiting(place: int, referral: str = "a", priority: int = 4) -> Waiting:
    """Return one entry of the queue."""
    return Waiting(
        place=place,
        event_id=f"e{place}",
        referral_id=referral,
        priority=priority,
        accepted_at=NOW + timedelta(seconds=place),
    )


def test_the_most_urgent_goes_first() -> None:
    """An immediate referral overtakes routine ones that came before."""
    queue = ForwardQueue()
    queue.extend([waiting(1, "a", 4), waiting(2, "b", 4), waiting(3, "c", 0)])

    assert [queue.take(0.0), queue.take(0.0)] == [waiting(3, "c", 0), waiting(1, "a", 4)]


def test_one_in_flight_for_each_referral() -> None:
    """The second event of a referral waits until the first one is finished."""
    queue = ForwardQueue()
    queue.extend([waiting(1), waiting(2)])
    first = queue.take(0.0)
    blocked = queue.take(0.0)
    queue.finish(waiting(1))

    assert (first, blocked, queue.take(0.0)) == (waiting(1), None, waiting(2))


def test_an_urgent_update_pulls_its_referral_forward() -> None:
    """Order within a referral stays, but the whole referral becomes as urgent as its update."""
    queue = ForwardQueue()
    queue.extend([waiting(1, "a", 4), waiting(2, "b", 4), waiting(3, "b", 0)])

    assert queue.take(0.0) == waiting(2, "b", 4)


def test_put_back_goes_again_before_what_follows() -> None:
    """After a doubt the same entry comes again first."""
    queue = ForwardQueue()
    queue.extend([waiting(1), waiting(2)])
    queue.put_back(queue.take(0.0) or waiting(0))

    assert queue.take(0.0) == waiting(1)
    assert len(queue) == 2


def test_a_parked_referral_waits_for_its_time_and_delays_no_other() -> None:
    """Only the refused referral waits."""
    queue = ForwardQueue()
    queue.extend([waiting(1, "a"), waiting(2, "b")])
    queue.park(queue.take(0.0) or waiting(0), until=30.0)

    assert (queue.parked(), queue.next_time()) == (1, 30.0)
    assert queue.take(10.0) == waiting(2, "b")
    assert queue.take(29.9) is None
    assert queue.take(30.0) == waiting(1, "a")


def test_the_last_places_are_kept_for_the_urgent() -> None:
    """When places are scarce, only what is urgent enough is taken."""
    queue = ForwardQueue()
    queue.extend([waiting(1, "a", 4), waiting(2, "b", 2)])

    assert queue.take(0.0, worst_priority=2) == waiting(2, "b", 2)
    assert queue.take(0.0, worst_priority=2) is None
    assert queue.take(0.0) == waiting(1, "a", 4)


def test_the_oldest_is_known() -> None:
    """The age that is alarmed on is that of the oldest entry, taken or not."""
    queue = ForwardQueue()
    queue.extend([waiting(1, "a"), waiting(2, "b", 0)])
    queue.take(0.0)

    assert queue.oldest() == NOW + timedelta(seconds=1)
    assert ForwardQueue().oldest() is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=20),
    st.lists(st.sampled_from(["take", "finish", "back", "park", "wake"]), max_size=60),
)
def test_whatever_happens_each_referral_keeps_its_order_and_nothing_is_lost(
    arrivals: list[tuple[str, int]], moves: list[str]
) -> None:
    """Under any mix of success, doubt and refusal every entry is finished once, in order."""
    queue = ForwardQueue()
    queue.extend(waiting(place, *each) for place, each in enumerate(arrivals, start=1))
    taken: list[Waiting] = []
    finished: list[Waiting] = []
    now = 0.0
    for move in [*moves, *["finish", "wake", "take", "finish"] * (len(arrivals) + len(moves))]:
        now += 100.0 if move == "wake" else 0.0
        if move == "take":
            taken += [entry] if (entry := queue.take(now)) else []
        elif move == "finish" and taken:
            finished.append(taken.pop())
            queue.finish(finished[-1])
        elif move == "back" and taken:
            queue.put_back(taken.pop())
        elif move == "park" and taken:
            queue.park(taken.pop(), now + 50.0)
        assert len({entry.referral_id for entry in taken}) == len(taken)

    assert len(queue) == 0
    assert sorted(entry.place for entry in finished) == list(range(1, len(arrivals) + 1))
    for referral in "abc":
        places = [entry.place for entry in finished if entry.referral_id == referral]
        assert places == sorted(places)
