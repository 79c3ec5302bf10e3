"""Reading partitions in memory, with the waiting and the limits of a real log."""

import asyncio
from collections.abc import Mapping

from broker.domain.errors import TransportError
from broker.domain.streams import Partition, Record
from broker.runtime.memory_partition import MemoryPartition


class MemoryReader:
    """Reads its partitions in turn; spent after the first error."""

    def __init__(self, partitions: Mapping[Partition, MemoryPartition]) -> None:
        self._partitions = partitions
        self._positions = dict.fromkeys(partitions, 0)
        self._turns = list(partitions)
        self._spent = False

    def seek(self, partition: Partition, offset: int) -> None:
        """Continue this partition at *offset*; takes effect on the next `fetch`."""
        if offset < 0:
            raise ValueError("an offset is never negative")
        if partition not in self._positions:
            raise KeyError(partition)
        self._positions[partition] = offset

    async def fetch(self, timeout_s: float, max_records: int = 500) -> list[Record]:
        """Return what is there, at most *max_records*; wait up to *timeout_s* for the first."""
        if self._spent:
            raise TransportError("this reader is spent, open another @ fetch")
        loop = asyncio.get_running_loop()
        give_up = loop.time() + timeout_s
        await asyncio.sleep(0)
        while not (records := self._read(max_records)) and loop.time() < give_up:
            await self._wait(give_up - loop.time())
        return records

    async def position(self, partition: Partition) -> int:
        """Return the offset the next `fetch` continues at; markers that were read are passed."""
        records, after = self._partitions[partition].read(self._positions[partition], 1)
        if not records:
            self._positions[partition] = after
        return self._positions[partition]

    async def beginning(self, partition: Partition) -> int:
        """Return the first offset: nothing is ever deleted here."""
        self._partitions[partition]
        return 0

    async def end(self, partition: Partition) -> int:
        """Return the last stable offset."""
        return self._partitions[partition].stable_end()

    async def offset_at(self, partition: Partition, timestamp_ms: int) -> int | None:
        """Return the first offset at or after a time; None if there is none."""
        return self._partitions[partition].offset_at(timestamp_ms)

    async def aclose(self) -> None:
        """Let go."""
        self._spent = True

    def _read(self, max_records: int) -> list[Record]:
        found: list[Record] = []
        for partition in tuple(self._turns):
            if len(found) == max_records:
                break
            stored, position = self._partitions[partition], self._positions[partition]
            try:
                records, after = stored.read(position, max_records - len(found))
            except TransportError:
                self._spent = True
                raise
            self._positions[partition] = after
            found += records
            # Whoever was read waits for the others next time.
            self._turns.remove(partition)
            self._turns.append(partition)
        return found

    async def _wait(self, timeout_s: float) -> None:
        waits = [partition.wait() for partition in self._partitions.values()]
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
