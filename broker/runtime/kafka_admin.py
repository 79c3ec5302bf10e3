"""
Administers a Kafka cluster: is it serving, which topics are missing or different, make them so.

Needs admin rights, so that only `crisis-broker topics` and tests use it; no process does.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from broker.domain.errors import TransportError

DEADLINE_S: Final = 30.0


async def is_serving(bootstrap: str, timeout_s: float) -> bool:
    """
    Tell whether the cluster does its work: both kinds of coordinator answer.

    Asking makes Kafka create its internal topics, so that the first transaction need not wait.
    """
    try:
        async with _administer(bootstrap, timeout_s) as admin:
            await admin.find_coordinator("probe", 0)
            await admin.find_coordinator("probe", 1)
    except TransportError:
        return False
    return True


@asynccontextmanager
async def _administer(
    bootstrap: str, timeout_s: float = DEADLINE_S
) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=int(timeout_s * 1000)
    )
    try:
        async with asyncio.timeout(timeout_s):
            await admin.start()
            yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise TransportError(
            f"the cluster did not answer: {type(error).__name__} @ {bootstrap}"
        ) from error
    finally:
        await admin.close()
