"""The one place that asks what time it is; everything else is told."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current instant, UTC."""


def utc_now() -> datetime:
    """Return the current instant, UTC."""
    return datetime.now(UTC)
