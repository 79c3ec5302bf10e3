"""
The whole run as one JSON document: what `crisis-broker demo --once --json` prints.

Its keys are an interface: they are added to, never renamed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from broker import __version__
from broker.simulation.chronicle import Case, Chronicle, Native, ViewSeen
from broker.simulation.lines import label, state_words
from broker.simulation.load import percentile
from broker.simulation.mailbox import Item
from broker.simulation.play import Played, settled
from broker.simulation.reconcile import Counts


def first_acceptances(cases: Iterable[Case]) -> list[float]:
    """Return seconds from making to acceptance of each accepted referral, shortest first."""
    states = [case.state for case in cases if case.state is not None]
    took = [(s.accepted_at - s.made_at).total_seconds() for s in states if s.accepted_at]
    return sorted(took)


def latencies(
    chronicle: Chronicle, items: Sequence[Item], played: Sequence[Played]
) -> dict[str, dict[str, float | None]]:
    """Return p50 and p99 in milliseconds of each stretch of the way."""
    recorded = {event.event_id: event.envelope["recorded_at"] for event in chronicle.events}
    ready = [
        view.seen_at_ms / 1000 - recorded[view.event_id].timestamp()
        for view in chronicle.views
        if view.event_id in recorded
    ]
    made = {case.referral_id: case.state.made_at for case in chronicle.cases.values() if case.state}
    delivered = [
        (datetime.fromisoformat(item.at) - made[item.referral_id]).total_seconds()
        for item in items
        if item.event_type == "referral_made" and item.referral_id in made
    ]
    return {
        "accept_ms": _spread(s for each in played for s in each.accept_s),
        "accept_to_recipient_ready_ms": _spread(ready),
        "accept_to_agency_system_ms": _spread(delivered),
        "accept_to_acceptance_ms": _spread(first_acceptances(chronicle.cases.values())),
    }


def document(  # noqa: PLR0913 - the parts of the document
    *,
    log: str,
    chronicle: Chronicle,
    items: Sequence[Item],
    played: Sequence[Played],
    counts: Counts,
    chains: Mapping[str, Any],
    checks: Mapping[str, Any],
    seconds: Mapping[str, float | None],
    ok: bool,
) -> dict[str, Any]:
    """Return the summary of a run."""
    return {
        "version": __version__,
        "ok": ok,
        "log": log,
        "seconds_to_first_acceptance": seconds["first_acceptance"],
        "seconds": seconds,
        "referrals": [_referral(each, chronicle) for each in played],
        "views": [_view(view, chronicle) for view in chronicle.views],
        "disclosures": [_disclosure(each) for each in chronicle.disclosures],
        "withheld_fields": sorted(_withheld(chronicle.disclosures)),
        "chain": dict(chains),
        "counts": {
            "accepted": counts.accepted,
            "due": counts.due,
            "outcomes": counts.outcomes,
            "views": counts.views,
            "dead": counts.dead,
            "in_equals_out": counts.add_up,
            "faults": list(counts.faults),
        },
        "latencies": latencies(chronicle, items, played),
        "checks": dict(checks),
        "coming": {
            str(each.scenario.number): each.scenario.coming
            for each in played
            if each.scenario.coming
        },
    }


def _referral(played: Played, chronicle: Chronicle) -> dict[str, Any]:
    case = chronicle.cases.get(played.referral_id)
    found: dict[str, Any] = {
        "scenario": played.scenario.number,
        "title": played.scenario.title,
        "referral_id": played.referral_id,
        "sender": played.scenario.sender,
        "routes": list(played.scenario.routes),
        "trouble": played.trouble,
        "not_played_here": played.left_out,
    }
    if case is None or case.state is None:
        return found | {"state": "not read", "settled": False}
    state = case.state
    took = state.accepted_at - state.made_at if state.accepted_at else None
    return found | {
        "code": case.code,
        "urgency": label(case),
        "state": state_words(case),
        "stage": state.stage,
        "settled": settled(case),
        "holder": {
            "party": state.holder.party,
            "team": state.holder.team,
            "role": state.holder.role,
        },
        "next": (
            {"what": state.deadline.what, "at": state.deadline.at.isoformat()}
            if state.deadline
            else None
        ),
        "flags": sorted(state.flags),
        "answers": dict(sorted(state.parts.items())),
        "seconds_to_acceptance": _seconds(took),
        "events": [event.event_type for event in case.events],
    }


def _view(view: ViewSeen, chronicle: Chronicle) -> dict[str, Any]:
    key = (view.event_id, view.recipient, view.purpose)
    plan = next(
        (
            each["plan"]
            for each in chronicle.disclosures
            if (each["event_id"], each["recipient"], each["purpose"]) == key
        ),
        None,
    )
    return {
        "referral_id": view.referral_id,
        "event_id": view.event_id,
        "event_type": view.event_type,
        "recipient": view.recipient,
        "purpose": view.purpose,
        "size_bytes": len(view.value),
        "released": list(plan["released"]) if plan else [],
        "reduced": list(plan["reduced"]) if plan else [],
        "withheld": list(plan["withheld"]) if plan else [],
        "manifest_groups": [entry["group"] for entry in view.native["manifest"]["entries"]],
    }


def _disclosure(each: Native) -> dict[str, Any]:
    plan = each["plan"]
    return {
        "referral_id": each["referral_id"],
        "event_id": each["event_id"],
        "event_type": each["event_type"],
        "sender": each["sender"],
        "recipient": each["recipient"],
        "purpose": each["purpose"],
        "outcome": each["outcome"],
        "reason": each["reason"],
        "agreement": plan["agreement"] if plan else None,
        "agreement_version": plan["agreement_version"] if plan else None,
        "overdue_days": plan["overdue_days"] if plan else None,
        "basis": list(plan["basis"]) if plan else [],
        "decided_at": each["decided_at"].isoformat(),
    }


def _withheld(disclosures: Iterable[Native]) -> set[str]:
    plans = (each["plan"] for each in disclosures if each["plan"])
    return {text.partition(": ")[0] for plan in plans for text in plan["withheld"]}


def _spread(seconds: Iterable[float]) -> dict[str, float | None]:
    found = list(seconds)
    return {"p50": percentile(found, 0.5), "p99": percentile(found, 0.99), "count": len(found)}


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)
