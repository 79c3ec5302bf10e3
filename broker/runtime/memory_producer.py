"""Writing to a log in memory, with and without transactions."""

import asyncio
from collections.abc import Mapping, Sequence

from broker.domain.errors import TransportError
from broker.domain.streams import Output, Partition
from broker.runtime.memory_partition import Outcome, Transaction
from broker.runtime.memory_store import MemoryStore, Ownership


class MemoryProducer:
    """Writes outside transactions."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._closed = False

    async def send(self, output: Output) -> int:
        """Write one record and return its offset."""
        await asyncio.sleep(0)
        if self._closed:
            raise TransportError("this producer is closed @ send")
        self._store.check_writable([output])
        return self._store.append(output)

    async def aclose(self) -> None:
        """Let go."""
        self._closed = True


class MemoryTransactionalProducer:
    """
    Commits outputs and offsets together; spent after the first error.

    Others run between its steps, as they do between requests to Kafka: a commit that is cancelled
    or fenced half way leaves a transaction open, which the next owner's opening aborts.
    """

    def __init__(self, store: MemoryStore, transactional_id: str, ownership: Ownership) -> None:
        self._store = store
        self._transactional_id = transactional_id
        self._ownership = ownership
        self._spent = False

    async def commit(
        self, outputs: Sequence[Output], offsets: Mapping[Partition, int], group: str
    ) -> None:
        """Write all outputs and move the group's offsets, all or nothing."""
        if self._spent:
            raise TransportError("this producer is spent, open another @ commit")
        self._spent = True
        self._store.check_writable(outputs)
        await self._step()
        transaction = self._ownership.transaction = Transaction()
        for output in outputs:
            self._ownership.written[output.partition] = None
            self._store.append(output, transaction)
        await self._step()
        self._ownership.offsets.update({(group, p): offset for p, offset in offsets.items()})
        await self._step()
        self._store.end(self._ownership, Outcome.COMMITTED)
        self._spent = False

    async def aclose(self) -> None:
        """Let go; an open transaction is left to the next owner."""
        self._spent = True

    async def _step(self) -> None:
        await asyncio.sleep(0)
        self._store.require_owner(self._transactional_id, self._ownership)
