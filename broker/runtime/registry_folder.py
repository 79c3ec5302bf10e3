"""
Schemas in a folder: ``<subject>/<version>.json``, and ``ids/<id>.json`` to find them by id.

A file is whole or not there at all, and is never changed once it stands.
"""

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.codec.catalogue_files import Schema
from broker.codec.normal_form import normal_form
from broker.codec.registry import schema_id
from broker.domain.errors import ConfigurationError, UnknownSchemaError
from broker.runtime.file_lock import exclusively

_IDS = "ids"
_LOCK = ".lock"
_SUBJECT = re.compile(r"(?!ids$)[A-Za-z0-9_][A-Za-z0-9._-]{0,248}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One schema under one subject."""

    subject: str
    version: int
    id: int
    schema: dict[str, Any]


class RegistryFolder:
    """
    The schemas in one folder; several processes may share it.

    Args:
        path: Made when the first schema is registered.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def subjects(self) -> list[str]:
        """Return all subjects, sorted."""
        folders = self._path.iterdir() if self._path.is_dir() else ()
        return sorted(f.name for f in folders if f.is_dir() and _SUBJECT.fullmatch(f.name))

    def versions(self, subject: str) -> list[int]:
        """Return the versions of a subject, oldest first; empty if there is no such subject."""
        if not _SUBJECT.fullmatch(subject):
            return []
        return sorted(int(file.stem) for file in (self._path / subject).glob("[0-9]*.json"))

    def registered(self, subject: str, version: int) -> Registered:
        """
        Return one version of a subject.

        Raises:
            UnknownSchemaError: There is no such subject or version.
        """
        if version not in self.versions(subject):
            raise UnknownSchemaError("subject has no such version")
        schema = json.loads((self._path / subject / f"{version}.json").read_text("utf-8"))
        return Registered(subject=subject, version=version, id=schema_id(schema), schema=schema)

    def find(self, subject: str, schema: Schema) -> Registered:
        """
        Return the version of a subject that is exactly this schema.

        Raises:
            UnknownSchemaError: It is not registered under this subject.
        """
        wanted = normal_form(schema)
        for version in self.versions(subject):
            found = self.registered(subject, version)
            if normal_form(found.schema) == wanted:
                return found
        raise UnknownSchemaError(f"schema is not registered @ {subject}")

    def schema(self, number: int) -> dict[str, Any]:
        """
        Return the schema with this id.

        Raises:
            UnknownSchemaError: No schema has this id.
        """
        try:
            schema: dict[str, Any] = json.loads(self._file_of(number).read_text("utf-8"))
        except FileNotFoundError:
            raise UnknownSchemaError("no schema has this id") from None
        return schema

    def uses(self, number: int) -> list[Registered]:
        """Return every subject and version with this id."""
        every = (
            self.registered(subject, version)
            for subject in self.subjects()
            for version in self.versions(subject)
        )
        return [registered for registered in every if registered.id == number]

    def register(self, subject: str, schema: Schema) -> Registered:
        """
        Add a schema to a subject; doing it again changes nothing.

        Raises:
            ConfigurationError: The subject has no usable name, or another schema has this id.
        """
        if not _SUBJECT.fullmatch(subject):
            raise ConfigurationError("subject is no usable name")
        with exclusively(self._path / _LOCK):
            try:
                return self.find(subject, schema)
            except UnknownSchemaError:
                return self._add(subject, schema)

    def _add(self, subject: str, schema: Schema) -> Registered:
        number, text = schema_id(schema), normal_form(schema)
        self._refuse_collision(number, text)
        version = max(self.versions(subject), default=0) + 1
        # The id goes first: a version that is listed can always be read by its id.
        _write_whole(self._file_of(number), text)
        _write_whole(self._path / subject / f"{version}.json", text)
        return Registered(subject=subject, version=version, id=number, schema=json.loads(text))

    def _refuse_collision(self, number: int, text: str) -> None:
        file = self._file_of(number)
        if file.exists() and normal_form(json.loads(file.read_text("utf-8"))) != text:
            raise ConfigurationError(
                f"another schema has the same id @ {number}: change a doc text of the newer one"
            )

    def _file_of(self, number: int) -> Path:
        return self._path / _IDS / f"{number}.json"


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
