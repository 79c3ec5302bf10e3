"""What the broker needs of a schema registry, and the ids it gives itself without a server."""

from hashlib import sha256
from typing import Any, Protocol

from broker.codec.catalogue_files import Schema
from broker.codec.normal_form import normal_form

_ID_BYTES = 4
_ID_MASK = 0x7FFF_FFFF
"""Clients hold ids in signed 32-bit numbers."""


class SchemaRegistry(Protocol):
    """Knows schemas by id and subject; what it has registered never changes."""

    async def schema(self, schema_id: int) -> dict[str, Any]:
        """
        Return the schema with this id.

        Raises:
            UnknownSchemaError: No schema has this id.
            TransportError: The registry did not answer.
        """
        ...

    async def register(self, subject: str, schema: Schema) -> int:
        """
        Register a schema under a subject and return its id; doing it again changes nothing.

        Raises:
            ConfigurationError: The registry refuses it.
            TransportError: The registry did not answer.
        """
        ...

    async def id_of(self, subject: str, schema: Schema) -> int:
        """
        Return the id that this schema has under this subject.

        Raises:
            UnknownSchemaError: It is not registered there.
            TransportError: The registry did not answer.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


def schema_id(schema: Schema) -> int:
    """
    Derive the id of a schema from its whole normal form; 1 to 2^31 - 1.

    Two schemas may in principle get one id: whoever registers must compare, and refuse.
    """
    digest = sha256(normal_form(schema).encode()).digest()
    for start in range(0, len(digest), _ID_BYTES):
        found = int.from_bytes(digest[start : start + _ID_BYTES], "big") & _ID_MASK
        if found:
            return found
    return 1


def subject_name(topic: str, fullname: str) -> str:
    """
    Return the subject of a record in a topic (TopicRecordNameStrategy).

    >>> subject_name("crisis.events", "crisis.events.ReferralMade")
    'crisis.events-crisis.events.ReferralMade'
    """
    return f"{topic}-{fullname}"
