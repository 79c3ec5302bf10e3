"""
Who a caller is to a referral: the one who made it, one who has received it, or nobody.

The sender may change, withdraw and take back; who has it in hand may answer. Nobody else learns
even whether the referral exists.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from broker.domain.errors import TransportError
from broker.processes.intake_index import HAVE_IT, MADE, Disclosed
from broker.runtime.outbox import Outbox

ANSWERS: Final = frozenset(
    {
        "referral_received",
        "referral_acknowledged",
        "referral_accepted",
        "referral_declined",
        "referral_outcome",
    }
)
BY_SENDER: Final = frozenset(
    {"referral_made", "referral_updated", "referral_withdrawn", "referral_taken_back"}
)
BY_EITHER: Final = frozenset({"referral_phone_handover"})
FEEDBACK: Final = "police-outcome-feedback"

Address = tuple[str, str]
"""Recipient and purpose."""


class Index(Protocol):
    """What is known of who has received what; `DisclosureIndex` fits."""

    async def of(self, referral_id: str) -> set[Disclosed]:
        """Return what is known now."""
        ...

    async def fresh_of(self, referral_id: str, timeout_s: float) -> set[Disclosed]:
        """Return what is known once everything disclosed until now has been read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    What a caller is to a referral.

    Attributes:
        is_sender: The caller made it.
        has_it: Something of it was released to the caller.
        sender: Who made it, as far as known.
        addressed: Whom the caller has addressed for it so far.
        is_certain: Whether everything disclosed until now was looked at.
    """

    is_sender: bool = False
    has_it: bool = False
    sender: str | None = None
    addressed: frozenset[Address] = frozenset()
    is_certain: bool = True

    def may(self, event_type: str) -> bool:
        """Whether the caller may send this for the referral."""
        if event_type in ANSWERS:
            return self.has_it
        return self.is_sender or (event_type in BY_EITHER and self.has_it)

    def added_routes(self, event_type: str) -> frozenset[Address]:
        """Return where the event goes besides what its sender states."""
        if event_type == MADE:
            return frozenset()
        if self.is_sender and event_type not in ANSWERS:
            return self.addressed
        return frozenset({(self.sender, FEEDBACK)}) if self.sender else frozenset()


class Standings:
    """
    Finds out what callers are to referrals.

    Args:
        outbox: What was made here.
        index: What was disclosed.
        patience_s: How long to wait for the index to reach the present.
    """

    def __init__(self, outbox: Outbox, index: Index, *, patience_s: float = 3.0) -> None:
        self._outbox = outbox
        self._index = index
        self._patience_s = patience_s

    async def of(self, party: str, referral_id: str) -> Standing:
        """
        Return what *party* is to the referral of an address.

        Raises:
            TransportError: It is not known here, and the disclosures cannot be read up to now.
        """
        made_by = await self._outbox.sender_of(referral_id)
        standing = self._judge(party, made_by, await self._index.of(referral_id))
        if not (standing.is_sender or standing.has_it):
            rows = await self._index.fresh_of(referral_id, self._patience_s)
            standing = self._judge(party, made_by, rows)
        if standing.is_sender:
            return await self.of_maker(party, referral_id)
        return standing

    async def of_maker(self, party: str, referral_id: str) -> Standing:
        """Return the standing of the party whose own reference gave this referral its id."""
        here = await self._outbox.routes_of(referral_id, party)
        made_here = await self._outbox.sender_of(referral_id) == party
        rows, is_certain = await self._rows(referral_id, made_here=made_here)
        there = {(row.recipient, row.purpose) for row in rows if row.sender == party}
        addressed = frozenset(here | {address for address in there if all(address)})
        return Standing(
            is_sender=True,
            has_it=_has(party, rows),
            sender=party,
            addressed=addressed,
            is_certain=is_certain,
        )

    async def _rows(self, referral_id: str, *, made_here: bool) -> tuple[set[Disclosed], bool]:
        if made_here:
            return await self._index.of(referral_id), True
        try:
            return await self._index.fresh_of(referral_id, self._patience_s), True
        except TransportError:
            return await self._index.of(referral_id), False

    def _judge(self, party: str, made_by: str | None, rows: set[Disclosed]) -> Standing:
        sender = made_by or _sender(rows)
        return Standing(is_sender=sender == party, has_it=_has(party, rows), sender=sender)


def _has(party: str, rows: Iterable[Disclosed]) -> bool:
    return any(row.recipient == party and row.outcome in HAVE_IT for row in rows)


def _sender(rows: Iterable[Disclosed]) -> str | None:
    made = sorted({row.sender for row in rows if row.event_type == MADE})
    later = sorted({row.sender for row in rows if row.event_type in BY_SENDER})
    return next(iter(made or later), None)
