"""
Encryption of payload at rest: AES-256-GCM with named keys.

The key file is made by setup (`create_key_file`), readable by its owner only. A new key seals from
then on; old keys stay until nothing sealed with them is left, so that rotation needs no downtime.
"""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.domain.errors import BrokerError, ConfigurationError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEY_ID_HEX_DIGITS: Final = 8
FORMAT: Final = b"\x01"
"""First byte of everything sealed; another one means another layout."""


class SealBrokenError(BrokerError):
    """Sealed bytes were changed, moved to another place, or sealed with a key we do not hold."""

    code = "seal-broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """
    Seal and open payload.

    Attributes:
        keys: 32-byte keys by id (8 hex digits).
        current: Id of the key that seals.
    """

    keys: Mapping[str, bytes] = field(repr=False)
    current: str

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Return *plain* encrypted and bound to its *place*: moved elsewhere it does not open."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self.keys[self.current]).encrypt(nonce, plain, place)
        return FORMAT + bytes.fromhex(self.current) + nonce + sealed

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """
        Return what was sealed at *place*.

        Raises:
            SealBrokenError: It is not what was sealed there; a person must look.
        """
        head = 1 + KEY_ID_HEX_DIGITS // 2
        key = self.keys.get(sealed[1:head].hex())
        if key is None or sealed[:1] != FORMAT:
            raise SealBrokenError("sealed with an unknown key or layout")
        try:
            nonce, content = sealed[head : head + NONCE_BYTES], sealed[head + NONCE_BYTES :]
            return AESGCM(key).decrypt(nonce, content, place)
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError("sealed content does not open at this place") from error


def create_key_file(path: Path) -> Sealer:
    """Create a key file with one fresh key, or load the one that stands there already."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = _written_beside(path, _fresh())
    try:
        # A link appears whole or not at all, and never replaces a key that is in use.
        path.hardlink_to(beside)
    except FileExistsError:
        return load_key_file(path)
    finally:
        beside.unlink()
    return load_key_file(path)


def rotate_key_file(path: Path) -> Sealer:
    """Add a fresh key that seals from now on; older keys still open. Processes need a restart."""
    old, fresh = load_key_file(path), _fresh()
    both = Sealer(keys={**old.keys, **fresh.keys}, current=fresh.current)
    _written_beside(path, both).replace(path)
    return load_key_file(path)


def load_key_file(path: Path) -> Sealer:
    """
    Read a key file.

    Raises:
        ConfigurationError: It is missing, damaged, or readable by others than its owner.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError("key file may be read by others; set its mode to 0600")
        stored = json.loads(path.read_bytes())
        keys = {
            name: base64.b64decode(text, validate=True) for name, text in stored["keys"].items()
        }
        current = str(stored["current"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError("key file is missing or damaged; setup makes one") from error
    if current not in keys or any(not _is_key(name, key) for name, key in keys.items()):
        raise ConfigurationError("key file names no usable current key")
    return Sealer(keys=keys, current=current)


def _fresh() -> Sealer:
    name = secrets.token_hex(KEY_ID_HEX_DIGITS // 2)
    return Sealer(keys={name: secrets.token_bytes(KEY_BYTES)}, current=name)


def _is_key(name: str, key: bytes) -> bool:
    is_hex = len(name) == KEY_ID_HEX_DIGITS and all(char in "0123456789abcdef" for char in name)
    return is_hex and len(key) == KEY_BYTES


def _written_beside(path: Path, sealer: Sealer) -> Path:
    keys = {name: base64.b64encode(key).decode() for name, key in sealer.keys.items()}
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"current": sealer.current, "keys": keys}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return beside
