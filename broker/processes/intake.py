"""
The intake process: takes agency messages, keeps them on disk, answers, and hands them to Kafka.

It accepts whether Kafka is there or not; what has been answered with a receipt survives the end of
the process at any instruction.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from broker.codec.agreement_toml import load_book
from broker.codec.canonical_json import Limits
from broker.codec.catalogue import Catalogue, load_catalogue
from broker.codec.registry import SchemaRegistry, subject_name
from broker.domain.agreements import AgreementBook
from broker.domain.errors import BrokerError, TransportError, UnknownSchemaError
from broker.domain.streams import Log
from broker.processes.intake_api import Site, create_app
from broker.processes.intake_door import Door
from broker.processes.intake_events import Assembler
from broker.processes.intake_formats import load_formats
from broker.processes.intake_forwarder import Forwarder
from broker.processes.intake_index import DisclosureIndex
from broker.processes.intake_preview import Preview
from broker.processes.intake_reading import DraftReader
from broker.processes.intake_service import Intake
from broker.processes.intake_standing import Standings
from broker.runtime import metrics
from broker.runtime.clock import utc_now
from broker.runtime.health import Health
from broker.runtime.http_server import serve
from broker.runtime.identity import Authenticator
from broker.runtime.jwt import JwtVerifier
from broker.runtime.keys import KeyRing
from broker.runtime.limits import RateLimits
from broker.runtime.mtls import PeerCertificateProtocol
from broker.runtime.outbox import Outbox, outbox_file
from broker.runtime.parties import load_parties
from broker.runtime.registry import open_registry
from broker.runtime.settings import Settings
from broker.runtime.topics import disclosures_topic, events_topic
from broker.runtime.waiting import wait_or_stop

MEASURE_S: Final = 5.0
PURGE_S: Final = 600.0
REGISTRY_RETRY_S: Final = 2.0
log = structlog.get_logger()


class Process:
    """Everything one intake consists of; `run` lets it work."""

    def __init__(self, settings: Settings, kafka: Log, schema_ids: dict[str, int]) -> None:
        self.settings = settings
        self.disk_trouble: str | None = None
        catalogue = load_catalogue(settings.schemas_dir)
        book = load_book(settings.agreements_dir, catalogue)
        state = settings.state_dir / "intake"
        self.outbox = Outbox(outbox_file(settings.state_dir))
        self.forwarder = Forwarder(self.outbox, kafka)
        self.index = DisclosureIndex(
            state / "disclosed.db",
            kafka,
            disclosures_topic(settings.namespace),
            settings.partitions,
        )
        oauth = settings.intake.oauth
        self.tokens = JwtVerifier(oauth) if oauth else None
        self.app = create_app(self._site(catalogue, book, schema_ids))

    def _site(self, catalogue: Catalogue, book: AgreementBook, ids: dict[str, int]) -> Site:
        settings = self.settings
        reader = DraftReader(
            catalogue=catalogue,
            book=book,
            standings=Standings(self.outbox, self.index),
            secret=settings.secret(),
            environment=settings.environment,
            clock=utc_now,
            limits=Limits(max_depth=settings.intake.max_depth),
        )
        assembler = Assembler(
            catalogue=catalogue,
            schema_ids=ids,
            topic=events_topic(settings.namespace),
            partitions=settings.partitions,
        )
        intake = Intake(
            reader=reader,
            assembler=assembler,
            outbox=self.outbox,
            clock=utc_now,
            notify=self.forwarder.notify,
        )
        return Site(
            intake=intake,
            door=self._door(book),
            formats=load_formats(load_parties(settings.parties_file), settings.mappings_dir),
            preview=Preview(catalogue=catalogue, book=book, clock=utc_now),
        )

    def _door(self, book: AgreementBook) -> Door:
        settings = self.settings
        authenticator = Authenticator(
            parties=book.parties,
            keys=KeyRing(settings.keys_file()),
            tokens=self.tokens,
            certificates=settings.intake.trust_client_certificates,
        )
        return Door(
            authenticator=authenticator,
            parties=book.parties,
            max_body_bytes=settings.intake.max_body_bytes,
            receive_timeout_s=settings.intake.receive_timeout_s,
            rates=RateLimits(settings.intake.rate_per_minute, time.monotonic),
        )

    async def housekeep(self, stop: asyncio.Event) -> None:
        """Measure the backlog and overwrite what has been kept long enough."""
        purged_at = -PURGE_S
        while not stop.is_set():
            self.disk_trouble = await self.outbox.check(utc_now())
            self._measure()
            if time.monotonic() - purged_at >= PURGE_S:
                purged_at = time.monotonic()
                await self._purge()
            await wait_or_stop(stop, MEASURE_S)

    def _measure(self) -> None:
        self.forwarder.measure()
        metrics.KAFKA_AWAY.set(self.forwarder.trouble() is not None)
        metrics.DISCLOSURES_UNREAD.set(not self.index.is_following)

    async def _purge(self) -> None:
        now, intake = utc_now(), self.settings.intake
        try:
            await self.outbox.purge(
                payload_before=now - intake.keep_after_handover,
                receipts_before=now - max(intake.receipts_kept, timedelta(days=1)),
            )
        except TransportError as error:
            log.error("old payload cannot be overwritten", code=error.code)

    async def aclose(self) -> None:
        """Close files and connections."""
        await self.outbox.aclose()
        await self.index.aclose()
        if self.tokens is not None:
            await self.tokens.aclose()


async def run(
    settings: Settings,
    stop: asyncio.Event,
    kafka: Log,
    health: Health,
    started: asyncio.Future[int] | None = None,
) -> None:
    """
    Take messages until *stop*.

    Args:
        settings: Of the installation.
        stop: Ends the process; open requests and sends are finished first.
        kafka: Where events go and disclosures come from.
        health: Where this process says what is wrong with it.
        started: Receives the port once requests are taken.

    Raises:
        ConfigurationError: This installation cannot take messages as configured.
    """
    started = started or asyncio.get_running_loop().create_future()
    started.add_done_callback(_tell_port)
    async with _process(settings, stop, kafka, health) as process:
        if process is None:
            return
        try:
            await _work(process, stop, started)
        except ExceptionGroup as group:
            # One part has failed and the others were stopped for it: its error is the reason.
            raise group.exceptions[0] from group


async def _work(process: Process, stop: asyncio.Event, started: asyncio.Future[int]) -> None:
    settings = process.settings.intake
    async with asyncio.TaskGroup() as group:
        group.create_task(process.forwarder.run(stop))
        group.create_task(process.index.run(stop))
        group.create_task(process.housekeep(stop))
        await serve(
            process.app,
            host=settings.host,
            port=settings.port,
            tls=settings.tls,
            stop=stop,
            started=started,
            http=PeerCertificateProtocol,
        )


def _tell_port(started: asyncio.Future[int]) -> None:
    if not started.cancelled():
        log.info("intake takes messages", port=started.result())


@asynccontextmanager
async def _process(
    settings: Settings, stop: asyncio.Event, kafka: Log, health: Health
) -> AsyncIterator[Process | None]:
    settings.secret()  # what a person must mend is said before anything is waited for
    waiting = ["schema ids are not known yet"]
    health.add("schemas", lambda: waiting[0] if waiting else None)
    schema_ids = await _schema_ids(settings, stop)
    waiting.clear()
    if schema_ids is None:
        yield None
        return
    process = Process(settings, kafka, schema_ids)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.aclose)
        # Kafka plays no part here: whoever takes intake out of service for that turns callers away.
        health.add("disk", lambda: process.disk_trouble)
        yield process


async def _schema_ids(settings: Settings, stop: asyncio.Event) -> dict[str, int] | None:
    # A registry that is away at the start is waited for; afterwards nobody asks it again.
    catalogue = load_catalogue(settings.schemas_dir)
    registry = open_registry(settings)
    topic = events_topic(settings.namespace)
    while not stop.is_set():
        try:
            return {
                event.event_type: await _id_of(registry, topic, event.fullname, event.schema)
                for event in catalogue.events.values()
            }
        except BrokerError as error:
            if not error.retriable:
                raise
            log.warning("registry does not answer", code=error.code, rule=str(error))
        await wait_or_stop(stop, REGISTRY_RETRY_S)
    return None


async def _id_of(
    registry: SchemaRegistry, topic: str, fullname: str, schema: dict[str, object]
) -> int:
    subject = subject_name(topic, fullname)
    try:
        return await registry.id_of(subject, schema)
    except UnknownSchemaError as error:
        raise TransportError(
            f"schema is not registered yet: run `crisis-broker topics apply` @ {subject}"
        ) from error
