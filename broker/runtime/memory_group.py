"""
A consumer group in memory: every change takes all partitions back before it hands any out.

That is how aiokafka does it too, so whoever works with this works with that.
"""

import asyncio

from broker.domain.streams import Assigned, Partition
from broker.runtime.assignments import Announcer


class MemoryMembership:
    """A place in a group, kept until closed."""

    def __init__(self, group: "MemoryGroup", announcer: Announcer) -> None:
        self._group = group
        self.announcer = announcer

    @property
    def healthy(self) -> bool:
        """Whether the last callback went well; this group hears of us always."""
        return self.announcer.healthy

    async def aclose(self) -> None:
        """Leave the group; the callback is not called any more."""
        self.announcer.silence()
        self._group.leave(self)


class MemoryGroup:
    """The members for one topic, and the task that shares its partitions out."""

    def __init__(self, name: str, partitions: tuple[Partition, ...]) -> None:
        self._name = name
        self._partitions = partitions
        self._members: list[MemoryMembership] = []
        self._generation = 0
        self._sharing: asyncio.Task[None] | None = None

    def join(self, assigned: Assigned) -> MemoryMembership:
        """Add a member; its first assignment follows by itself."""
        member = MemoryMembership(self, Announcer(assigned, self._name))
        self._members.append(member)
        self._change()
        return member

    def leave(self, member: MemoryMembership) -> None:
        """Remove a member, once or more often."""
        if member in self._members:
            self._members.remove(member)
            self._change()

    def _change(self) -> None:
        self._generation += 1
        if self._sharing is None or self._sharing.done():
            self._sharing = asyncio.ensure_future(self._share())

    async def _share(self) -> None:
        shared = 0
        while shared != self._generation:
            shared = self._generation
            members = tuple(self._members)
            await asyncio.gather(*(m.announcer.tell(()) for m in members))
            if shared != self._generation:
                continue
            parts = (self._partitions[n :: len(members)] for n in range(len(members)))
            tellings = zip(members, parts, strict=True)
            await asyncio.gather(*(m.announcer.tell(part) for m, part in tellings))
