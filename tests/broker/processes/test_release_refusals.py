"""What was refused is left alone for a while, and nothing else is."""

from datetime import UTC, datetime, timedelta

from broker.processes.release_refusals import PAUSES_S, Refusals
from broker.processes.release_state import RouteKey

TOPIC = "crisis.release.northvale-crisis.crisis-response"
ROUTE: RouteKey = ("a" * 32, "northvale-crisis", "crisis-response")


class Watch:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time it shows."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def test_a_pause_begins_when_it_is_first_looked_at():
    """However long the take-over between took, the next batch leaves alone what was refused."""
    watch = Watch()
    refusals = Refusals(watch)

    refusals.add(TOPIC)
    watch.forward(PAUSES_S[0] + 60)

    assert refusals.standing() == {TOPIC}
    watch.forward(PAUSES_S[0])
    assert refusals.standing() == frozenset()


def test_pauses_grow_up_to_a_limit():
    """What is refused again and again is tried more and more rarely, and never given up."""
    watch = Watch()
    refusals, waited = Refusals(watch), []

    for _ in range(len(PAUSES_S) + 2):
        refusals.add(ROUTE)
        began = watch.now
        while ROUTE in refusals.standing():
            watch.forward(1)
        waited.append((watch.now - began).total_seconds())

    assert waited == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]


def test_what_was_written_begins_anew():
    """After a success the next refusal counts as the first one."""
    watch = Watch()
    refusals = Refusals(watch)
    refusals.add(TOPIC)
    refusals.add(TOPIC)

    refusals.forget(TOPIC)

    assert (len(refusals), refusals.standing()) == (0, frozenset())
    refusals.add(TOPIC)
    refusals.standing()
    watch.forward(PAUSES_S[0])
    assert refusals.standing() == frozenset()


def test_one_refused_referral_does_not_speak_for_its_lane():
    """However often it is refused, it is alone until another referral of its lane is as well."""
    refusals = Refusals(Watch())
    refusals.add(("b" * 32, "midshire-ambulance", "responder-safety"))
    refusals.add(TOPIC)

    refusals.add(ROUTE)
    refusals.add(ROUTE)

    assert refusals.is_alone(ROUTE)
    refusals.add(("b" * 32, *ROUTE[1:]))
    assert not refusals.is_alone(ROUTE)
