"""What of an event's envelope is part of every view."""

from itertools import takewhile
from typing import Final

from broker.codec.catalogue_leaves import ENVELOPE
from broker.codec.projection_types import Field, Record
from broker.domain.errors import ConfigurationError

FIRST_INTERNAL: Final = "correlation_id"
"""Of the envelope, what stands before this field is part of every view."""


def public_fields(event: Record) -> list[Field]:
    """Return the fields of the envelope that are part of every view."""
    return list(takewhile(lambda each: each.name != FIRST_INTERNAL, envelope(event).fields))


def envelope(event: Record) -> Record:
    """
    Return the envelope's record.

    Raises:
        ConfigurationError: The event does not begin with one.
    """
    first = event.fields[0] if event.fields else None
    if first is None or first.name != ENVELOPE or not isinstance(first.type, Record):
        raise ConfigurationError("an event begins with its envelope @ schema")
    return first.type
