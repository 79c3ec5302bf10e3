"""
Builds the manifest: what a view leaves out, why, and whom to ask.

It follows from the decisions alone, never from an event, so it is the same whether a withheld value
was there or not. Only for fields whose presence is to be shown does it say that something is held.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.domain.decisions import NOT_GRANTED, Decision, Effect, LeafTags

SAFETY_FACT: Final = "safety_information_recorded"

_Entry = tuple[str, str, str | None, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestHead:
    """
    What a manifest says of the agreement.

    Attributes:
        agreement: Agreement id.
        agreement_version: Agreement version.
        purpose: Purpose code.
        ask: Desk and number.
    """

    agreement: str
    agreement_version: int
    purpose: str
    ask: str


def build_manifest(
    head: ManifestHead,
    leaves: Mapping[str, LeafTags],
    decisions: Mapping[str, Decision],
    facts: frozenset[str],
) -> dict[str, Any]:
    """
    Return the native form of `crisis.types.Manifest`.

    One entry for each group, reason and clause, sorted; a group that is released whole has none.

    Args:
        head: Whom to ask, and by which agreement.
        leaves: Every leaf of the event.
        decisions: One for each of these leaves.
        facts: The relevant facts that hold.
    """
    recorded = SAFETY_FACT in facts
    entries: dict[tuple[str, str, str | None], bool] = {}
    for path, decision in decisions.items():
        if decision.effect is Effect.RELEASE:
            continue
        group, reason, clause, is_held = _entry(leaves[path], decision, recorded=recorded)
        key = (group, reason, clause)
        entries[key] = entries.get(key, False) or is_held
    return {
        "agreement": head.agreement,
        "agreement_version": head.agreement_version,
        "purpose": head.purpose,
        "entries": [
            {"group": group, "reason": reason, "clause": clause, "held": held}
            for (group, reason, clause), held in sorted(
                entries.items(), key=lambda each: (each[0][0], each[0][1], each[0][2] or "")
            )
        ],
        "ask": head.ask,
        "complete": True,
    }


def withholds_shown(leaves: Mapping[str, LeafTags], decisions: Mapping[str, Decision]) -> bool:
    """Tell whether a leaf is kept back whose presence the recipient must hear of."""
    return any(
        leaves[path].presence == "show" and not decision.is_released
        for path, decision in decisions.items()
    )


def _entry(leaf: LeafTags, decision: Decision, *, recorded: bool) -> _Entry:
    is_held = recorded and leaf.presence == "show" and not decision.is_released
    clause = None if decision.clause == NOT_GRANTED else decision.clause
    return leaf.group, _reason(decision), clause, is_held


def _reason(decision: Decision) -> str:
    if decision.effect is Effect.REDUCE:
        return "reduced"
    if decision.effect is Effect.NEEDS_PERSON:
        return "needs_a_person"
    return "not_granted" if decision.clause == NOT_GRANTED else "withheld_by_rule"
