"""
Reading the disclosure record back: verified offline, record by record.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from broker.codec.disclosures import GENESIS, breaks, read_disclosure
from broker.domain.partitioning import partition_of
from broker.domain.streams import Log, Partition, Record
from broker.processes.release_state import read_range
from broker.runtime.open_log import open_log
from broker.runtime.settings import Settings
from broker.runtime.topics import disclosures_topic


async def verify_chains(
    settings: Settings, log: Log | None = None
) -> dict[int, tuple[int, list[int]]]:
    """Return, by partition, how many records there are and the places that break the chain."""
    topic = disclosures_topic(settings.namespace)
    results: dict[int, tuple[int, list[int]]] = {}
    async with opened(settings, log) as kafka:
        for number in range(await kafka.partitions(topic)):
            partition = Partition(topic, number)
            values = [record.value async for record in read_all(kafka, partition)]
            # Once old records have expired, the first that is left has nobody to be linked to.
            whole = await _begins_at_zero(kafka, partition)
            results[number] = (len(values), list(breaks(values, GENESIS if whole else None)))
    return results


async def disclosures_of(
    settings: Settings, referral_id: str, log: Log | None = None
) -> list[Mapping[str, Any]]:
    """Return every disclosure of one referral, oldest first."""
    topic = disclosures_topic(settings.namespace)
    async with opened(settings, log) as kafka:
        partition = Partition(topic, partition_of(referral_id, await kafka.partitions(topic)))
        found = [read_disclosure(record.value) async for record in read_all(kafka, partition)]
    return [record for record in found if record["referral_id"] == referral_id]


async def read_all(log: Log, partition: Partition) -> AsyncIterator[Record]:
    """Yield every committed record of a partition, up to where its end is now."""
    reader = await log.open_reader([partition])
    try:
        async for record in read_range(reader, partition, await reader.beginning(partition)):
            yield record
    finally:
        await reader.aclose()


async def _begins_at_zero(log: Log, partition: Partition) -> bool:
    reader = await log.open_reader([partition])
    try:
        return await reader.beginning(partition) == 0
    finally:
        await reader.aclose()


@asynccontextmanager
async def opened(settings: Settings, log: Log | None) -> AsyncIterator[Log]:
    """Use *log*, or open the one of the settings and close it afterwards."""
    if log is not None:
        yield log
        return
    kafka = open_log(settings, client_id="crisis-audit")
    try:
        yield kafka
    finally:
        await kafka.aclose()
