"""What was noticed about a message; it travels with the event and never holds a value."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    Something a reader of the message should know; never the value itself.

    Attributes:
        code: Stable kebab-case name, e.g. ``nhs-number-check-failed``.
        path: Where in the message, in its own terms (column, JSON path, segment-field).
        severity: INFO, WARNING or SAFETY.
        kept: Where the value went: a canonical path, ``unmapped`` or ``dropped``.
    """

    code: str
    path: str
    severity: Severity = Severity.WARNING
    kept: str = ""
