"""
Entries of one bundle: derived ids, metadata and references.

Every id is a UUID version 5 of the referral and the resource's role in it, so that an update speaks
of the same patient as the request did, and a repeat is the same message.
"""

import uuid
from collections.abc import Iterable
from typing import Any, Final

from connectors.fhir_r4_bars.codes import OURS
from connectors.fhir_r4_bars.elements import REDACTED, Element, kept

_SPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, OURS)


def guid(*parts: str) -> str:
    """Return the UUID that these parts derive."""
    return str(uuid.uuid5(_SPACE, "/".join(parts)))


class Entries:
    """
    Collects the resources of one message.

    Args:
        referral_id: The conversation.
        updated_at: When the content was put together; every resource says so.
    """

    def __init__(self, referral_id: str, updated_at: str) -> None:
        self._referral_id = referral_id
        self._updated_at = updated_at
        self._entries: list[Element] = []

    def reference(self, role: str) -> Element:
        """Return a reference to the resource with this role, whether it stands already or not."""
        return {"reference": f"urn:uuid:{guid(self._referral_id, role)}"}

    def add(
        self,
        role: str,
        kind: str,
        content: dict[str, Any],
        *,
        profiles: Iterable[str] = (),
        redacted: bool = False,
    ) -> None:
        """
        Add one resource.

        Args:
            role: Names it within the referral, e.g. ``patient`` or ``observation/risk.weapon``.
            kind: FHIR resource type.
            content: Its elements; empty ones are left out.
            profiles: Profiles it claims.
            redacted: Whether something was held back from it.
        """
        meta = kept(
            {
                "lastUpdated": self._updated_at,
                "profile": list(profiles),
                "security": [REDACTED] if redacted else None,
            }
        )
        self._entries.append(
            {
                "fullUrl": self.reference(role)["reference"],
                "resource": {"resourceType": kind, "meta": meta, **kept(content)},
            }
        )

    def all(self) -> list[Element]:
        """Return the entries in the order they were added."""
        return self._entries
