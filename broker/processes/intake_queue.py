"""
Which entry of the outbox goes next: urgent first, one in flight for each referral.

Pure: knows places and priorities, never payload, Kafka or a clock of its own. Taking costs the
logarithm of what waits, since after a long outage that can be very many.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from broker.runtime.outbox import Waiting


@dataclass(slots=True)
class _Referral:
    """The entries of one referral in the order they were accepted."""

    entries: deque[Waiting] = field(default_factory=deque)
    busy: bool = False

    def rank(self) -> tuple[int, int]:
        # An urgent update behind a routine referral pulls the whole referral forward.
        return min(entry.priority for entry in self.entries), self.entries[0].place


class ForwardQueue:
    """Orders what waits; every entry taken must be finished, put back or parked."""

    def __init__(self) -> None:
        self._referrals: dict[str, _Referral] = {}
        # Both heaps may hold outdated items; they are passed over when they come up.
        self._ready: list[tuple[tuple[int, int], str]] = []
        self._parked: list[tuple[float, str]] = []
        self._count = 0
        self.last_place = 0

    def __len__(self) -> int:
        """Return how many entries wait or are in flight."""
        return self._count

    def extend(self, entries: Iterable[Waiting]) -> None:
        """Append entries in the order they were accepted."""
        for entry in entries:
            referral = self._referrals.setdefault(entry.referral_id, _Referral())
            referral.entries.append(entry)
            self._offer(entry.referral_id)
            self._count += 1
            self.last_place = entry.place

    def take(self, now: float, *, worst_priority: int | None = None) -> Waiting | None:
        """
        Return the most urgent entry whose referral has none in flight; None if there is none.

        Args:
            now: Monotonic seconds; parked referrals wait for their time.
            worst_priority: Leave less urgent ones alone: the last places are kept free.
        """
        self._wake(now)
        while self._ready:
            rank, referral_id = self._ready[0]
            referral = self._referrals.get(referral_id)
            if referral is None or referral.busy or referral.rank() != rank:
                heapq.heappop(self._ready)
            elif worst_priority is not None and rank[0] > worst_priority:
                return None
            else:
                heapq.heappop(self._ready)
                referral.busy = True
                return referral.entries[0]
        return None

    def finish(self, entry: Waiting) -> None:
        """Kafka has it: the next entry of its referral may go."""
        referral = self._referrals[entry.referral_id]
        referral.entries.popleft()
        self._count -= 1
        if referral.entries:
            self.put_back(referral.entries[0])
        else:
            del self._referrals[entry.referral_id]

    def put_back(self, entry: Waiting) -> None:
        """Kafka may not have it: the same entry goes again."""
        self._referrals[entry.referral_id].busy = False
        self._offer(entry.referral_id)

    def park(self, entry: Waiting, until: float) -> None:
        """Kafka refuses it: its referral, and no other, waits until a given time."""
        heapq.heappush(self._parked, (until, entry.referral_id))

    def parked(self) -> int:
        """Return how many referrals wait for their time."""
        return len(self._parked)

    def next_time(self) -> float | None:
        """Return when the next parked referral may go; None if none is parked."""
        return self._parked[0][0] if self._parked else None

    def oldest(self) -> datetime | None:
        """Return when the oldest entry was accepted; asks every referral, so not for each event."""
        return min((each.entries[0].accepted_at for each in self._referrals.values()), default=None)

    def _wake(self, now: float) -> None:
        while self._parked and self._parked[0][0] <= now:
            _, referral_id = heapq.heappop(self._parked)
            self._referrals[referral_id].busy = False
            self._offer(referral_id)

    def _offer(self, referral_id: str) -> None:
        referral = self._referrals[referral_id]
        if not referral.busy:
            heapq.heappush(self._ready, (referral.rank(), referral_id))
