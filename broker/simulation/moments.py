"""
Times in scenario data: written relative, filled in when the scenario is played.

``@now``, ``@-20m``, ``@+4h``, ``@-12d`` become instants with the offset of London civil time;
``@born 17y364d`` becomes the birth date of somebody who will be 18 tomorrow.
"""

import re
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from broker.domain.errors import ConfigurationError

LONDON: Final = ZoneInfo("Europe/London")

_RELATIVE: Final = re.compile(r"@([+-]\d+)([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def fill_in(value: Any, now: datetime) -> Any:
    """
    Return *value* with every relative time in it made absolute.

    Raises:
        ConfigurationError: A text begins with @ and is none of the forms above.
    """
    if isinstance(value, dict):
        return {name: fill_in(inner, now) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill_in(inner, now) for inner in value]
    if isinstance(value, str) and value.startswith("@"):
        return _instant(value, now)
    return value


def eighteen_tomorrow(today: date) -> date:
    """
    Return the birth date of somebody who is 17 years and 364 days old.

    >>> eighteen_tomorrow(date(2026, 11, 22))
    datetime.date(2008, 11, 23)
    """
    tomorrow = today + timedelta(days=1)
    if (tomorrow.month, tomorrow.day) == (2, 29):
        tomorrow += timedelta(days=1)
    return tomorrow.replace(year=tomorrow.year - 18)


def _instant(text: str, now: datetime) -> str:
    here = now.astimezone(LONDON)
    if text == "@born 17y364d":
        return eighteen_tomorrow(here.date()).isoformat()
    if text == "@now":
        return here.isoformat(timespec="seconds")
    found = _RELATIVE.fullmatch(text)
    if found is None:
        raise ConfigurationError("a relative time cannot be read @ scenario")
    return (here + timedelta(**{_UNITS[found[2]]: int(found[1])})).isoformat(timespec="seconds")
