"""
What an installation has on disk: folders and secrets, made once and never overwritten.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from broker.domain.errors import ConfigurationError
from broker.runtime.sealing import create_key_file
from broker.runtime.settings import Settings

SECRET_BYTES: Final = 32


def secrets_folder(settings: Settings) -> Path:
    """Return where secrets stand; only we may read it."""
    return settings.state_dir / "secrets"


def sealing_key_file(settings: Settings) -> Path:
    """Return the key file that payloads at rest are sealed with."""
    return secrets_folder(settings) / "sealing.key"


def set_up(settings: Settings) -> list[tuple[Path, bool]]:
    """
    Make what is missing; return each path and whether it was made now.

    Raises:
        ConfigurationError: The state folder cannot be written.
    """
    try:
        return _set_up(settings)
    except OSError as error:
        said = os.strerror(error.errno or 0).lower()
        raise ConfigurationError(f"the state folder cannot be made: {said} @ state_dir") from error


def _set_up(settings: Settings) -> list[tuple[Path, bool]]:
    folder = secrets_folder(settings)
    found = [(folder, not folder.exists())]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    site_key = settings.site_secret_file or folder / "site.key"
    found.append((site_key, _write_once(site_key, secrets.token_hex(SECRET_BYTES).encode())))
    sealing = sealing_key_file(settings)
    found.append((sealing, not sealing.exists()))
    if not sealing.exists():
        create_key_file(sealing)
    return found


def _write_once(path: Path, content: bytes) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return True
