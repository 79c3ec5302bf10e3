"""
Where the files that are no code stand: `schemas/` and `deploy/`.

In a checkout they are folders beside the package; in an installed wheel they are copied into it.
This module imports nothing of ours, so every layer may ask it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """
    Return the folder *name* (``schemas`` or ``deploy``) of this installation.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    # A wheel's own copy goes first: a stranger's `schemas` may stand beside site-packages/broker.
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"folder `{name}` is not part of this installation")


def schemas_folder() -> Path:
    """Return the folder of the schemas."""
    return resource_folder("schemas")


def deploy_folder() -> Path:
    """Return the folder of agreements, mappings and everything else to be deployed."""
    return resource_folder("deploy")
