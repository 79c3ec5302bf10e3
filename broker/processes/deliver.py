"""
The deliver process: one recipient's views, from its release topics to its system.

One instance per recipient is active: the inbox can be opened once. It reads every partition of
every lane by itself, without a group; where it stands is written in the inbox, with the views.
"""

import asyncio
import random
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from broker.codec.agreement_toml import load_agreements
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import ConfigurationError, TransportError
from broker.domain.streams import Log
from broker.processes.deliver_agency import Agency, open_agency, read_secret
from broker.processes.deliver_dispatch import Dispatcher, Page, Slots
from broker.processes.deliver_lock import SecondLock
from broker.processes.deliver_people import People, call_a_person, deliver_folder
from broker.processes.deliver_reading import LaneReader, Lanes
from broker.processes.deliver_receipts import ReceiptSender
from broker.processes.deliver_views import ViewOpener
from broker.runtime.clock import Clock, utc_now
from broker.runtime.health import Health
from broker.runtime.http_client import HttpClient
from broker.runtime.inbox import Inbox
from broker.runtime.installation import sealing_key_file
from broker.runtime.parties import DeliverTo, load_parties
from broker.runtime.registry import open_registry
from broker.runtime.retry import Chance
from broker.runtime.sealing import load_key_file
from broker.runtime.settings import Settings
from broker.runtime.topics import release_topic
from broker.runtime.waiting import wait_or_stop
from connectors.contract import ConnectorSpec
from connectors.registry import BY_NAME

log = structlog.get_logger()

PURGE_EVERY_S: Final = 600.0


async def run(settings: Settings, stop: asyncio.Event, kafka: Log, health: Health) -> None:
    """
    Deliver one recipient's views until *stop*.

    Raises:
        ConfigurationError: Names what is missing, or another instance is active.
    """
    recipient = settings.recipient
    if not recipient:
        raise ConfigurationError("no recipient is named @ recipient")
    inbox = Inbox(inbox_path(settings, recipient), load_key_file(sealing_key_file(settings)))
    try:
        deliver = Deliver(settings, recipient, kafka, inbox)
        deliver.report_to(health)
        try:
            await deliver.run(stop)
        finally:
            await deliver.aclose()
    finally:
        await inbox.aclose()


def inbox_path(settings: Settings, recipient: str) -> Path:
    """Return where a recipient's inbox stands."""
    return deliver_folder(settings, recipient) / "inbox.db"


class Deliver:
    """
    The parts of one recipient's delivery, put together from the settings.

    Attributes:
        opener: Opens views behind the second lock.
        reader: From the release topics to the inbox.
        dispatcher: From the inbox to the agency.
        receipts: From the inbox to intake; None without a key for intake.
        people: Decisions of people, and the list of what waits for them.
    """

    def __init__(
        self,
        settings: Settings,
        recipient: str,
        kafka: Log,
        inbox: Inbox,
        *,
        clock: Clock = utc_now,
        chance: Chance = random.random,
        page: Page | None = None,
    ) -> None:
        to = load_parties(settings.parties_file).deliver_to(recipient)
        catalogue = load_catalogue(settings.schemas_dir)
        agreements = load_agreements(settings.agreements_dir, catalogue, today=clock().date())
        self._recipient = recipient
        self._settings = settings.deliver
        self._inbox = inbox
        self._clock = clock
        connector = _connector(recipient, to)
        self._warm_up = connector.warm_up
        self._agency = self._open_agency(to, connector)
        self._lock = SecondLock(
            catalogue=catalogue,
            agreements=agreements,
            recipient=recipient,
            today=lambda: clock().date(),
        )
        self.opener = ViewOpener(
            registry=open_registry(settings),
            lock=self._lock,
            environment=settings.environment,
        )
        self.receipts = self._open_receipts(to, chance)
        self.dispatcher = Dispatcher(
            inbox=inbox,
            agency=self._agency,
            opener=self.opener,
            page=page or partial(call_a_person, recipient),
            clock=clock,
            chance=chance,
            slots=Slots(
                all=self._settings.concurrency, kept_for_urgent=self._settings.kept_for_urgent
            ),
            delivered=self.receipts.wake if self.receipts else lambda: None,
            with_receipts=self.receipts is not None,
        )
        self.reader = LaneReader(
            kafka=kafka,
            lanes=lanes_of(settings, recipient, self._lock.purposes()),
            opener=self.opener,
            inbox=inbox,
            clock=clock,
            taken=self.dispatcher.wake,
        )

        self.people = People(
            folder=deliver_folder(settings, recipient),
            inbox=inbox,
            clock=clock,
            decided=self.dispatcher.wake,
        )

    def report_to(self, health: Health) -> None:
        """Add what must hold for this recipient to be served."""
        health.add("reading", lambda: self.reader.problem)
        health.add(
            "lanes",
            lambda: (
                f"closed: {', '.join(sorted(self.dispatcher.closed))}"
                if self.dispatcher.closed
                else None
            ),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Read, deliver, receipt and forget until *stop*; a defect in one part ends all."""
        await asyncio.to_thread(self._lock.prepare)
        if self._warm_up is not None:
            await asyncio.to_thread(self._warm_up)
        log.info("delivering", recipient=self._recipient)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.reader.run(stop))
            group.create_task(self.dispatcher.run(stop))
            group.create_task(self._purge(stop))
            group.create_task(self.people.run(stop))
            if self.receipts:
                group.create_task(self.receipts.run(stop))

    async def aclose(self) -> None:
        """Close the connections; the inbox belongs to whoever opened it."""
        await self._agency.client.aclose()
        if self._intake:
            await self._intake.aclose()

    def _open_agency(self, to: DeliverTo, connector: ConnectorSpec) -> Agency:
        return open_agency(
            self._recipient,
            to,
            connector,
            timeout_s=self._settings.request_timeout_s,
            connections=self._settings.concurrency,
        )

    def _open_receipts(self, to: DeliverTo, chance: Chance) -> ReceiptSender | None:
        self._intake: HttpClient | None = None
        place = f"{self._recipient}.deliver.intake_key_file"
        key = read_secret(to.intake_key_file, place)
        if not key:
            log.warning("deliveries will not be receipted: no key for intake", place=place)
            return None
        self._intake = HttpClient(
            self._settings.intake_url,
            timeout_s=self._settings.request_timeout_s,
            place="deliver.intake_url",
        )
        return ReceiptSender(
            inbox=self._inbox,
            client=self._intake,
            recipient=self._recipient,
            endpoint=to.connector,
            key=key,
            clock=self._clock,
            chance=chance,
        )

    async def _purge(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._forget(self._settings.keep_after_close)
            await wait_or_stop(stop, PURGE_EVERY_S)

    async def _forget(self, age: timedelta) -> None:
        try:
            count = await self._inbox.purge(self._clock() - age)
        except TransportError as error:
            log.error("inbox cannot be used", code=error.code, recipient=self._recipient)
        else:
            log.info("closed views forgotten", count=count, recipient=self._recipient)


def lanes_of(settings: Settings, recipient: str, purposes: frozenset[str]) -> Lanes:
    """Return the recipient's lanes; raises ConfigurationError if no agreement names it."""
    if not purposes:
        raise ConfigurationError("no agreement has this recipient @ recipient")
    topics = {
        release_topic(settings.namespace, recipient, purpose): purpose
        for purpose in sorted(purposes)
    }
    return Lanes(recipient=recipient, purposes=topics, secret=settings.secret())


def _connector(recipient: str, to: DeliverTo) -> ConnectorSpec:
    if to.connector not in BY_NAME:
        raise ConfigurationError(f"no connector of this name @ {recipient}.deliver.connector")
    return BY_NAME[to.connector]
