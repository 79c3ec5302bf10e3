"""
What Kafka has refused to write, and until when it is left alone.

A topic that refuses holds its own views and no others. A held route that is refused while others
of its topic get through is left alone by itself: one view too large must not close a whole lane.
"""

from datetime import datetime, timedelta
from typing import Final

from broker.processes.release_state import RouteKey
from broker.runtime.clock import Clock

PAUSES_S: Final = (15, 30, 60, 120, 300)
"""How long what was refused is not tried again; the longer, the oftener it was refused in a row."""

Refused = str | RouteKey
"""A release topic, or one referral's route."""


class Refusals:
    """The refusals of one partition; they outlive a take-over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: dict[Refused, int] = {}
        self._until: dict[Refused, datetime] = {}

    def __len__(self) -> int:
        """Return how much was refused, and has not been written since."""
        return len(self._times)

    def __contains__(self, refused: Refused) -> bool:
        """Whether it was refused, and has not been written since."""
        return refused in self._times

    def add(self, refused: Refused) -> None:
        """Leave it alone, longer than the last time."""
        self._times[refused] = self._times.get(refused, 0) + 1
        self._until.pop(refused, None)

    def forget(self, refused: Refused) -> None:
        """It has been written."""
        self._times.pop(refused, None)
        self._until.pop(refused, None)

    def standing(self) -> frozenset[Refused]:
        """Return what is to be left alone now."""
        # A pause begins at the first look: a take-over lies between, which may last longer.
        now = self._clock()
        for refused, times in self._times.items():
            pause_s = PAUSES_S[min(times, len(PAUSES_S)) - 1]
            self._until.setdefault(refused, now + timedelta(seconds=pause_s))
        return frozenset(refused for refused, until in self._until.items() if now < until)

    def is_alone(self, route: RouteKey) -> bool:
        """Whether no other referral of its lane was refused by itself."""
        lane = route[1:]
        others = (each for each in self._times if not isinstance(each, str) and each != route)
        return all(each[1:] != lane for each in others)
