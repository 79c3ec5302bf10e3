"""A release site in one loop: real codecs, agreements and workers on a memory log."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.codec import avro, wire
from broker.codec.agreement_toml import load_book
from broker.codec.canonical_json import read_document
from broker.codec.catalogue import load_catalogue
from broker.domain import ids
from broker.domain.agreements import AgreementBook
from broker.domain.streams import Log, Output, Partition
from broker.processes.audit import read_all
from broker.processes.intake_events import Assembler, Draft, content_digest
from broker.processes.provisioning import register_all
from broker.processes.release import build_site
from broker.processes.release_worker import PartitionWorker, Site
from broker.processes.subjects import Subjects
from broker.resources import schemas_folder
from broker.runtime import topics
from broker.runtime.registry import open_registry
from broker.runtime.settings import ReleaseSettings, Settings

SECRET = "a secret of a site that does not exist"
NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
POLICE, CRISIS = "midshire-police", "northvale-crisis"


def example(name: str, **changes: Any) -> dict[str, Any]:
    """One of the documents in schemas/examples, with top-level changes."""
    found = json.loads((schemas_folder() / "examples" / f"{name}.json").read_text("utf-8"))
    return {**found, "environment": "test", **changes}


def route(recipient: str = CRISIS, purpose: str = "crisis-response") -> dict[str, str]:
    """A route as senders state it."""
    return {"recipient": recipient, "purpose": purpose}


class Bench:
    """Everything a test of the release process needs, in one place."""

    def __init__(self, settings: Settings, log: Log, site: Site, assembler: Assembler) -> None:
        self.settings = settings
        self.log = log
        self.site = site
        self.assembler = assembler
        self.catalogue = assembler.catalogue
        self.book: AgreementBook = load_book(None, self.catalogue)

    @property
    def namespace(self) -> str:
        """Topic namespace."""
        return self.settings.namespace

    def event(self, document: Mapping[str, Any], *, sender: str = POLICE, key: str = "") -> Output:
        """An event as intake writes it."""
        parsed = read_document(self.catalogue, document)
        reference = parsed.reference or "R-1"
        secret = SECRET.encode()
        draft = Draft(
            parsed=parsed,
            party=self.book.parties[sender],
            referral_id=ids.referral_id(secret, POLICE, reference),
            event_id=ids.event_id(secret, sender, key or json.dumps(document, sort_keys=True)),
            digest=content_digest(secret, document),
            routes=parsed.routes,
            findings=(),
        )
        entry = self.assembler.entry(draft, NOW)
        return Output(
            partition=Partition(entry.topic, entry.partition), key=entry.key, value=entry.value
        )

    async def put(self, *events: Output) -> None:
        """Write events, or anything else, to the log."""
        producer = await self.log.open_producer()
        for event in events:
            await producer.send(event)
        await producer.aclose()

    async def work(
        self, *, until: int, worker: PartitionWorker | None = None, number: int = 0
    ) -> None:
        """Run a worker until it stands at offset *until* of its partition."""
        worker = worker or self.worker(number)
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(30):
            while worker.position < until and not task.done():  # noqa: ASYNC110 - the worker tells nobody
                await asyncio.sleep(0)
        stop.set()
        await task

    def worker(self, number: int = 0) -> PartitionWorker:
        """A worker that owns its partition."""
        return PartitionWorker(self.site, number, is_owned=lambda: True)

    async def views(
        self, recipient: str = CRISIS, purpose: str = "crisis-response"
    ) -> list[dict[str, Any]]:
        """Every committed view of a lane, decoded with its registered schema."""
        topic = topics.release_topic(self.namespace, recipient, purpose)
        return [await self.decode(value) async for value in self._values(topic)]

    async def decode(self, value: bytes) -> dict[str, Any]:
        """Decode any framed value with the schema the registry has under its id."""
        number, start = wire.unframe(value)
        schema = await open_registry(self.settings).schema(number)
        found: dict[str, Any] = avro.decode(schema, value[start:])
        return found

    async def disclosures(self) -> list[dict[str, Any]]:
        """Every disclosure, decoded."""
        topic = topics.disclosures_topic(self.namespace)
        return [await self.decode(value) async for value in self._values(topic)]

    async def held(self) -> list[dict[str, Any]]:
        """Every record of the held topic, decoded."""
        return [await self.decode(v) async for v in self._values(topics.held_topic(self.namespace))]

    async def _values(self, topic: str) -> AsyncIterator[bytes]:
        for number in range(await self.log.partitions(topic)):
            async for record in read_all(self.log, Partition(topic, number)):
                yield record.value


def test_settings(folder: Path, namespace: str, **release: Any) -> Settings:
    """Settings of a site whose state is in *folder*."""
    options: dict[str, Any] = {"held_retry_s": 0.0, **release}
    return Settings(
        state_dir=folder,
        namespace=namespace,
        partitions=1,
        site_secret=SECRET,
        release=ReleaseSettings(**options),
    )


test_settings.__test__ = False  # type: ignore[attr-defined]


@asynccontextmanager
async def bench(settings: Settings, log: Log) -> AsyncIterator[Bench]:
    """Register the schemas and build the site on a log that has the topics already."""
    catalogue = load_catalogue()
    book = load_book(None, catalogue)
    registry = open_registry(settings)
    async for _ in register_all(settings, catalogue, book):
        pass
    subjects = Subjects(registry, settings.namespace)
    assembler = Assembler(
        catalogue=catalogue,
        schema_ids={name: await subjects.event(event) for name, event in catalogue.events.items()},
        topic=topics.events_topic(settings.namespace),
        partitions=settings.partitions,
    )
    site = await build_site(settings, log, clock=lambda: NOW)
    yield Bench(settings, log, site, assembler)
