"""
What intake notices about a body that is well-formed and still doubtful; it flags and never refuses.

The police see answers by rule, so what names a team, a role or a number there must look like one.

It stands in the codec, not in the domain, because the check digit is a library's work.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unicodedata import normalize

from nhs_number.validate import is_valid

from broker.codec.canonical_notes import UNMAPPED
from broker.domain.findings import Finding, Severity

_UK_LATITUDE = (49.8, 60.9)
_UK_LONGITUDE = (-8.7, 1.8)
_LOW_CONFIDENCE = frozenset({"unknown", "partial", "alias_suspected"})

Section = dict[str, Any]


def check_body(body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """
    Return a copy of a native body with what the checks established, and what they found.

    Only two values are ever set: the result of the NHS number's check digit and whether a position
    looks swapped. What the sender stated stays as it is, except for what does not fit an answer's
    operational fields: that moves to `unmapped`.
    """
    if body.get("subject") is None:
        return _check_answer(body)
    subject = dict(body["subject"])
    findings: list[Finding] = []
    for section, check in _CHECKS.items():
        if subject.get(section) is not None:
            subject[section] = dict(subject[section])
            findings += check(subject[section])
    return {**body, "subject": subject}, tuple(findings)


def _check_identity(identity: Section) -> Iterator[Finding]:
    number = identity["nhs_number"]
    if number is not None and number["value"] is not None:
        passed = is_nhs_number(number["value"])
        identity["nhs_number"] = {**number, "check": "passed" if passed else "failed"}
        if not passed:
            yield _finding("nhs-number-check-failed", "identity.nhs_number.value")
    if identity["confidence"] is None or identity["confidence"] in _LOW_CONFIDENCE:
        yield _finding("identity-confidence-low", "identity.confidence")


def _check_contact(contact: Section) -> Iterator[Finding]:
    reachable = contact["phones"] or contact["email"] or contact["address"]
    if reachable and contact["safe_to_contact"] is None:
        yield _finding("safe-to-contact-missing", "contact.safe_to_contact", Severity.SAFETY)


def _check_location(location: Section) -> Iterator[Finding]:
    position = location["position"]
    if position is None or _in_uk(position["latitude"], position["longitude"]):
        return
    if _in_uk(position["longitude"], position["latitude"]):
        location["position"] = {**position, "swap_suspected": True}
        yield _finding("position-swap-suspected", "location_now.position", Severity.SAFETY)
    else:
        yield _finding("position-outside-uk", "location_now.position", Severity.SAFETY)


def _check_answer(body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    checked = dict(body)
    unfit: list[dict[str, str]] = []
    findings: list[Finding] = []
    for section in sorted(_ANSWERS & checked.keys()):
        stated = checked[section] or {}
        for name in sorted(_SHAPES.keys() & stated.keys()):
            value, (code, shape) = stated[name], _SHAPES[name]
            if value is not None and not shape.fullmatch(normalize("NFC", value)):
                checked[section] = {**checked[section], name: None}
                path = f"$.body.{section}.{name}"
                unfit.append({"path": path, "text": value})
                findings.append(
                    Finding(code=code, path=path, severity=Severity.SAFETY, kept=UNMAPPED)
                )
    if unfit:
        checked[UNMAPPED] = [*(checked.get(UNMAPPED) or ()), *unfit]
    return checked, tuple(findings)


def is_nhs_number(value: str) -> bool:
    """
    Tell whether the check digit is right; that does not make it the right person's number.

    >>> is_nhs_number("999 000 0018"), is_nhs_number("1234567890")
    (True, False)
    """
    return value.isascii() and bool(is_valid(value))


def _in_uk(latitude: float, longitude: float) -> bool:
    south, north = _UK_LATITUDE
    west, east = _UK_LONGITUDE
    return south <= latitude <= north and west <= longitude <= east


def _finding(code: str, place: str, severity: Severity = Severity.WARNING) -> Finding:
    leaf = f"subject.{place}"
    return Finding(code=code, path=f"$.body.{leaf}", severity=severity, kept=leaf)


_CHECKS: Mapping[str, Callable[[Section], Iterator[Finding]]] = {
    "identity": _check_identity,
    "contact": _check_contact,
    "location_now": _check_location,
}

_ANSWERS = frozenset(
    {
        "acceptance",
        "acknowledgement",
        "decline",
        "phone_handover",
        "receipt",
        "take_back",
        "withdrawal",
    }
)

_Shape = tuple[str, re.Pattern[str]]
_NAME: _Shape = ("team-or-role-unreadable", re.compile(r"(?:[^\W_]|[ \-'\u2019&().,/]){1,60}"))
_PHONE: _Shape = (
    "call-back-number-unreadable",
    re.compile(r"(?=.{3,24}\Z)\+?[0-9() -]+(?: ?(?:ext|x)\.? ?[0-9]{1,6})?", re.ASCII),
)
_TOKEN: _Shape = ("receipt-unreadable", re.compile(r"[0-9A-Za-z._:/-]{1,80}", re.ASCII))
_SHAPES: Mapping[str, _Shape] = {
    "team": _NAME,
    "role": _NAME,
    "by_role": _NAME,
    "from_role": _NAME,
    "to_role": _NAME,
    "to_team": _NAME,
    "call_back_number": _PHONE,
    "endpoint": _TOKEN,
    "request_id": _TOKEN,
}
"""What an answer's operational texts look like, and the finding where one does not."""
