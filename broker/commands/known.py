"""What the agreements know, for commands that are given a name: a typing error ends there."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from broker.runtime.settings import Settings


def parties_known(settings: "Settings") -> "AbstractSet[str]":
    """Return the ids of all parties that an agreement in force names."""
    from broker.codec.agreement_toml import load_book
    from broker.codec.catalogue import load_catalogue

    return load_book(settings.agreements_dir, load_catalogue(settings.schemas_dir)).parties.keys()
