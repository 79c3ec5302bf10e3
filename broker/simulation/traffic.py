"""
Control-room traffic that could be real: the same seed gives the same referrals, for ever.

Every trap of real exports is in it at a stated rate: wrong check digits, swapped coordinates, no
fixed abode, refused consent, protected addresses, officers as victims, names of other alphabets and
logs of 100 KB. Nobody in it exists.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from broker.simulation.particulars import Draft, add_particulars
from broker.simulation.people import invent_person
from broker.simulation.situations import SITUATIONS, Situation

Document = Mapping[str, Any]
"""One canonical JSON document (schemas/README.md)."""

SENDER: Final = "midshire-police"
BEGIN: Final = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def referrals(
    seed: int, *, begin: datetime = BEGIN, every: timedelta = timedelta(seconds=1)
) -> Iterator[Document]:
    """
    Invent referrals without end.

    Args:
        seed: The same seed gives the same people in the same trouble.
        begin: When the first happens; part of each reference, so that two runs never share one.
        every: Time between two of them.
    """
    rng = Random(seed)  # noqa: S311 - invented people need no secrecy, only repeatability
    weights = [each.weight for each in SITUATIONS]
    number = 0
    while True:
        situation = rng.choices(SITUATIONS, weights)[0]
        at = begin + number * every
        reference = f"MP-{begin:%Y%m%d%H%M%S}-{seed}-{number:06d}"
        yield _document(rng, situation, reference, at)
        number += 1


def _document(rng: Random, situation: Situation, reference: str, at: datetime) -> Document:
    draft = Draft(situation=situation, person=invent_person(rng, at.date()), at=at)
    body = add_particulars(rng, draft)
    urgency = {"scheme": "ukmhts", "version": "1", "code": situation.code}
    return {
        "event_type": "referral_made",
        "reference": reference,
        "sequence": 1,
        "occurred_at": at.isoformat(),
        "environment": "test",
        "urgency": urgency if situation.code else None,
        "routes": [
            {"recipient": recipient, "purpose": purpose} for recipient, purpose in situation.routes
        ],
        "body": body,
    }
