"""
Urgency across scales: letters and digits that look ordered and are not.

The same letter means 4 hours on one scale and 2 on another, and MHSDS orders 1, 4, 2, 3. So a code
counts only together with its scale, and scale, version and code travel along as they stand there.
What no scale here knows stays inside the broker: it could be anything, and everybody would read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Rank(StrEnum):
    """
    How soon somebody must act; the symbols of the Avro enum `crisis.types.Rank`.

    `UNKNOWN` is not the lowest: nobody knows, so it is dispatched as if it were immediate.
    """

    UNKNOWN = "unknown"
    IMMEDIATE = "immediate"
    URGENT = "urgent"
    SOON = "soon"
    ROUTINE = "routine"

    @property
    def priority(self) -> int:
        """Return the place in a queue: 0 goes first."""
        return _PRIORITIES[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """
    What a code on a scale means.

    Attributes:
        rank: Rank across scales.
        target_minutes: Minutes to response that the scale itself sets; None where it sets none.
    """

    rank: Rank
    target_minutes: int | None = None


UNGRADED = Grade(rank=Rank.UNKNOWN)
"""An unknown scale, or a code that the scale does not have."""

_PRIORITIES = {
    Rank.UNKNOWN: 0,
    Rank.IMMEDIATE: 0,
    Rank.URGENT: 1,
    Rank.SOON: 2,
    Rank.ROUTINE: 3,
}

_HOUR = 60
_DAY = 24 * _HOUR

_SCALES: Mapping[str, Mapping[str, Grade]] = {
    # UK Mental Health Triage Scale (Sands, Elsom, Colgate 2015).
    "ukmhts": {
        "A": Grade(rank=Rank.IMMEDIATE, target_minutes=0),
        "B": Grade(rank=Rank.URGENT, target_minutes=4 * _HOUR),
        "C": Grade(rank=Rank.SOON, target_minutes=1 * _DAY),
        "D": Grade(rank=Rank.SOON, target_minutes=3 * _DAY),
        "E": Grade(rank=Rank.ROUTINE, target_minutes=28 * _DAY),
        "F": Grade(rank=Rank.ROUTINE),
        "G": Grade(rank=Rank.ROUTINE),
    },
    # MHSDS ClinRespPriorityType; 4 (very urgent, since version 5.0) stands between 1 and 2.
    # NHS England counts 4 against 240 minutes and 2 against 1440 to the first contact.
    "mhsds": {
        "1": Grade(rank=Rank.IMMEDIATE),
        "4": Grade(rank=Rank.URGENT, target_minutes=4 * _HOUR),
        "2": Grade(rank=Rank.SOON, target_minutes=1 * _DAY),
        "3": Grade(rank=Rank.ROUTINE),
    },
    # Police incident grades: immediate, priority, scheduled, resolution without deployment.
    # Target times differ from force to force, so the scale sets none.
    "police-grade": {
        "1": Grade(rank=Rank.IMMEDIATE),
        "2": Grade(rank=Rank.URGENT),
        "3": Grade(rank=Rank.SOON),
        "4": Grade(rank=Rank.ROUTINE),
    },
}


def grade(scheme: str, code: str) -> Grade:
    """
    Return what *code* means on the scale *scheme*; `UNGRADED` if that is not known.

    >>> grade("ukmhts", "B").target_minutes, grade("mhsds", "4").rank.value
    (240, 'urgent')
    """
    return _SCALES.get(scheme.lower(), {}).get(code.upper(), UNGRADED)
