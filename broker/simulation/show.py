"""Shows a finished run: on the terminal for people, or as one JSON document for programs."""

import asyncio
import sys
from collections import Counter
from typing import Any

import orjson
from rich.console import Console

from broker.codec.catalogue import load_catalogue
from broker.runtime.clock import utc_now
from broker.simulation.cast import STANDINS
from broker.simulation.chronicle import Case
from broker.simulation.comparison import compare, treatment
from broker.simulation.demo import Running
from broker.simulation.evidence import Evidence
from broker.simulation.performance import Performance
from broker.simulation.play import Played
from broker.simulation.screen import (
    board,
    heading,
    places,
    record,
    side_by_side,
    told_back,
    totals,
    verdicts,
)
from broker.simulation.summary import document, latencies

FEEDBACK = "police-outcome-feedback"


def show_run(
    console: Console, running: Running, performance: Performance, evidence: Evidence, chosen: int
) -> None:
    """Show one referral field by field, then all scenarios, counts and clocks."""
    console.print(heading("Where every referral stands"))
    titles = performance.titles
    console.print(board(performance.chronicle, titles, now=utc_now(), width=console.width))
    console.print()
    played = next(
        (each for each in performance.played if each.scenario.number == chosen),
        performance.played[0],
    )
    case = performance.chronicle.cases.get(played.referral_id)
    if case is not None:
        _show_referral(console, running, performance, evidence, played, case)
    scenarios = sorted((each.scenario for each in performance.played), key=lambda s: s.number)
    trouble = {each.scenario.number: each.trouble for each in performance.played}
    left_out = {each.scenario.number: each.left_out for each in performance.played}
    console.print(verdicts(scenarios, evidence.checks, trouble, left_out))
    console.print()
    console.print(totals(evidence.counts, _figures(running, performance, evidence)))


def write_json(running: Running, performance: Performance, evidence: Evidence) -> None:
    """Write the summary of the run to standard output."""
    found = document(
        log=running.log_name,
        chronicle=performance.chronicle,
        items=evidence.items,
        played=performance.played,
        counts=evidence.counts,
        chains={
            "verified": evidence.chain_holds,
            "records": sum(count for count, _ in evidence.records.values()),
        },
        checks={
            "made": len(evidence.checks),
            "broken": [str(check) for check in evidence.checks if not check.holds],
            "by_scenario": dict(Counter(str(check.scenario) for check in evidence.checks)),
            "faults": dict(evidence.faults),
        },
        seconds={"first_acceptance": performance.first_acceptance_s},
        ok=evidence.ok,
    )
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


async def stay_up(console: Console, running: Running) -> None:
    """Print where to look, and wait until somebody has seen enough."""
    urls = {"send referrals": f"{running.stage.intake_url}/docs"}
    urls |= {f"metrics of {name}": f"{url}/metrics" for name, url in running.fleet.ops.items()}
    urls |= {each.words: running.standins.urls[each.parties[0]] for each in STANDINS}
    urls["keys, logs and settings"] = str(running.stage.folder)
    console.print(places(urls))
    await asyncio.Event().wait()


def _show_referral(
    console: Console,
    running: Running,
    performance: Performance,
    evidence: Evidence,
    played: Played,
    case: Case,
) -> None:
    chronicle, width = performance.chronicle, console.width
    views = chronicle.views_of(case.referral_id)
    disclosures = chronicle.disclosures_of(case.referral_id)
    made = {view.release_id: view for view in views if view.event_id == case.made.event_id}
    routes = [route["recipient"] for route in case.made.envelope["routes"]]
    records = [each for each in disclosures if each["event_id"] == case.made.event_id]
    records.sort(key=lambda each: routes.index(each["recipient"]))
    treatments = [treatment(each, made.get(each["release_id"])) for each in records]
    catalogue = load_catalogue(running.stage.settings.schemas_dir)
    rows = compare(case.made, catalogue.event("referral_made").leaves, treatments)
    console.print(side_by_side(case, rows, played.scenario, width))
    console.print()
    console.print(told_back([view for view in views if view.purpose == FEEDBACK], case))
    console.print()
    console.print(record(disclosures, evidence.chain_words, width))
    console.print()


def _figures(running: Running, performance: Performance, evidence: Evidence) -> dict[str, Any]:
    spread = latencies(performance.chronicle, evidence.items, performance.played)
    formats = Counter(item.format for item in evidence.items)
    signed = sum(item.verified is True for item in evidence.items)
    figures: dict[str, Any] = {
        "log": running.log_name,
        "taken by agencies' systems": (
            f"{formats['fhir_r4_bars']} NHS BaRS messages (FHIR R4),"
            f" {signed} webhooks with a genuine signature, {sum(evidence.faults.values())} refused"
        ),
        "first acceptance": f"{performance.first_acceptance_s} s after the command began",
    }
    named = {
        "accept_ms": "receipt to the control room",
        "accept_to_recipient_ready_ms": "accepted to readable by the recipient",
        "accept_to_agency_system_ms": "accepted to taken by the agency's system",
        "accept_to_acceptance_ms": "accepted to acceptance by a team",
    }
    for key, name in named.items():
        figures[name] = f"p50 {spread[key]['p50']} ms, p99 {spread[key]['p99']} ms"
    return figures
