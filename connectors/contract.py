"""
What a connector is.

A connector is a folder named after a format and its version, exporting one ``SPEC``. It may import
`broker.domain`, `broker.codec.catalogue` and this module, nothing else of ours; a test checks it.
Translation is pure; the transport around it is thin. Retrying, order, deadlines and durability
belong to the processes, never to a connector.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from broker.domain.findings import Finding

Json = Any
"""A JSON value; canonical JSON is described in schemas/README.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """
    One event read from an agency message, and what was noticed on the way.

    Attributes:
        document: The event as a canonical JSON document (schemas/README.md): ``event_type``,
            ``reference``, ``occurred_at``, ``environment``, ``urgency``, ``routes``, ``body`` ...
        idempotency_key: What makes a repeat of this message the same message.
        findings: In document order.
    """

    document: Mapping[str, Json]
    idempotency_key: str
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """
    What one recipient may see of one event, decoded.

    Attributes:
        event_type: e.g. ``referral.made``.
        envelope: Decoded `crisis.types.Envelope` fields that every recipient gets.
        manifest: What was withheld, why and whom to ask; agreement, version and purpose.
        body: Granted fields only; a field that was not granted does not exist.
        late: Whether the view is older than its urgency allows ("late" banner).
    """

    event_type: str
    envelope: Mapping[str, Any]
    manifest: Mapping[str, Any]
    body: Mapping[str, Any]
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request to an agency; equal views and ids give equal bytes."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


class Verdict(StrEnum):
    """What an agency's answer means for the view that was sent."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An agency's HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    The agency's end, as configured for one recipient.

    Attributes:
        recipient: Party id.
        address: The agency's own endpoint name in its format (e.g. ``system|id``).
        sender_address: Ours, in the same format.
        secret: Signing key, where the format signs.
        key_id: Names the signing key.
    """

    recipient: str
    address: str = ""
    sender_address: str = ""
    secret: bytes = b""
    key_id: str = ""


class TranslateIn(Protocol):
    """Agency bytes to events; raises MalformedMessageError only for input that is not the format."""

    def __call__(self, message: bytes, mapping: Mapping[str, Any]) -> Sequence[Inbound]:
        """Translate; *mapping* is the site's mapping file, empty where the format needs none."""
        ...


class TranslateOut(Protocol):
    """A view to an agency request; pure, so that a retry sends the same bytes."""

    def __call__(self, view: View, target: Target, *, now: datetime, request_id: str) -> Request:
        """Translate; *request_id* is the same on every retry of one view."""
        ...


class ReadResponse(Protocol):
    """Judge the agency's answer."""

    def __call__(self, response: Response, *, request_id: str) -> Verdict:
        """Decide whether to stop, try again or park."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSpec:
    """
    Everything the broker needs to know to run one connector.

    Attributes:
        name: Folder name, used in metrics and configuration.
        summary: One sentence for the table in the README.
        media_type: What it reads or writes.
        translate_in: None where the format is never read.
        translate_out: None where the format is never written.
        read_response: Required with `translate_out`.
        needs_secret: Whether it must never run without a `Target.secret`.
        warm_up: Loads what the first message would wait for; None where nothing is.
    """

    name: str
    summary: str
    media_type: str
    translate_in: TranslateIn | None = None
    translate_out: TranslateOut | None = None
    read_response: ReadResponse | None = None
    needs_secret: bool = False
    warm_up: Callable[[], None] | None = None
