"""
API keys: 256 random bits, shown once, kept as a hash in a file that only we can read.

`crk_<id>_<secret>`: the id finds the entry, the hash of the whole proves it. The file is read again
when it changes, so that a revocation needs no restart.
"""

import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from broker.domain.errors import ConfigurationError
from broker.runtime.file_lock import exclusively

PREFIX: Final = "crk_"
SECRET_BYTES: Final = 32
_ID_BYTES: Final = 4
_KEY: Final = re.compile(r"crk_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_PARTY: Final = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """
    One key as it is kept: it can be recognised, not recovered.

    Attributes:
        id: Public part.
        party: Whom it was issued to.
        hash: SHA-256 of the whole key, hex.
        issued_at: When.
        revoked_at: None while it is good.
    """

    id: str
    party: str
    hash: str
    issued_at: datetime
    revoked_at: datetime | None = None


class KeyRing:
    """
    The keys in a file; no file means no keys.

    Args:
        path: The key file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    def find(self, key: str) -> ApiKey | None:
        """
        Return the entry of a key, revoked or not; None if there is none.

        Raises:
            ConfigurationError: The key file cannot be used.
        """
        match = _KEY.fullmatch(key)
        entry = self._current().get(match[1]) if match else None
        # Compared even when nothing was found, so that time tells nothing.
        is_same = hmac.compare_digest(entry.hash if entry else _hash(""), _hash(key))
        return entry if entry and is_same else None

    def entries(self) -> tuple[ApiKey, ...]:
        """Return all entries, oldest first."""
        return tuple(sorted(self._current().values(), key=lambda key: (key.issued_at, key.id)))

    def _current(self) -> dict[str, ApiKey]:
        version = _version(self._path)
        if version != self._version:
            self._keys = {key.id: key for key in _load(self._path)} if version else {}
            self._version = version
        return self._keys


def issue(path: Path, party: str, now: datetime) -> str:
    """
    Add a key for *party* and return it: the only time that anybody sees it.

    Raises:
        ConfigurationError: No party id, or the file cannot be used.
    """
    if not _PARTY.fullmatch(party):
        raise ConfigurationError("a party id is 1 to 40 of a-z, 0-9 and hyphen")
    key_id = secrets.token_hex(_ID_BYTES)
    key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    with _changing(path) as entries:
        if key_id in entries:
            raise ConfigurationError("two keys drew the same id; issue again")
        entries[key_id] = ApiKey(id=key_id, party=party, hash=_hash(key), issued_at=now)
    return key


def revoke(path: Path, key_id: str, now: datetime) -> ApiKey:
    """
    Revoke a key by its id; it is refused from the next request on.

    Raises:
        ConfigurationError: There is no such key.
    """
    with _changing(path) as entries:
        if key_id not in entries:
            raise ConfigurationError("no key has this id; `crisis-broker keys list` shows them")
        entry = entries[key_id]
        entries[key_id] = entry if entry.revoked_at else replace(entry, revoked_at=now)
        return entries[key_id]


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, ApiKey]]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusively(path.with_name(f"{path.name}.lock")):
        entries = {key.id: key for key in _load(path)} if path.exists() else {}
        yield entries
        _save(path, entries.values())


def _load(path: Path) -> list[ApiKey]:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError("key file may be read by others; set its mode to 0600")
        return [_entry(raw) for raw in json.loads(path.read_bytes())["keys"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"key file cannot be read @ {path.name}") from error


def _entry(raw: dict[str, Any]) -> ApiKey:
    revoked_at = raw["revoked_at"]
    return ApiKey(
        id=raw["id"],
        party=raw["party"],
        hash=raw["sha256"],
        issued_at=datetime.fromisoformat(raw["issued_at"]),
        revoked_at=datetime.fromisoformat(revoked_at) if revoked_at else None,
    )


def _save(path: Path, entries: Iterable[ApiKey]) -> None:
    rows = [
        {
            "id": key.id,
            "party": key.party,
            "sha256": key.hash,
            "issued_at": key.issued_at.isoformat(),
            "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        }
        for key in entries
    ]
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"keys": rows}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()
