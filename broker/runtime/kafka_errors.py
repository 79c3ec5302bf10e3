"""
Which of our errors each error of aiokafka becomes; nothing of aiokafka's passes this line.

Only two kinds are told apart, since only they change what a caller does: another instance owns the
transactional id, or one topic refuses. All the rest is "it may or may not have happened": what is
unknown is never taken for a failure. tests/kafka/test_traps.py lists every class of aiokafka's and
fails when a new one appears.
"""

import aiokafka.errors as kafka

from broker.domain.errors import FencedError, OutcomeUnknownError, TransportError, UnwritableError

FOREIGN = (
    kafka.KafkaError,
    kafka.ConsumerStoppedError,
    kafka.IllegalOperation,
    OSError,
    AssertionError,
)
"""
What aiokafka raises.

A deadline of its own is a TimeoutError, which is an OSError. It asserts what an answer of the broker
can break, such as that there are brokers: one that has just come back says there are none.
"""

FENCED = (kafka.ProducerFenced, kafka.InvalidProducerEpoch)
"""Another producer was opened with the same transactional id."""

UNWRITABLE: dict[type[kafka.KafkaError], str] = {
    kafka.TopicAuthorizationFailedError: "not authorised to write",
    kafka.UnknownTopicOrPartitionError: "no such topic or partition",
    kafka.InvalidTopicError: "not a valid topic name",
    kafka.MessageSizeTooLargeError: "record too large",
    kafka.RecordTooLargeError: "record too large",
    kafka.RecordListTooLargeError: "record too large",
    kafka.PolicyViolationError: "refused by a policy of the cluster",
}
"""One topic refuses, and will refuse the same record again."""


def write_error(error: BaseException, place: str, topic: str | None = None) -> TransportError:
    """
    Translate what a producer raised.

    Args:
        error: One of FOREIGN.
        place: What was being done.
        topic: The topic concerned; None where the error alone knows it.
    """
    if isinstance(error, FENCED):
        return FencedError(f"another instance owns this transactional id @ {place}")
    for refusal, rule in UNWRITABLE.items():
        if isinstance(error, refusal) and (named := topic or _topic_in(error)):
            return UnwritableError(named, rule)
    return OutcomeUnknownError(f"{type(error).__name__} @ {place}")


def read_error(error: BaseException, place: str) -> TransportError:
    """Translate what a reader, a lookup or a membership raised."""
    return TransportError(f"{type(error).__name__} @ {place}")


def _topic_in(error: BaseException) -> str | None:
    # A refused AddPartitionsToTxn names a set of topics, a refused batch one; others carry prose.
    for argument in error.args if isinstance(error, kafka.TopicAuthorizationFailedError) else ():
        if isinstance(argument, str):
            return argument
        if isinstance(argument, set | frozenset) and argument:
            return str(min(argument))
    return None
