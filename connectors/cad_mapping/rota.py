"""Which addressees the site's rota sets for a row: by its columns and the time of day."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from connectors.cad_mapping.mapping import Rota, SiteMapping


def routes_of(
    mapping: SiteMapping, cells: Mapping[str, Any], occurred_at: datetime | None
) -> list[dict[str, str]]:
    """Return the routes of a row; a rule that needs a time does not apply to a row without one."""
    local = occurred_at.astimezone(ZoneInfo(mapping.zone)).time() if occurred_at else None
    return [
        {
            "recipient": rule.recipient,
            "purpose": rule.purpose,
            "source": "rota",
            "reason": rule.reason,
        }
        for rule in mapping.rota
        if _fits(rule, cells) and _is_now(rule, local)
    ]


def _fits(rule: Rota, cells: Mapping[str, Any]) -> bool:
    return all(_text(cells.get(name)) in values for name, values in rule.when.items())


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _is_now(rule: Rota, local: time | None) -> bool:
    if rule.from_time is None or rule.to_time is None:
        return True
    if local is None:
        return False
    if rule.from_time <= rule.to_time:
        return rule.from_time <= local < rule.to_time
    return local >= rule.from_time or local < rule.to_time
