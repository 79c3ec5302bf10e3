"""One whole intake for tests: the real catalogue and agreements, a memory log, a free choice of time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from broker.codec import avro, wire
from broker.codec.agreement_toml import load_book
from broker.codec.canonical_json import Limits
from broker.codec.catalogue import load_catalogue
from broker.codec.registry import schema_id
from broker.domain.agreements import AgreementBook
from broker.domain.errors import TransportError
from broker.domain.streams import Partition
from broker.processes.intake_api import Site, create_app
from broker.processes.intake_door import Door
from broker.processes.intake_events import Assembler
from broker.processes.intake_formats import Formats
from broker.processes.intake_forwarder import Forwarder
from broker.processes.intake_index import Disclosed
from broker.processes.intake_models import ANSWER_EXAMPLE, EXAMPLE
from broker.processes.intake_preview import Preview
from broker.processes.intake_reading import DraftReader
from broker.processes.intake_service import Intake
from broker.processes.intake_standing import Standings
from broker.resources import deploy_folder
from broker.runtime.identity import Authenticator
from broker.runtime.keys import KeyRing, issue
from broker.runtime.limits import RateLimits
from broker.runtime.memory import MemoryLog
from broker.runtime.outbox import Outbox

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
SECRET = b"s" * 32
TOPIC = "crisis.events"
PARTITIONS = 12
CATALOGUE = load_catalogue()
IDS = {event.event_type: schema_id(event.schema) for event in CATALOGUE.events.values()}


@cache
def book() -> AgreementBook:
    """Return the agreements of the repository."""
    return load_book(deploy_folder() / "agreements", CATALOGUE)


def referral(**changes: Any) -> dict[str, Any]:
    """Return a good referral with some members changed."""
    return {**deepcopy(EXAMPLE), **changes}


def answer(**changes: Any) -> dict[str, Any]:
    """Return a good acceptance with some members changed."""
    return {**deepcopy(ANSWER_EXAMPLE), **changes}


@dataclass
class FakeIndex:
    """What was disclosed, as the test says."""

    rows: dict[str, set[Disclosed]] = field(default_factory=dict)
    later: dict[str, set[Disclosed]] = field(default_factory=dict)
    is_away: bool = False

    def disclose(self, referral_id: str, *rows: Disclosed) -> None:
        """Add what was disclosed of a referral."""
        self.rows.setdefault(referral_id, set()).update(rows)

    async def of(self, referral_id: str) -> set[Disclosed]:
        """Return what is known now."""
        return self.rows.get(referral_id, set())

    async def fresh_of(self, referral_id: str, timeout_s: float) -> set[Disclosed]:
        """Return what is known in the end."""
        if self.is_away:
            raise TransportError("disclosures cannot be read up to now")
        return self.rows.get(referral_id, set()) | self.later.get(referral_id, set())


@dataclass
class IntakeSite:
    """One intake and a client of its interface."""

    app: FastAPI
    client: httpx.AsyncClient
    outbox: Outbox
    index: FakeIndex
    forwarder: Forwarder
    log: MemoryLog
    keys: dict[str, str]

    def headers(self, party: str, **more: str) -> dict[str, str]:
        """Return the headers of a request by *party*."""
        return {"Authorization": f"Bearer {self.keys[party]}", **more}

    async def send(
        self, document: Any, party: str = "midshire-police", to: str = "", **headers: str
    ) -> httpx.Response:
        """Post a referral, or an event of the referral *to*."""
        path = f"/v1/referrals/{to}/events" if to else "/v1/referrals"
        return await self.client.post(path, json=document, headers=self.headers(party, **headers))

    async def stored(self) -> list[dict[str, Any]]:
        """Return every event that waits for Kafka, decoded, in order."""
        events = []
        for waiting in await self.outbox.waiting():
            payload = await self.outbox.payload(waiting.place)
            found, position = wire.unframe(payload.value)
            event_type = next(name for name, number in IDS.items() if number == found)
            schema = CATALOGUE.event(event_type).schema
            events.append(avro.decode(schema, payload.value[position:]))
        return events

    async def forwarded(self, count: int) -> list[bytes]:
        """Let the forwarder work until *count* events are in the log, and return their values."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.forwarder.run(stop))
        partitions = [Partition(TOPIC, number) for number in range(PARTITIONS)]
        reader = await self.log.open_reader(partitions)
        values: list[bytes] = []
        while len(values) < count:
            values += [record.value for record in await reader.fetch(5.0)]
        await reader.aclose()
        stop.set()
        await task
        return values


@asynccontextmanager
async def intake_site(folder: Path, **limits: Any) -> AsyncIterator[IntakeSite]:
    """Open an intake in *folder*; keyword arguments change the limits of its door."""
    outbox = Outbox(folder / "outbox.db")
    log = MemoryLog({TOPIC: PARTITIONS})
    forwarder = Forwarder(outbox, log, clock=lambda: NOW)
    index = FakeIndex()
    keys = {party: issue(folder / "keys.json", party, NOW) for party in book().parties}
    reader = DraftReader(
        catalogue=CATALOGUE,
        book=book(),
        standings=Standings(outbox, index),
        secret=SECRET,
        environment="test",
        clock=lambda: NOW,
        limits=Limits(),
    )
    assembler = Assembler(catalogue=CATALOGUE, schema_ids=IDS, topic=TOPIC, partitions=PARTITIONS)
    intake = Intake(
        reader=reader,
        assembler=assembler,
        outbox=outbox,
        clock=lambda: NOW,
        notify=forwarder.notify,
    )
    authenticator = Authenticator(
        parties=book().parties,
        keys=KeyRing(folder / "keys.json"),
        tokens=None,
        certificates={},
    )
    door = Door(
        authenticator=authenticator,
        parties=book().parties,
        **{
            "max_body_bytes": 1_048_576,
            "receive_timeout_s": 5.0,
            "rates": RateLimits(600, lambda: 0.0),
            **limits,
        },
    )
    site = Site(
        intake=intake,
        door=door,
        formats=Formats(mappings=limits.pop("mappings", {})),
        preview=Preview(catalogue=CATALOGUE, book=book(), clock=lambda: NOW),
    )
    app = create_app(site)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://intake") as client:
        yield IntakeSite(
            app=app,
            client=client,
            outbox=outbox,
            index=index,
            forwarder=forwarder,
            log=log,
            keys=keys,
        )
    await outbox.aclose()
    await log.aclose()
