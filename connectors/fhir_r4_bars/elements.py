"""Small FHIR elements; every function returns None, or leaves out, what would be empty."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from connectors.fhir_r4_bars.codes import HL7, HL7_STRUCTURE, OURS, SCHEMES
from connectors.moments import moment_text

Element = dict[str, Any]

_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DATE: Final = re.compile(r"[12]\d{3}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", re.ASCII)

_NAME_USES: Final = frozenset({"usual", "official", "temp", "nickname", "maiden", "old"})

MASKED: Final[Element] = {
    "extension": [{"url": f"{HL7_STRUCTURE}/data-absent-reason", "valueCode": "masked"}]
}
"""Stands where a value was not granted: the recipient must not read it as unknown or none."""

REDACTED: Final[Element] = {
    "system": f"{HL7}/v3-ObservationValue",
    "code": "REDACTED",
    "display": "redacted",
}


def text(value: Any) -> str | None:
    """Return a FHIR string: no control characters, not empty."""
    if value is None:
        return None
    found = _FORBIDDEN.sub(" ", str(value)).strip()
    return found or None


def code(value: Any) -> str | None:
    """Return a FHIR code: single spaces only."""
    found = text(value)
    return " ".join(found.split()) or None if found else None


def kept(element: Mapping[str, Any]) -> Element:
    """Return an element without its empty parts, and lists without their gaps."""
    full = {
        name: [item for item in part if item is not None] if isinstance(part, list) else part
        for name, part in element.items()
    }
    return {name: part for name, part in full.items() if part not in (None, "", [], {})}


def coding(system: str, value: Any, display: str | None = None) -> Element:
    """Return a Coding."""
    return kept({"system": system, "code": code(value), "display": text(display)})


def concept(system: str, value: Any, display: str | None = None, words: Any = None) -> Element:
    """Return a CodeableConcept with one coding."""
    return kept({"coding": [coding(system, value, display)], "text": text(words)})


def stated(native: Mapping[str, Any]) -> Element:
    """Return a canonical `Code` as CodeableConcept; scheme and version go with the code."""
    system = SCHEMES.get(native["scheme"].strip().lower())
    if system is None:
        system = f"{OURS}/CodeSystem/{quote(native['scheme'].strip() or 'unstated', safe='')}"
    version = text(native.get("version"))
    one = kept({"system": system, "version": version, "code": code(native["code"])})
    return kept({"coding": [one], "text": text(native.get("text") or native["code"])})


def identifier(system: str, value: Any) -> Element | None:
    """Return an Identifier, or None without a value."""
    found = text(value)
    return {"system": system, "value": found} if found else None


def moment(native: Mapping[str, Any] | None) -> str | None:
    """Return a dateTime with the sender's offset."""
    return None if native is None else moment_text(native)


def date(value: str) -> str | None:
    """Return a FHIR date of whatever precision; None if it is no such date."""
    value = value.strip()
    if not _DATE.fullmatch(value):
        return None
    parts = [int(part) for part in value.split("-")]
    if len(parts) == 3 and parts[2] > _days(parts[0], parts[1]):
        return None
    return value


def phone(native: Mapping[str, Any]) -> Element | None:
    """Return a ContactPoint of a canonical `Phone`; a kind without a FHIR use stays as stated."""
    number, kind = text(native["number"]), text(native.get("kind"))
    if number is None:
        return None
    use = kind.lower() if kind and kind.lower() in ("mobile", "home", "work") else None
    aside = {"url": f"{OURS}/StructureDefinition/phone-kind", "valueString": kind}
    return kept(
        {
            "extension": [aside] if kind and not use else None,
            "system": "phone",
            "value": number,
            "use": use,
        }
    )


def human_name(native: Mapping[str, Any]) -> Element | None:
    """Return a HumanName of a canonical `PersonName`; a use that FHIR has not goes into its text."""
    family, given = text(native.get("family")), text(native.get("given"))
    whole = " ".join(part for part in (given, family) if part)
    if not whole:
        return None
    use = text(native.get("use"))
    known = use.lower() if use and use.lower() in _NAME_USES else None
    return kept(
        {
            "use": known,
            "text": whole if known or not use else f"{whole} ({use})",
            "family": family,
            "given": given.split() if given else None,
        }
    )


def address(native: Mapping[str, Any], use: str | None = None) -> Element | None:
    """Return an Address of a canonical one; the UPRN stays with the caller."""
    lines = [line for line in map(text, native["lines"]) if line]
    postcode = text(native.get("postcode"))
    if not lines and not postcode:
        return None
    whole = ", ".join([*lines, *([postcode] if postcode else [])])
    return kept({"use": use, "text": whole, "line": lines, "postalCode": postcode})


def _days(year: int, month: int) -> int:
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31
