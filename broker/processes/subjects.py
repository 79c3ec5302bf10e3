"""
The registry ids of what the broker writes, asked for once at start-up.
"""

from dataclasses import dataclass

from broker.codec.catalogue import EventSchema, Schema
from broker.codec.disclosures import disclosure_schema, held_schema
from broker.codec.registry import SchemaRegistry, subject_name
from broker.domain.errors import ConfigurationError, UnknownSchemaError
from broker.runtime import topics


@dataclass(frozen=True, slots=True)
class Subjects:
    """Looks ids up by topic and record name; a missing one names the command that registers it."""

    registry: SchemaRegistry
    namespace: str

    async def event(self, event: EventSchema) -> int:
        """Return the id of an event's schema."""
        return await self._id(topics.events_topic(self.namespace), event.schema)

    async def disclosure(self) -> int:
        """Return the id of the disclosure schema."""
        return await self._id(topics.disclosures_topic(self.namespace), disclosure_schema())

    async def held(self) -> int:
        """Return the id of the held schema."""
        return await self._id(topics.held_topic(self.namespace), held_schema())

    async def _id(self, topic: str, schema: Schema) -> int:
        subject = subject_name(topic, f"{schema['namespace']}.{schema['name']}")
        try:
            return await self.registry.id_of(subject, schema)
        except UnknownSchemaError as error:
            raise ConfigurationError(
                f"not registered: run `crisis-broker topics apply` @ {subject}"
            ) from error
