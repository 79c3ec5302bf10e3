"""Reads what stands around the body of a canonical document: who, when, how urgent, to whom."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from broker.codec.canonical_reader import Json, Reader
from broker.domain.findings import Finding, Severity
from broker.domain.urgency import Rank, grade

_FIELDS = frozenset(
    {
        "event_type",
        "reference",
        "sequence",
        "occurred_at",
        "environment",
        "urgency",
        "routes",
        "expires_at",
        "supersedes",
        "body",
    }
)
_ENVIRONMENTS = frozenset({"live", "test", "exercise", "canary"})
_ROUTE_SOURCES = frozenset({"sender", "rota", "safeguarding_decision"})
_PARTY = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_EVENT_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_URGENCY_MEMBERS = ("scheme", "version", "code")
# Numbers and months only: a word of 16 letters is enough for a diagnosis.
_VERSION = re.compile(r"v?[0-9]{1,2}(\.[0-9]{1,2})?|20[0-9]{2}(-[0-9]{2})?|", re.ASCII)
_MAX_NAME_CHARS = 200
_REFERRAL = "referral_made"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDocument:
    """
    One canonical document, read.

    Attributes:
        event_type: A symbol of `crisis.types.EventType`.
        reference: The sender's own reference; None only where the event may do without.
        sequence: The sender's own count; 0 if not stated.
        occurred_at: Native `crisis.types.Moment`.
        environment: live, test, exercise or canary.
        urgency: Native `crisis.types.Urgency`, rank included.
        routes: Native `crisis.types.Route` records.
        expires_at: Native Moment, or None.
        supersedes: Id of an earlier event, or None.
        body: Native body: every field present, None where absent.
        findings: In document order, then those of the checks.
    """

    event_type: str
    reference: str | None
    sequence: int
    occurred_at: Mapping[str, Any]
    environment: str
    urgency: Mapping[str, Any]
    routes: tuple[Mapping[str, Any], ...]
    expires_at: Mapping[str, Any] | None
    supersedes: str | None
    body: dict[str, Any]
    findings: tuple[Finding, ...]


def read_envelope_fields(
    reader: Reader, event_type: str, document: Mapping[str, Json]
) -> Callable[..., ParsedDocument]:
    """Read everything but the body; returns what makes a ParsedDocument of body and findings."""
    for key in document:
        if key not in _FIELDS:
            reader.keep_unknown(key, document[key], "$")
    expires_at = document.get("expires_at")
    return partial(
        ParsedDocument,
        event_type=event_type,
        reference=_reference(reader, event_type, document.get("reference")),
        occurred_at=_occurred_at(reader, document.get("occurred_at")),
        sequence=_sequence(reader, document.get("sequence")),
        environment=_environment(reader, document.get("environment")),
        urgency=_urgency(reader, event_type, document.get("urgency")),
        routes=_routes(reader, document.get("routes")),
        expires_at=None if expires_at is None else reader.moment(expires_at, "$.expires_at"),
        supersedes=_supersedes(reader, document.get("supersedes")),
    )


def _reference(reader: Reader, event_type: str, value: Json) -> str | None:
    if value is None and event_type == _REFERRAL:
        reader.problem("$.reference", "required field is missing")
    return _name(reader, value, "$.reference")


def _sequence(reader: Reader, value: Json) -> int:
    if value is None:
        return 0
    native = reader.read("int", value, "$.sequence")
    if isinstance(native, int) and native < 0:
        reader.problem("$.sequence", "negative")
    return int(native or 0)


def _environment(reader: Reader, value: Json) -> str:
    if not isinstance(value, str) or value not in _ENVIRONMENTS:
        reader.problem("$.environment", "not one of live, test, exercise, canary")
        return "unknown"
    return value


def _occurred_at(reader: Reader, value: Json) -> dict[str, Any]:
    if value is None:
        reader.problem("$.occurred_at", "required field is missing")
        return {}
    return reader.moment(value, "$.occurred_at")


def _urgency(reader: Reader, event_type: str, value: Json) -> dict[str, Any]:
    # Every recipient sees it, so nothing of it is free text: what no known scale holds goes to
    # `unmapped`. Never a reason to refuse.
    stated = value if isinstance(value, dict) else {}
    for key in stated:
        if key not in _URGENCY_MEMBERS:
            reader.keep_unknown(key, stated[key], "$.urgency")
    scheme, code = (_scale_text(stated.get(part)) for part in ("scheme", "code"))
    meaning = grade(scheme, code)
    if meaning.rank is Rank.UNKNOWN:
        _keep_ungraded(reader, event_type, value, stated)
        scheme, version, code = "", "", ""
    else:
        version = _version(reader, stated.get("version"))
    return {
        "rank": meaning.rank.value,
        "scheme": scheme.lower(),
        "version": version,
        "code": code.upper(),
        "target_minutes": meaning.target_minutes,
    }


def _scale_text(value: Json) -> str:
    return value if isinstance(value, str) and value.isascii() else ""


def _keep_ungraded(
    reader: Reader, event_type: str, value: Json, stated: Mapping[str, Json]
) -> None:
    raw = {part: stated[part] for part in _URGENCY_MEMBERS if stated.get(part) not in (None, "")}
    found = "urgency-unknown-code" if "code" in raw else "urgency-missing"
    if raw or not isinstance(value, (dict, type(None))):
        reader.keep(found, raw or value, "$.urgency", severity=Severity.SAFETY)
    elif event_type == _REFERRAL:
        # An answer need not repeat the urgency of the referral it answers.
        reader.find(found, "$.urgency", kept="envelope.urgency", severity=Severity.SAFETY)


def _version(reader: Reader, value: Json) -> str:
    if value is None or (isinstance(value, str) and _VERSION.fullmatch(value)):
        return value or ""
    reader.keep("urgency-unreadable", value, "$.urgency.version", severity=Severity.SAFETY)
    return ""


def _supersedes(reader: Reader, value: Json) -> str | None:
    # Every recipient sees it as well.
    if value is None or (isinstance(value, str) and _EVENT_ID.fullmatch(value)):
        return value
    reader.keep("supersedes-unreadable", value, "$.supersedes", severity=Severity.WARNING)
    return None


def _routes(reader: Reader, value: Json) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > reader.limits.max_items:
        reader.problem("$.routes", "not an array of routes")
        return ()
    return tuple(_route(reader, route, f"$.routes[{index}]") for index, route in enumerate(value))


def _route(reader: Reader, value: Json, path: str) -> dict[str, Any]:
    stated = value if isinstance(value, dict) else {}
    for part in ("recipient", "purpose"):
        name = stated.get(part)
        if not isinstance(name, str) or not _PARTY.fullmatch(name):
            reader.problem(f"{path}.{part}", "not 1 to 40 of a-z, 0-9 and hyphen")
    source = stated.get("source", "sender")
    if not isinstance(source, str) or source not in _ROUTE_SOURCES:
        reader.problem(f"{path}.source", "not one of sender, rota, safeguarding_decision")
    return {
        "recipient": stated.get("recipient"),
        "purpose": stated.get("purpose"),
        "source": source,
        "reason": _name(reader, stated.get("reason"), f"{path}.reason"),
    }


def _name(reader: Reader, value: Json, path: str) -> str | None:
    if value is None:
        return None
    text = reader.text(value, path)
    if isinstance(value, str) and not 0 < len(value) <= _MAX_NAME_CHARS:
        reader.problem(path, f"not 1 to {_MAX_NAME_CHARS} characters")
    return text
