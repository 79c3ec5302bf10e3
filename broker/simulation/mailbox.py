"""What a stand-in agency has received: kept in memory, as it came, in the order it came."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One message that was taken.

    Attributes:
        party: Whose system got it.
        at: ISO 8601, when it came.
        format: ``fhir_r4_bars`` or ``webhook``.
        request_id: The same on every repeat.
        referral_id: As far as the message says.
        event_type: Symbol of `crisis.types.EventType`, as far as the message says.
        body: Its text.
        verified: Whether its signature was checked and is genuine; None where nothing is signed.
    """

    party: str
    at: str
    format: str
    request_id: str
    referral_id: str
    event_type: str
    body: str
    verified: bool | None = None

    @property
    def message(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    def text(self) -> str:
        """Return the body with every letter written out, so that a text can be looked for."""
        return json.dumps(self.message, ensure_ascii=False)


@dataclass(slots=True)
class Mailbox:
    """
    All messages of one stand-in.

    Attributes:
        items: Taken, each once.
        repeats: Messages that came again, by request id.
        forged: Messages refused because of their signature.
        malformed: Messages refused because they break the format's rules.
    """

    items: list[Item] = field(default_factory=list)
    repeats: dict[str, int] = field(default_factory=dict)
    forged: int = 0
    malformed: int = 0
    _known: set[tuple[str, str]] = field(default_factory=set)

    def take(self, item: Item) -> bool:
        """Keep a message; False if its party has it already."""
        key = (item.party, item.request_id)
        if key in self._known:
            self.repeats[item.request_id] = self.repeats.get(item.request_id, 0) + 1
            return False
        self._known.add(key)
        self.items.append(item)
        return True

    def to_json(self, since: int = 0) -> dict[str, Any]:
        """Return everything from item *since* on, for whoever asks."""
        return {
            "items": [asdict(item) for item in self.items[since:]],
            "count": len(self.items),
            "repeats": self.repeats,
            "forged": self.forged,
            "malformed": self.malformed,
        }


def read_item(found: Mapping[str, Any]) -> Item:
    """Return an item from the JSON of `Mailbox.to_json`."""
    return Item(**found)
