"""
The two schema registries: a folder, which needs no server, and any server with Confluent's API.

Source: Confluent Schema Registry documentation, "API reference".
"""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from broker.codec.catalogue_files import Schema
from broker.codec.normal_form import normal_form
from broker.codec.registry import SchemaRegistry
from broker.domain.errors import ConfigurationError, TransportError, UnknownSchemaError
from broker.runtime.http_client import HttpAnswer, HttpClient
from broker.runtime.registry_folder import RegistryFolder
from broker.runtime.settings import Settings

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
FOLDER = "registry"
"""Name of the folder below the state directory."""

_OK, _NOT_FOUND = 200, 404
_REFUSALS = frozenset({400, 409, 422})


def open_registry(settings: Settings) -> SchemaRegistry:
    """Return the registry of this installation: the server if one is named, else the folder."""
    if settings.registry_url:
        return HttpRegistry(settings.registry_url)
    return DirectoryRegistry(settings.state_dir / FOLDER)


class DirectoryRegistry:
    """
    A registry in a folder; ids are derived from the schemas.

    Args:
        path: The folder; made when the first schema is registered.
    """

    def __init__(self, path: Path) -> None:
        self._folder = RegistryFolder(path)
        self._schemas: dict[int, dict[str, Any]] = {}

    async def schema(self, schema_id: int) -> dict[str, Any]:
        """Return the schema with this id."""
        if schema_id not in self._schemas:
            found = await asyncio.to_thread(self._folder.schema, schema_id)
            self._schemas[schema_id] = found
        return self._schemas[schema_id]

    async def register(self, subject: str, schema: Schema) -> int:
        """Write the schema to disk, if it is not there yet."""
        return (await asyncio.to_thread(self._folder.register, subject, schema)).id

    async def id_of(self, subject: str, schema: Schema) -> int:
        """Return the id under this subject."""
        return (await asyncio.to_thread(self._folder.find, subject, schema)).id

    async def aclose(self) -> None:
        """Hold nothing open."""


class HttpRegistry:
    """
    A registry server, asked once for each thing.

    Args:
        url: Where it listens.
        timeout_s: Deadline of one question.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        self._client = HttpClient(url, timeout_s=timeout_s, place="registry_url")
        self._schemas: dict[int, dict[str, Any]] = {}
        self._ids: dict[tuple[str, str], int] = {}

    async def schema(self, schema_id: int) -> dict[str, Any]:
        """Return the schema with this id."""
        if schema_id not in self._schemas:
            answer = await self._ask("GET", f"/schemas/ids/{schema_id}")
            self._schemas[schema_id] = _schema_in(answer)
        return self._schemas[schema_id]

    async def register(self, subject: str, schema: Schema) -> int:
        """Register the schema; the server may refuse it as not compatible."""
        return await self._id("/subjects/{}/versions", subject, schema)

    async def id_of(self, subject: str, schema: Schema) -> int:
        """Return the id under this subject."""
        return await self._id("/subjects/{}", subject, schema)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _id(self, path: str, subject: str, schema: Schema) -> int:
        text = normal_form(schema)
        if (subject, text) not in self._ids:
            body = json.dumps({"schema": text, "schemaType": "AVRO"}).encode()
            answer = await self._ask("POST", path.format(quote(subject, safe="")), body)
            if not isinstance(answer.get("id"), int):
                raise TransportError("registry answered without an id")
            self._ids[subject, text] = answer["id"]
        return self._ids[subject, text]

    async def _ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        headers = {"Accept": MEDIA_TYPE} | ({"Content-Type": MEDIA_TYPE} if body else {})
        answer = await self._client.exchange(method, path, headers=headers, body=body)
        if answer.status == _NOT_FOUND:
            raise UnknownSchemaError("registry does not know this subject or schema")
        if answer.status in _REFUSALS:
            raise ConfigurationError(f"registry refuses the schema with {answer.status}")
        if answer.status != _OK:
            raise TransportError(f"registry answered {answer.status}")
        return _object_in(answer)


def _object_in(answer: HttpAnswer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise TransportError("registry answered with something else than JSON")
    return found


def _schema_in(answer: dict[str, Any]) -> dict[str, Any]:
    try:
        schema = json.loads(answer["schema"])
    except (KeyError, TypeError, ValueError):
        schema = None
    if not isinstance(schema, dict):
        raise TransportError("registry answered without a schema")
    return schema
