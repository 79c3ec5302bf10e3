"""
A connection with admin rights to a Kafka cluster, and what its answers mean.

Only `crisis-broker` commands and tests use it; no process has such rights.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import aiokafka.errors as kafka
from aiokafka.admin import AIOKafkaAdminClient

from broker.domain.errors import ConfigurationError, TransportError
from broker.runtime.kafka_connection import KafkaSecurity

DEADLINE_S: Final = 30.0
_POLL_S: Final = 0.02
_REFUSALS: Final = (
    kafka.AuthenticationFailedError,
    kafka.AuthenticationMethodNotSupported,
    kafka.ClusterAuthorizationFailedError,
    kafka.IncompatibleBrokerVersion,
    kafka.InvalidConfigurationError,
    kafka.InvalidPartitionsError,
    kafka.InvalidReplicationFactorError,
    kafka.InvalidRequestError,
    kafka.InvalidTopicError,
    kafka.PolicyViolationError,
    kafka.SaslAuthenticationFailed,
    kafka.SecurityDisabled,
    kafka.TopicAuthorizationFailedError,
    kafka.UnsupportedSaslMechanismError,
    kafka.UnsupportedVersionError,
)


@asynccontextmanager
async def administer(
    bootstrap: str, security: KafkaSecurity | None = None, timeout_s: float = DEADLINE_S
) -> AsyncIterator[AIOKafkaAdminClient]:
    """
    Connect as an administrator for the length of the block, which ends within *timeout_s*.

    Raises:
        ConfigurationError: The cluster refused.
        TransportError: It did not answer, or not in time.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap,
        # Shorter than the whole: a connection cancelled from outside while it is made is leaked.
        request_timeout_ms=int(timeout_s * 1000 / 3),
        **(security or KafkaSecurity()).options(),
    )
    try:
        async with asyncio.timeout(timeout_s):
            await admin.start()
            yield admin
    except _REFUSALS as error:
        raise ConfigurationError(f"Kafka refused: {type(error).__name__} @ {bootstrap}") from error
    except (kafka.KafkaError, OSError) as error:
        raise TransportError(
            f"Kafka did not answer: {type(error).__name__} @ {bootstrap}"
        ) from error
    finally:
        await admin.close()


def raise_for(code: int, place: str) -> None:
    """Raise what Kafka answered about *place*, unless it was "done"."""
    error = kafka.for_code(code)
    if issubclass(error, _REFUSALS):
        raise ConfigurationError(f"Kafka refused: {error.__name__} @ {place}")
    if error is not kafka.NoError:
        raise TransportError(f"Kafka could not do it now: {error.__name__} @ {place}")


async def is_serving(
    bootstrap: str, timeout_s: float, security: KafkaSecurity | None = None
) -> bool:
    """
    Tell whether the cluster does its work: both kinds of coordinator answer.

    Asking makes Kafka create its internal topics, so that the first transaction need not wait.
    """
    try:
        async with administer(bootstrap, security, timeout_s=timeout_s) as admin:
            await admin.find_coordinator("probe", 0)
            await admin.find_coordinator("probe", 1)
    except TransportError:
        return False
    return True


async def until_seen(is_seen: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes: a controller has answered before its brokers have heard of it."""
    while not await is_seen():  # noqa: ASYNC110 - Kafka tells nobody, it has to be asked
        await asyncio.sleep(_POLL_S)
