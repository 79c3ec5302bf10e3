"""What the parts of a message share: the view, its fields, and the entries being collected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from connectors.contract import Target, View
from connectors.fhir_r4_bars.codes import OURS
from connectors.fhir_r4_bars.entries import Entries
from connectors.fhir_r4_bars.reading import Fields
from connectors.moments import instant_text

WHOLE: Final = frozenset({"referral_made", "referral_updated"})
"""Events that speak of the person at all; in the others a missing field says nothing."""

PATIENT: Final = "patient"
ENCOUNTER: Final = "encounter"
REQUEST: Final = "request"
CARE_PLAN: Final = "care-plan"
PLACE: Final = "location"
SENDER: Final = "organization/sender"
RECEIVER: Final = "organization/receiver"
SERVICE: Final = "service"
PRACTITIONER: Final = "practitioner"
ROLE: Final = "practitioner-role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    One message being written.

    Attributes:
        view: What the recipient may know.
        target: The recipient's end.
        request_id: The same for every attempt.
        fields: The body, and what has been read of it.
        entries: What has been written.
    """

    view: View
    target: Target
    request_id: str
    fields: Fields
    entries: Entries = field(repr=False)

    @property
    def envelope(self) -> Mapping[str, Any]:
        """The envelope of the event."""
        return self.view.envelope

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What was withheld, and whom to ask."""
        return self.view.manifest

    @property
    def updated_at(self) -> str:
        """When the content was put together: when the broker accepted the event."""
        return instant_text(self.envelope["recorded_at"])

    def is_redacted(self, *groups: str) -> bool:
        """Whether the recipient holds less of these groups than the sender may have sent."""
        return any(entry["group"] in groups for entry in self.manifest["entries"])

    def is_masked(self, path: str) -> bool:
        """Whether a field was not granted, in an event that could hold it."""
        return self.view.event_type in WHOLE and not self.fields.is_granted(path)

    def sender_endpoint(self) -> str:
        """Return our end in the agency's form, or the sender's party id as an address of ours."""
        return self.target.sender_address or f"{OURS}/party|{self.envelope['sender']}"

    def receiver_endpoint(self) -> str:
        """Return the agency's end, or the recipient's party id as an address of ours."""
        return self.target.address or f"{OURS}/party|{self.target.recipient}"

    def respond_by(self) -> str | None:
        """Return the end of the response clock; None if no clock is stated."""
        stated = self.fields.look("clock.respond_by")
        if stated is not None:
            return instant_text(stated["utc"])
        minutes = self.envelope["urgency"]["target_minutes"]
        if minutes is None:
            return None
        try:
            return instant_text(self.envelope["occurred_at"]["utc"] + timedelta(minutes=minutes))
        except OverflowError:
            return None
