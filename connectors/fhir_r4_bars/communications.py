"""Communications: the hand-over summary, what was withheld, and everything without a coded place."""

from typing import Final

from connectors.fhir_r4_bars.codes import HL7_STRUCTURE
from connectors.fhir_r4_bars.elements import text
from connectors.fhir_r4_bars.message import ENCOUNTER, PATIENT, SENDER, WHOLE, Message

UPDATED: Final = "referral_updated"

REASONS: Final = {
    "not_granted": "not part of the agreement",
    "withheld_by_rule": "withheld by the agreement",
    "reduced": "sent in a reduced form",
    "needs_a_person": "only after a person decides",
    "filter_failed": "filtering failed",
}


def add_communications(message: Message) -> None:
    """Add them; must come last, since what no other part has read is written here."""
    summary = text(message.fields.take("handover_summary"))
    if summary:
        _add(message, "handover", "Hand-over summary", [summary])
    _add_withheld(message)
    rest = [f"{path}: {words}" for path, words in message.fields.rest()]
    lines = [line for line in map(text, rest) if line]
    if message.view.event_type == UPDATED:
        lines = ["This update holds changed sections only: what is absent is unchanged", *lines]
    if message.view.event_type not in WHOLE:
        lines = [f"Event: {message.view.event_type}", *lines]
    if lines:
        _add(message, "details", "Further details from the sender", lines)


def _add_withheld(message: Message) -> None:
    manifest = message.manifest
    ask = text(manifest["ask"]) or "the sender"
    lines = [
        f"{entry['group']}: {REASONS.get(entry['reason'], 'withheld')}"
        for entry in manifest["entries"]
    ]
    if not manifest["complete"]:
        lines = [f"This message could not be filtered: only its envelope is here. Phone {ask}."]
    if lines:
        heading = f"Held back, whether or not the sender has it. To know more, ask {ask}"
        _add(message, "withheld", heading, lines, redacted=True)


def _add(
    message: Message, role: str, category: str, lines: list[str], *, redacted: bool = False
) -> None:
    entries = message.entries
    entries.add(
        f"communication/{message.envelope['event_id']}/{role}",
        "Communication",
        {
            "status": "completed",
            "category": [{"text": category}],
            "subject": entries.reference(PATIENT),
            "encounter": entries.reference(ENCOUNTER),
            "sent": message.updated_at,
            "sender": entries.reference(SENDER),
            "payload": [{"contentString": line} for line in lines],
        },
        profiles=[f"{HL7_STRUCTURE}/Communication"],
        redacted=redacted,
    )
