"""
Reduced forms: less than a leaf says, under a name of its own.

Each is total: a value that a reduction cannot read reduces to None, never to an error, because what
is undecidable is withheld.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from broker.domain.dates import is_under_age, local_date

BIRTH_DATE: Final = "crisis.types.BirthDate"
ADDRESS: Final = "crisis.types.Address"
MOMENT: Final = "crisis.types.Moment"
ARRAY: Final = "array"
MAP: Final = "map"

_BAND_STARTS: Final = (0, 12, 16, 18, 25, 35, 45, 55, 65, 75, 85)
"""Years. Below 18 as safeguarding thinks: child, teenager under 16, 16 and 17."""

_YEAR: Final = re.compile(r"([12]\d{3})(?:-\d\d){0,2}", re.ASCII)
_POSTCODE: Final = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?) ?\d[A-Z]{2}", re.ASCII)


class Reduction(StrEnum):
    """
    The closed list of reductions; agreements name them by value.

    >>> Reduction.AGE_BAND.field_name("birth_date")
    'age_band'
    >>> Reduction.COUNT.field_name("children")
    'children_count'
    """

    AGE_BAND = "age-band"
    YEAR_OF_BIRTH = "year-of-birth"
    POSTCODE_DISTRICT = "postcode-district"
    COARSE_TIME = "coarse-time"
    COUNT = "count"
    PRESENT = "present"

    def applies_to(self, avro_type: Any) -> bool:
        """
        Tell whether a leaf of this type can be reduced so.

        Args:
            avro_type: Avro JSON without the null branch, or the full name of a type. An array's
                length (`is_length`) counts as ``array``.
        """
        kinds = _FORMS[self].applies_to
        return not kinds or _kind(avro_type) in kinds

    @property
    def avro_type(self) -> str:
        """What it gives, without the null branch: a primitive or the full name of a type."""
        return _FORMS[self].gives

    def field_name(self, field: str) -> str:
        """Return the name of the reduced form of *field*."""
        form = _FORMS[self]
        if form.instead_of and field.endswith(form.instead_of):
            return field.removesuffix(form.instead_of) + form.suffix
        return f"{field}_{form.suffix}"

    def apply(self, value: Any, occurred_at: Any = None) -> Any:
        """
        Reduce one native value.

        Args:
            value: As fastavro reads the leaf; None if it is absent.
            occurred_at: Native Moment of the event; ages count from the sender's day.

        Returns:
            The reduced value; None where nothing can be said. `PRESENT` always answers.
        """
        return _FORMS[self].apply(value, occurred_at)


def is_present(value: Any) -> bool:
    """Tell whether something is held: an empty text, list or map holds nothing."""
    return value is not None and value not in ("", b"", [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    applies_to: frozenset[str]
    gives: str
    suffix: str
    instead_of: str = ""
    apply: Callable[[Any, Any], Any]


def _kind(avro_type: Any) -> str:
    if isinstance(avro_type, str):
        return avro_type
    if not isinstance(avro_type, Mapping):
        return "union"
    if "name" in avro_type:
        return f"{avro_type.get('namespace', '')}.{avro_type['name']}".removeprefix(".")
    return _kind(avro_type["type"])


def _age_band(value: Any, occurred_at: Any) -> str | None:
    born, on = _text(value, "value"), _day(occurred_at)
    if born is None or on is None or is_under_age(born, on, 0) is not False:
        return None
    for start, end in pairwise(_BAND_STARTS):
        if is_under_age(born, on, end):
            return f"{start}-{end - 1}"
    return f"{_BAND_STARTS[-1]}+"


def _year_of_birth(value: Any, _occurred_at: Any) -> int | None:
    match = _YEAR.fullmatch((_text(value, "value") or "").strip())
    return int(match[1]) if match else None


def _postcode_district(value: Any, _occurred_at: Any) -> str | None:
    match = _POSTCODE.fullmatch((_text(value, "postcode") or "").strip().upper())
    return match[1] if match else None


def _coarse_time(value: Any, _occurred_at: Any) -> Any:
    utc = value.get("utc") if isinstance(value, Mapping) else None
    if not isinstance(utc, datetime):
        return None
    hour = utc.replace(minute=0, second=0, microsecond=0)
    return {"utc": hour, "offset": _text(value, "offset") or ""}


def _count(value: Any, _occurred_at: Any) -> int | None:
    return len(value) if isinstance(value, (list, tuple, Mapping)) else None


def _present(value: Any, _occurred_at: Any) -> bool:
    return is_present(value)


def _text(value: Any, part: str) -> str | None:
    found = value.get(part) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None


def _day(occurred_at: Any) -> date | None:
    if not isinstance(occurred_at, Mapping):
        return None
    return local_date(occurred_at.get("utc"), occurred_at.get("offset"))


_FORMS: Final[Mapping[Reduction, _Form]] = {
    Reduction.AGE_BAND: _Form(
        applies_to=frozenset({BIRTH_DATE}),
        gives="string",
        suffix="age_band",
        instead_of="birth_date",
        apply=_age_band,
    ),
    Reduction.YEAR_OF_BIRTH: _Form(
        applies_to=frozenset({BIRTH_DATE}),
        gives="int",
        suffix="year_of_birth",
        instead_of="birth_date",
        apply=_year_of_birth,
    ),
    Reduction.POSTCODE_DISTRICT: _Form(
        applies_to=frozenset({ADDRESS}),
        gives="string",
        suffix="postcode_district",
        instead_of="address",
        apply=_postcode_district,
    ),
    Reduction.COARSE_TIME: _Form(
        applies_to=frozenset({MOMENT}), gives=MOMENT, suffix="hour", apply=_coarse_time
    ),
    Reduction.COUNT: _Form(
        applies_to=frozenset({ARRAY, MAP}), gives="int", suffix="count", apply=_count
    ),
    Reduction.PRESENT: _Form(
        applies_to=frozenset(), gives="boolean", suffix="present", apply=_present
    ),
}
