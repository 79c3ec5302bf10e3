"""
Makes what the active agreements need before anything is released: topics, and view schemas.

Release never makes a topic and never registers a schema: a route that is not provisioned is held.
"""

from collections.abc import AsyncIterator, Iterator

from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import Catalogue, load_catalogue
from broker.codec.disclosures import disclosure_schema, held_schema
from broker.codec.registry import SchemaRegistry, subject_name
from broker.codec.views import schema_of_view
from broker.domain.agreements import AgreementBook
from broker.domain.errors import UnknownSchemaError
from broker.processes.release_lanes import view_subject
from broker.runtime import topics
from broker.runtime.kafka_admin import apply
from broker.runtime.open_log import kafka_security
from broker.runtime.registry import open_registry
from broker.runtime.settings import Settings


async def provision_all(settings: Settings) -> list[str]:
    """Make topics and register schemas; return one line for each change."""
    catalogue = load_catalogue(settings.schemas_dir)
    book = load_book(settings.agreements_dir, catalogue)
    wanted = topic_plan(settings, book)
    changes = await apply(settings.bootstrap(), wanted, kafka_security(settings))
    return [*map(str, changes), *await register_everything(settings)]


async def register_everything(settings: Settings) -> list[str]:
    """Register the schemas that the agreements in force need; return one line if any was new."""
    catalogue = load_catalogue(settings.schemas_dir)
    book = load_book(settings.agreements_dir, catalogue)
    new = [subject async for subject in register_all(settings, catalogue, book)]
    return [f"registered {len(new)} schemas"] if new else []


def topic_plan(settings: Settings, book: AgreementBook) -> tuple[topics.TopicSpec, ...]:
    """Return the topics these agreements need."""
    return topics.plan(
        settings.namespace, sorted(book.lanes()), settings.partitions, settings.replication
    )


async def register_all(
    settings: Settings, catalogue: Catalogue, book: AgreementBook
) -> AsyncIterator[str]:
    """Register every schema that can occur; yield the subject of each that was new."""
    registry = open_registry(settings)
    for subject, schema in every_schema(settings.namespace, catalogue, book):
        if not await _is_known(registry, subject, schema):
            await registry.register(subject, schema)
            yield subject


def every_schema(
    namespace: str, catalogue: Catalogue, book: AgreementBook
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield subject and schema of every event, every view and the broker's own records."""
    for event in catalogue.events.values():
        yield subject_name(topics.events_topic(namespace), event.fullname), event.schema
    disclosures, held = topics.disclosures_topic(namespace), topics.held_topic(namespace)
    yield subject_name(disclosures, "crisis.records.Disclosure"), disclosure_schema()
    yield subject_name(held, "crisis.records.Held"), held_schema()
    for route in book.routes():
        topic = topics.release_topic(namespace, route.recipient, route.purpose)
        for event in catalogue.events.values():
            for plan in book.plans(*route, event):
                schema = schema_of_view(
                    event, plan.released, recipient=plan.recipient, purpose=plan.purpose
                )
                yield view_subject(topic, schema), schema


async def _is_known(registry: SchemaRegistry, subject: str, schema: dict[str, object]) -> bool:
    try:
        await registry.id_of(subject, schema)
    except UnknownSchemaError:
        return False
    return True
