"""One recipient's deliver in one loop: real schemas, agreements, inbox and HTTP, a clock of our own."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from broker.codec import avro, wire
from broker.codec.agreement_toml import load_book
from broker.codec.canonical_json import read_document
from broker.codec.catalogue import load_catalogue
from broker.codec.views import compile_view
from broker.domain import ids
from broker.domain.agreements import AgreementBook
from broker.domain.decisions import Plan
from broker.domain.facts import derive_facts
from broker.domain.streams import Output, Partition, Record
from broker.processes.deliver import Deliver
from broker.resources import schemas_folder
from broker.runtime.inbox import Inbox
from broker.runtime.inbox_rows import Parked
from broker.runtime.memory import MemoryLog
from broker.runtime.registry import DirectoryRegistry
from broker.runtime.sealing import Sealer
from broker.runtime.settings import DeliverSettings, Settings
from broker.runtime.topics import release_topic

SECRET = "a secret of a site that does not exist"
NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
POLICE, CRISIS, PURPOSE = "midshire-police", "northvale-crisis", "crisis-response"
SEALER = Sealer(keys={"0a0b0c0d": bytes(range(32))}, current="0a0b0c0d")


@dataclass(slots=True)
class Watch:
    """A clock that moves when told."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Return the time it shows."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def example(name: str, **changes: Any) -> dict[str, Any]:
    """One of the documents in schemas/examples, with top-level changes."""
    found = json.loads((schemas_folder() / "examples" / f"{name}.json").read_text("utf-8"))
    return {**found, "environment": "test", **changes}


@dataclass(slots=True)
class ViewMaker:
    """Cuts views as release does, and lets a test cut them wrongly."""

    registry: DirectoryRegistry
    book: AgreementBook
    recipient: str = CRISIS
    purpose: str = PURPOSE

    async def view(
        self,
        document: Mapping[str, Any],
        *,
        number: int = 1,
        recorded_at: datetime = NOW,
        sender: str = POLICE,
        plan: Plan | None = None,
        manifest: Mapping[str, Any] | None = None,
        more: Mapping[str, None] | None = None,
    ) -> bytes:
        """One framed view of a document; *number* tells referrals and events apart."""
        catalogue = load_catalogue()
        parsed = read_document(catalogue, document)
        event = catalogue.event(parsed.event_type)
        native = {"envelope": envelope(parsed, number, recorded_at, sender), **parsed.body}
        plan = plan or self.book.plan(
            sender, self.recipient, self.purpose, event, derive_facts(native)
        )
        codec = compile_view(
            event,
            {**plan.released, **(more or {})},
            recipient=self.recipient,
            purpose=self.purpose,
        )
        head, body = codec.project(avro.encode(event.schema, native), 0)
        stated = avro.encode(
            catalogue.type_schema("crisis.types.Manifest"), {**plan.manifest, **(manifest or {})}
        )
        number_of_schema = await self.registry.register("views", codec.schema)
        return wire.frame(number_of_schema) + head + stated + body


def envelope(parsed: Any, number: int, recorded_at: datetime, sender: str) -> dict[str, Any]:
    """The envelope of an event, as intake makes it."""
    reference = parsed.reference or f"R-{number}"
    return {
        "event_id": ids.event_id(SECRET.encode(), sender, f"{parsed.event_type}-{number}"),
        "event_type": parsed.event_type,
        "referral_id": ids.referral_id(SECRET.encode(), POLICE, f"{reference}/{number % 1000}"),
        "sequence": parsed.sequence,
        "sender": sender,
        "occurred_at": parsed.occurred_at,
        "recorded_at": recorded_at,
        "environment": parsed.environment,
        "urgency": parsed.urgency,
        "supersedes": None,
        "expires_at": parsed.expires_at,
        "correlation_id": "c" * 32,
        "causation_id": None,
        "routes": [],
        "facts": [],
        "findings": [],
        "regime_at_source": "unknown",
        "content_digest": bytes(32),
        "hop_count": 0,
    }


@dataclass(slots=True)
class Bench:
    """Everything a test of deliver needs, in one place."""

    deliver: Deliver
    inbox: Inbox
    log: MemoryLog
    watch: Watch
    maker: ViewMaker
    settings: Settings
    offset: int = 0
    pages: list[Parked] = field(default_factory=list)

    @property
    def topic(self) -> str:
        """Release topic of the lane."""
        return release_topic(self.settings.namespace, CRISIS, PURPOSE)

    async def put(self, *views: bytes) -> None:
        """Write views to the release topic."""
        producer = await self.log.open_producer()
        for view in views:
            await producer.send(Output(partition=Partition(self.topic, 0), key=None, value=view))
        await producer.aclose()

    async def take(self, *views: bytes) -> None:
        """Put views into the inbox as the reader does."""
        records = []
        for view in views:
            records.append(
                Record(
                    partition=Partition(self.topic, 0),
                    offset=self.offset,
                    timestamp_ms=0,
                    key=b"a" * 32,
                    value=view,
                )
            )
            self.offset += 1
        await self.deliver.reader.take(records)

    async def step(self) -> None:
        """Let the dispatcher look once, and wait until nothing is in flight."""
        await self.deliver.dispatcher.step()
        await self.deliver.dispatcher.settled()


@asynccontextmanager
async def bench(
    folder: Path,
    url: str,
    *,
    connector: str = "webhook",
    intake_url: str = "",
    more: str = "",
    **deliver: Any,
) -> AsyncIterator[Bench]:
    """Put a deliver together that sends to *url*; *more* joins its table of the parties file."""
    settings = _settings(folder, url, connector, intake_url, deliver, more)
    book = load_book(None, load_catalogue())
    log = MemoryLog({release_topic(settings.namespace, *lane): 1 for lane in book.lanes()})
    inbox = Inbox(folder / "inbox.db", SEALER)
    watch, pages = Watch(), list[Parked]()

    async def page(parked: Parked) -> None:
        pages.append(parked)

    made = Deliver(settings, CRISIS, log, inbox, clock=watch, page=page, chance=lambda: 1.0)
    maker = ViewMaker(DirectoryRegistry(settings.state_dir / "registry"), book)
    try:
        yield Bench(made, inbox, log, watch, maker, settings, pages=pages)
    finally:
        await made.aclose()
        await inbox.aclose()


def _settings(
    folder: Path, url: str, connector: str, intake_url: str, deliver: dict[str, Any], more: str
) -> Settings:
    (folder / "signing.key").write_bytes(b"signing key of nobody\n")
    (folder / "intake.key").write_bytes(b"crk_of_nobody\n")
    lines = [
        f"[{CRISIS}.deliver]",
        f'connector = "{connector}"',
        f'url = "{url}"',
        f'secret_file = "{folder}/signing.key"',
        'key_id = "k1"',
        'address = "https://fhir.nhs.uk/id/dos-service-id|1122334455"',
        more,
    ]
    if intake_url:
        lines.append(f'intake_key_file = "{folder}/intake.key"')
        deliver["intake_url"] = intake_url
    parties = folder / "parties.toml"
    parties.write_text("\n".join(lines), "utf-8")
    return Settings(
        state_dir=folder / "var",
        namespace="crisis",
        site_secret=SECRET,
        parties_file=parties,
        deliver=DeliverSettings(**deliver),
    )
