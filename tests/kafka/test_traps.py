"""
What aiokafka 0.14 does that would hurt, and where it is kept from doing so.

| trap of aiokafka | kept away by | shown by |
|---|---|---|
| an idempotent send never times out, and arrives later | `within`; reported as unknown, never as failed | `test_a_silent_broker_stops_nobody` |
| `stop()` and `flush()` hang while a broker is away; so do tasks of a cancelled producer | `cut` | same; `test_cutting_leaves_no_task` |
| without idempotence, duplicates and reordering | `start_producer` always asks for it | `test_every_producer_is_idempotent` |
| one lost sequence number refuses all later sends | `KafkaProducer` opens anew after any doubt | `test_a_silent_broker_stops_nobody` |
| a client that was not started hangs, or lacks attributes | nobody gets one: opening starts it or raises | `test_nothing_opens_while_the_broker_is_away` |
| a transaction commits although a send in it failed | `send_all` awaits every batch | `test_a_batch_refused_by_the_broker_commits_nothing` |
| a refused record leaves a gap in the sequence, so the next is refused too | `KafkaProducer` opens anew | `test_a_refused_record_disturbs_no_other` |
| a topic refused in a transaction fails the others' batches too | `_worst` picks the refusal | `test_a_revoked_topic_is_named` |
| `commit()` of a consumer, auto-commit: wrong owner, no deadline | offsets move in transactions only | `test_no_consumer_commits_or_resets` |
| an offset out of range is silently reset | `auto_offset_reset="none"` | same, and the contract |
| a reader whose broker is away, or whose task died, is idle for ever | the silence of each partition is timed | `test_a_silent_broker_stops_nobody` |
| an exception of the fetcher skips records already taken | a reader is spent after any error | the contract |
| a raising deserialiser repeats for ever | none are used | `test_no_consumer_commits_or_resets` |
| listener exceptions are swallowed | `Announcer` remembers them | the contract |
| no heartbeat while partitions are being assigned | the callback runs in its own task | `test_a_slow_take_over_keeps_its_place` |
| joining longer than one request may take | `JOIN_REQUEST_MS` | `test_the_limits_fit_into_each_other` |
| a member that does not poll is put out | the membership polls by itself | the contract |
| a member fetches whatever it is assigned | paused and placed before the first request | `test_a_member_fetches_nothing` |
| no health of a member is shown | its answered heartbeats are noted | `test_a_silent_broker_stops_nobody` |
| an unknown or forbidden partition counts as "never committed" | `KafkaLookup.committed` raises | `test_a_missing_partition_is_not_uncommitted` |
| asking for a topic makes it, on brokers that auto-create | `partition_count` forbids it | `test_asking_never_makes_a_topic` |
| a missing topic is waited for, and blamed when the broker is away | `check_writable` | `test_nothing_opens_while_the_broker_is_away`, the contract |
| a transaction right after another waits 20 ms | `BACKOFF_OVERRIDE` | `test_the_back_off_that_we_shorten_exists` |
| a broker just back lists no brokers, which fails an assertion | it counts as any other error | `test_a_broker_that_knows_no_brokers_may_know_some_later` |
| payload in DEBUG lines | `quieten_loggers` | `test_debug_logs_hold_no_payload` |
| lz4 and gzip at their slowest level | no compression | `test_every_producer_is_idempotent` |
| codecs are missing at run time | locked with the package | `test_every_codec_can_be_read` |
| a renewed certificate is not seen | the caller's context is kept | `test_security_keeps_the_context` |
| new error classes | every class is listed here | `test_every_error_is_translated` |
"""

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import aiokafka.errors
import aiokafka.producer.sender
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from structlog.testing import capture_logs

from broker.domain.errors import (
    FencedError,
    OutcomeUnknownError,
    TransportError,
    UnwritableError,
)
from broker.domain.streams import Output, Partition
from broker.runtime import kafka_membership, kafka_producer, kafka_reader
from broker.runtime.acls import AclSpec, Operation, Resource, plan_acls, release_group
from broker.runtime.kafka import KafkaLog, KafkaSecurity
from broker.runtime.kafka_acls import create_acls, delete_acls
from broker.runtime.kafka_admin import apply
from broker.runtime.kafka_connection import KafkaAddress
from broker.runtime.kafka_errors import FOREIGN, read_error, write_error
from broker.runtime.local_kafka import LocalKafka
from broker.runtime.topics import disclosures_topic, plan, release_topic
from tests.contracts.logs import PARTITIONS, PATIENCE_S, Holder, make_topic, read

NOWHERE = "127.0.0.1:1"

T = TypeVar("T")


@pytest.fixture
async def log(kafka_bootstrap: str, namespace: str) -> AsyncIterator[KafkaLog]:
    """A log in the shared Kafka."""
    opened = KafkaLog(kafka_bootstrap, client_id=namespace)
    yield opened
    await opened.aclose()


@pytest.fixture
async def topic(kafka_bootstrap: str, namespace: str) -> str:
    """A topic of this test alone."""
    return await make_topic(kafka_bootstrap, f"{namespace}.events")


def output(topic: str, value: bytes = b"v", number: int = 0) -> Output:
    """A record."""
    return Output(partition=Partition(topic, number), key=b"k", value=value)


async def eventually(call: Callable[[], Awaitable[T]]) -> T:
    """Try again for as long as the error says that it may succeed later, as every caller does."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await call()
            except TransportError:
                await asyncio.sleep(0.1)


# --- errors

FENCED = "ProducerFenced InvalidProducerEpoch"
UNWRITABLE = """
    TopicAuthorizationFailedError UnknownTopicOrPartitionError InvalidTopicError
    MessageSizeTooLargeError RecordTooLargeError RecordListTooLargeError PolicyViolationError
"""
UNKNOWN = """
    AuthenticationFailedError AuthenticationMethodNotSupported BrokerNotAvailableError
    BrokerResponseError Cancelled ClusterAuthorizationFailedError CommitFailedError
    ConcurrentTransactions ConsumerStoppedError CorrelationIdError CorruptRecordException
    DelegationTokenAuthDisabled DelegationTokenAuthorizationFailed DelegationTokenExpired
    DelegationTokenNotFound DelegationTokenOwnerMismatch DelegationTokenRequestNotAllowed
    DuplicateSequenceNumber FetchSessionIdNotFound GroupAuthorizationFailedError
    GroupCoordinatorNotAvailableError GroupIdNotFound GroupLoadInProgressError
    IllegalArgumentError IllegalGenerationError IllegalOperation IllegalSaslStateError
    IllegalStateError IncompatibleBrokerVersion InconsistentGroupProtocolError
    InvalidCommitOffsetSizeError InvalidConfigurationError InvalidFetchRequestError
    InvalidFetchSessionEpoch InvalidGroupIdError InvalidPartitionsError InvalidPrincipalType
    InvalidProducerIdMapping InvalidReplicationAssignmentError InvalidReplicationFactorError
    InvalidRequestError InvalidRequiredAcksError InvalidSessionTimeoutError
    InvalidTimestampError InvalidTransactionTimeout InvalidTxnState KafkaConfigurationError
    KafkaConnectionError KafkaError KafkaProtocolError KafkaStorageError KafkaTimeoutError
    KafkaUnavailableError LeaderNotAvailableError ListenerNotFound LogDirNotFound
    MemberIdRequired MetadataEmptyBrokerList NoBrokersAvailable NoError
    NoOffsetForPartitionError NodeNotReadyError NonEmptyGroup NotControllerError
    NotCoordinatorForGroupError NotEnoughReplicasAfterAppendError NotEnoughReplicasError
    NotLeaderForPartitionError OffsetMetadataTooLargeError OffsetOutOfRangeError
    OperationNotAttempted OutOfOrderSequenceNumber ProducerClosed QuotaViolationError
    ReassignmentInProgress RebalanceInProgressError ReplicaNotAvailableError
    RequestTimedOutError SaslAuthenticationFailed SecurityDisabled StaleControllerEpochError
    StaleLeaderEpochCodeError StaleMetadata TooManyInFlightRequests TopicAlreadyExistsError
    TransactionCoordinatorFenced TransactionalIdAuthorizationFailed UnknownError
    UnknownMemberIdError UnknownProducerId UnrecognizedBrokerVersion UnsupportedCodecError
    UnsupportedForMessageFormatError UnsupportedSaslMechanismError UnsupportedVersionError
"""
EXPECTED = {
    **dict.fromkeys(FENCED.split(), FencedError),
    **dict.fromkeys(UNWRITABLE.split(), UnwritableError),
    **dict.fromkeys(UNKNOWN.split(), OutcomeUnknownError),
}
CLASSES = {
    kind.__name__: kind
    for kind in vars(aiokafka.errors).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
}


def test_every_error_is_translated() -> None:
    """Each class of aiokafka's has been thought about; a new one fails here until it has been."""
    translated = {
        name: type(write_error(kind.__new__(kind), "send", "topic"))
        for name, kind in CLASSES.items()
    }

    assert translated == EXPECTED
    assert not [n for n, kind in CLASSES.items() if not issubclass(kind, FOREIGN)]


def test_errors_name_the_place_and_never_the_message() -> None:
    """A broker's message may hold what a client sent; it goes no further."""
    error = aiokafka.errors.KafkaConnectionError("canary")

    for translated in (write_error(error, "send"), read_error(error, "fetch")):
        assert "canary" not in str(translated)
    assert type(read_error(error, "fetch")) is TransportError


def test_a_refused_set_of_topics_names_one() -> None:
    """AddPartitionsToTxn refuses with a set of names; one of them is named."""
    error = aiokafka.errors.TopicAuthorizationFailedError({"b", "a"})

    translated = write_error(error, "commit")

    assert isinstance(translated, UnwritableError)
    assert translated.topic == "a"


# --- settings


def test_the_limits_fit_into_each_other() -> None:
    """A limit inside another is the smaller one."""
    membership = kafka_membership
    assert kafka_producer.COMMIT_S * 1000 < kafka_producer.TRANSACTION_TIMEOUT_MS <= 10_000
    assert membership.DRAIN_S * 1000 < membership.REBALANCE_MS < membership.JOIN_REQUEST_MS
    assert membership.REBALANCE_MS >= 30_000
    assert membership.HEARTBEAT_MS * 3 < membership.SESSION_MS
    assert kafka_reader.LONG_POLL_MS * 4 < kafka_reader.SILENCE_S * 1000


def test_the_back_off_that_we_shorten_exists() -> None:
    """The library still waits by the constant that we set; else each commit takes 20 ms more."""
    import inspect

    source = inspect.getsource(aiokafka.producer.sender.AddPartitionsToTxnHandler)

    assert "BACKOFF_OVERRIDE" in source
    assert aiokafka.producer.sender.BACKOFF_OVERRIDE < 0.005


def test_security_keeps_the_context() -> None:
    """A certificate loaded into the caller's context later serves later connections."""
    context = ssl.create_default_context()

    options = KafkaSecurity(ssl_context=context).options()

    assert options["ssl_context"] is context
    assert options["security_protocol"] == "SSL"


def test_security_never_shows_the_password() -> None:
    """Neither in its own text nor in that of whatever holds it."""
    security = KafkaSecurity(mechanism="PLAIN", user="release", password="canary")

    assert security.options()["sasl_plain_password"] == "canary"
    assert "canary" not in repr(KafkaAddress(bootstrap="x", client_id="y", security=security))


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """With what aiokafka's clients are made."""
    seen: dict[str, dict[str, object]] = {}
    for kind in (AIOKafkaProducer, AIOKafkaConsumer):
        made = kind.__init__

        def note(self: object, *args: object, made: object = made, **given: object) -> None:
            seen[str(given.get("group_id") or given.get("transactional_id"))] = given
            made(self, *args, **given)

        monkeypatch.setattr(kind, "__init__", note)
    return seen


@pytest.mark.kafka
async def test_every_producer_is_idempotent(
    log: KafkaLog, options: dict[str, dict[str, object]]
) -> None:
    """All replicas, no lingering, no compression, a short transaction timeout."""
    plain = await log.open_producer()
    owner = await log.open_transactional_producer("owner")
    await plain.aclose()
    await owner.aclose()

    for given in options.values():
        assert (given["enable_idempotence"], given["acks"]) == (True, "all")
        assert (given["linger_ms"], given["compression_type"]) == (0, None)
    assert int(str(options["owner"]["transaction_timeout_ms"])) <= 10_000


@pytest.mark.kafka
async def test_no_consumer_commits_or_resets(
    log: KafkaLog, topic: str, options: dict[str, dict[str, object]]
) -> None:
    """Offsets move in transactions only, and positions by our seeks only."""
    reader = await log.open_reader([Partition(topic, 0)])
    member = await log.join("member", topic, Holder())
    await reader.aclose()
    await member.aclose()

    assert set(options) == {"None", "member"}
    for given in options.values():
        assert (given["enable_auto_commit"], given["auto_offset_reset"]) == (False, "none")
        assert not {"key_deserializer", "value_deserializer"} & set(given)
    assert options["None"]["isolation_level"] == "read_committed"
    assert options["None"]["check_crcs"] is True


# --- with a broker


@pytest.mark.kafka
async def test_debug_logs_hold_no_payload(
    log: KafkaLog, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever level anybody sets, aiokafka says nothing below INFO."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("aiokafka"):
            caplog.set_level(logging.DEBUG, logger=name)
    producer, owner = await log.open_producer(), await log.open_transactional_producer(topic)
    reader = await log.open_reader([Partition(topic, 0)])

    await producer.send(output(topic, b"canary one"))
    await owner.commit([output(topic, b"canary two")], {Partition(topic, 1): 1}, topic)
    records = await read(reader, 2)

    assert len(records) == 2
    assert "canary" not in caplog.text
    ours = [r for r in caplog.records if r.name.startswith("aiokafka")]
    assert ours
    assert min(record.levelno for record in ours) >= logging.INFO
    for closable in (producer, owner, reader):
        await closable.aclose()


@pytest.mark.kafka
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_can_be_read(
    log: KafkaLog, topic: str, kafka_bootstrap: str, codec: str
) -> None:
    """Whatever another producer or the topic compresses with, we read."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, compression_type=codec
    ) as producer:
        await producer.send_and_wait(topic, b"v" * 5_000, partition=0)
    reader = await log.open_reader([Partition(topic, 0)])

    (record,) = await read(reader, 1)

    assert record.value == b"v" * 5_000
    await reader.aclose()


@pytest.mark.kafka
async def test_a_tombstone_is_an_empty_value(
    log: KafkaLog, topic: str, kafka_bootstrap: str
) -> None:
    """We write none; somebody else's is read as bytes that fit no format."""
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        await producer.send_and_wait(topic, None, key=b"k", partition=0)
    reader = await log.open_reader([Partition(topic, 0)])

    (record,) = await read(reader, 1)

    assert record.value == b""
    await reader.aclose()


@pytest.mark.kafka
async def test_a_batch_refused_by_the_broker_commits_nothing(
    log: KafkaLog, topic: str, kafka_bootstrap: str
) -> None:
    """Where aiokafka would commit the rest, the topic is named and nothing appears."""
    narrow = await make_topic(kafka_bootstrap, f"{topic}.narrow", **{"max.message.bytes": "2000"})
    owner = await log.open_transactional_producer(topic)

    with pytest.raises(UnwritableError) as caught:
        await owner.commit(
            [output(topic, b"lost"), output(narrow, b"x" * 5_000)], {Partition(topic, 1): 1}, topic
        )

    assert caught.value.topic == narrow
    heir = await log.open_transactional_producer(topic)
    await heir.commit([output(topic, b"next")], {}, topic)
    reader = await log.open_reader([Partition(topic, 0)])
    assert [record.value for record in await read(reader, 1)] == [b"next"]
    assert await log.committed(topic, Partition(topic, 1)) is None
    for closable in (owner, heir, reader):
        await closable.aclose()


@pytest.mark.kafka
async def test_a_refused_record_disturbs_no_other(
    log: KafkaLog, topic: str, kafka_bootstrap: str
) -> None:
    """After a refusal by the broker the next record of the same partition is taken at once."""
    narrow = await make_topic(kafka_bootstrap, f"{topic}.narrow", **{"max.message.bytes": "2000"})
    producer = await log.open_producer()
    await producer.send(output(narrow, b"before"))

    with pytest.raises(UnwritableError):
        await producer.send(output(narrow, b"x" * 5_000))

    assert await producer.send(output(narrow, b"after")) == 1
    await producer.aclose()


@pytest.mark.kafka
async def test_a_large_record_is_written_and_read(
    log: KafkaLog, topic: str, kafka_bootstrap: str
) -> None:
    """What a topic allows gets through, although it is larger than one fetch and one batch."""
    wide = await make_topic(kafka_bootstrap, f"{topic}.wide", **{"max.message.bytes": "4194304"})
    owner = await log.open_transactional_producer(topic)
    reader = await log.open_reader([Partition(wide, 0)])

    await owner.commit([output(wide, b"x" * 3_000_000), output(wide, b"small")], {}, topic)

    assert [len(record.value) for record in await read(reader, 2)] == [3_000_000, 5]
    await owner.aclose()
    await reader.aclose()


@pytest.mark.kafka
async def test_asking_never_makes_a_topic(
    log: KafkaLog, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request of ours about a missing topic allows the broker to create it."""
    sent = []
    send = AIOKafkaClient.send

    async def note(self: AIOKafkaClient, node: object, request: object, **given: object) -> object:
        sent.append(request)
        return await send(self, node, request, **given)

    monkeypatch.setattr(AIOKafkaClient, "send", note)
    producer = await log.open_producer()
    await log.partitions(f"{namespace}.missing")
    with pytest.raises(UnwritableError):
        await producer.send(output(f"{namespace}.missing"))
    with pytest.raises(TransportError):
        await log.open_reader([Partition(f"{namespace}.missing", 0)])

    asked = [r for r in sent if type(r).__name__ == "MetadataRequest" and r._topics]
    assert asked
    assert {request._allow_auto_topic_creation for request in asked} == {False}
    await producer.aclose()


@pytest.mark.kafka
async def test_a_missing_partition_is_not_uncommitted(shared_kafka: LocalKafka) -> None:
    """No commit means start at the beginning, so it is not said of what one may not see."""
    stranger = KafkaSecurity(mechanism="PLAIN", user="watch", password=shared_kafka.sasl_password)
    log = KafkaLog(str(shared_kafka.sasl_bootstrap), client_id="watch", security=stranger)

    with pytest.raises(TransportError):
        await log.committed("forbidden", Partition("forbidden", 0))
    await log.aclose()


@pytest.mark.kafka
async def test_a_revoked_topic_is_named(shared_kafka: LocalKafka, namespace: str) -> None:
    """A right lost amid work refuses that topic by name, commits nothing, and spares the others."""
    lanes = [("north", "crisis-response"), ("south", "crisis-response")]
    north, south = (release_topic(namespace, *lane) for lane in lanes)
    await apply(shared_kafka.bootstrap, plan(namespace, lanes, partitions=1))
    await create_acls(shared_kafka.bootstrap, plan_acls(namespace, lanes, "local"))
    release = KafkaSecurity(mechanism="PLAIN", user="release", password=shared_kafka.sasl_password)
    log = KafkaLog(str(shared_kafka.sasl_bootstrap), client_id="release", security=release)
    ours, group = f"release-local-{namespace}-0", release_group(namespace)
    position = Partition(disclosures_topic(namespace), 0)
    owner = await log.open_transactional_producer(ours)
    await owner.commit([output(north, b"1"), output(south, b"1")], {position: 1}, group)
    revoked = AclSpec(
        principal="User:release", resource=Resource.TOPIC, name=south, operation=Operation.WRITE
    )
    await delete_acls(shared_kafka.bootstrap, [revoked])

    with pytest.raises(UnwritableError) as caught:
        await owner.commit([output(north, b"2"), output(south, b"2")], {position: 2}, group)

    assert caught.value.topic == south
    heir = await log.open_transactional_producer(ours)
    assert await log.committed(group, position) == 1
    await heir.commit([output(north, b"3")], {position: 3}, group)
    everything = KafkaLog(shared_kafka.bootstrap, client_id="test")
    reader = await everything.open_reader([Partition(north, 0)])
    assert [record.value for record in await read(reader, 2)] == [b"1", b"3"]
    for closable in (owner, heir, reader, log, everything):
        await closable.aclose()


@pytest.mark.kafka
async def test_a_member_fetches_nothing(
    log: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although its partitions hold records and committed offsets, a member reads neither."""
    owner = await log.open_transactional_producer(topic)
    records = [output(topic, b"v", n) for n in range(PARTITIONS)]
    await owner.commit(records, {Partition(topic, 0): 0}, topic)
    await owner.aclose()
    names: list[str] = []
    beats = asyncio.Semaphore(0)
    send = AIOKafkaClient.send

    async def note(self: AIOKafkaClient, node: object, request: object, **given: object) -> object:
        names.append(type(request).__name__)
        if names[-1] == "HeartbeatRequest":
            beats.release()
        return await send(self, node, request, **given)

    monkeypatch.setattr(AIOKafkaClient, "send", note)
    holder = Holder()
    with capture_logs() as complaints:
        member = await log.join(topic, topic, holder)
        await holder.holds(PARTITIONS)
        async with asyncio.timeout(PATIENCE_S):
            await beats.acquire()
            await beats.acquire()

    assert complaints == []
    assert "JoinGroupRequest" in names
    assert not {"FetchRequest", "OffsetRequest"} & set(names)
    await member.aclose()


@pytest.mark.kafka
async def test_a_slow_take_over_keeps_its_place(
    log: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the callback is still taking over, heartbeats go on."""
    beats = asyncio.Semaphore(0)
    send = AIOKafkaClient.send

    async def note(self: AIOKafkaClient, node: object, request: object, **given: object) -> object:
        if type(request).__name__ == "HeartbeatRequest":
            beats.release()
        return await send(self, node, request, **given)

    monkeypatch.setattr(AIOKafkaClient, "send", note)
    taken_over = asyncio.Event()

    async def assigned(partitions: frozenset[Partition]) -> None:
        if partitions:
            for _ in range(2):
                await beats.acquire()
            taken_over.set()

    member = await log.join(topic, topic, assigned)
    async with asyncio.timeout(PATIENCE_S):
        await taken_over.wait()

    assert member.healthy
    await member.aclose()


async def test_nothing_opens_while_the_broker_is_away() -> None:
    """Opening says so, in bounded time, and leaves nothing behind."""
    log = KafkaLog(NOWHERE, client_id="away")
    before = asyncio.all_tasks()
    async with asyncio.timeout(PATIENCE_S):
        for opening in (
            log.open_producer(),
            log.open_transactional_producer("away"),
            log.open_reader([Partition("away", 0)]),
            log.join("away", "away", Holder()),
            log.partitions("away"),
            log.committed("away", Partition("away", 0)),
        ):
            with pytest.raises(TransportError):
                await opening
        await log.aclose()

    assert asyncio.all_tasks() == before


@pytest.mark.kafka
async def test_a_broker_that_knows_no_brokers_may_know_some_later(
    log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just back, a broker may list none, not even itself; aiokafka asserts, we try again later."""
    monkeypatch.setattr(AIOKafkaClient, "get_random_node", lambda _: None)

    with pytest.raises(TransportError):
        await log.open_transactional_producer("early")
    with pytest.raises(TransportError):
        await log.partitions("early")
    monkeypatch.undo()

    owner = await log.open_transactional_producer("early")
    await owner.aclose()


@pytest.mark.kafka
@pytest.mark.crash
async def test_a_silent_broker_stops_nobody(
    own_kafka: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Against a suspended broker every call ends by its deadline, as unknown, and closes cleanly.

    When the broker is back, the producer goes on by itself, and a new owner finds all or nothing.
    """
    log = KafkaLog(own_kafka.bootstrap, client_id="silent")
    topic = await make_topic(own_kafka.bootstrap, "events")
    plain, owner = await log.open_producer(), await log.open_transactional_producer("owner")
    reader = await log.open_reader([Partition(topic, 0)])
    holder = Holder()
    member = await log.join("group", topic, holder)
    await plain.send(output(topic, b"first"))
    await owner.commit([output(topic, b"second")], {Partition(topic, 1): 1}, "group")
    await read(reader, 2)
    await holder.holds(PARTITIONS)
    monkeypatch.setattr(kafka_producer, "SEND_S", 0.5)
    monkeypatch.setattr(kafka_producer, "COMMIT_S", 0.5)
    monkeypatch.setattr(kafka_reader, "SILENCE_S", 1.5)
    monkeypatch.setattr(kafka_membership, "UNHEARD_S", 3.0)
    before = asyncio.all_tasks()
    os.kill(own_kafka.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(OutcomeUnknownError):
                await plain.send(output(topic, b"third"))
            with pytest.raises(OutcomeUnknownError):
                await owner.commit([output(topic, b"fourth")], {Partition(topic, 1): 2}, "group")
            with pytest.raises(TransportError, match="no answer from the log"):
                await read(reader, 1)
            while member.healthy:  # noqa: ASYNC110 (health is asked for, not told)
                await asyncio.sleep(0.05)
            for closable in (owner, reader, member):
                await closable.aclose()
        assert asyncio.all_tasks() <= before
    finally:
        os.kill(own_kafka.pid, signal.SIGCONT)
    monkeypatch.undo()

    await eventually(lambda: plain.send(output(topic, b"third")))
    heir = await eventually(lambda: log.open_transactional_producer("owner"))
    await heir.commit([output(topic, b"last")], {}, "group")
    again = await log.open_reader([Partition(topic, 0)])
    values: list[bytes] = []
    while b"last" not in values:
        values += [record.value for record in await read(again, 1)]
    committed = await log.committed("group", Partition(topic, 1))
    assert values[:2] == [b"first", b"second"]
    assert b"third" in values
    assert (values.count(b"fourth"), committed) in [(0, 1), (1, 2)]
    for closable in (plain, heir, again, log):
        await closable.aclose()


@pytest.mark.kafka
async def test_cutting_leaves_no_task(log: KafkaLog, topic: str) -> None:
    """Closing amid a commit, a send, a fetch and a rebalance leaves nothing running."""
    before = asyncio.all_tasks()
    plain, owner = await log.open_producer(), await log.open_transactional_producer(topic)
    reader = await log.open_reader([Partition(topic, 0)])
    member = await log.join(topic, topic, Holder())
    busy = [
        asyncio.ensure_future(call)
        for call in (
            plain.send(output(topic)),
            owner.commit([output(topic, b"x" * 90_000, n % 3) for n in range(60)], {}, topic),
            reader.fetch(PATIENCE_S),
        )
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for call in busy:
        call.cancel()
    await asyncio.wait(busy)
    await log.partitions(topic)

    for closable in (plain, owner, reader, member, log):
        await closable.aclose()
    # What was told to stop needs one turn of the loop to have done so.
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before
