"""
What the demo shows on the terminal; content and order are those of the design of the five screens.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from broker.simulation.cast import name_of
from broker.simulation.checks import Check
from broker.simulation.chronicle import Case, Chronicle, Native, ViewSeen
from broker.simulation.comparison import Got, Row, desk_number, field_words
from broker.simulation.lines import case_lines
from broker.simulation.reconcile import Counts
from broker.simulation.scenarios import Scenario
from broker.simulation.words import text_at

NARROW: Final = 100
FATES: Final = {"released": "", "reduced": "yellow", "withheld": "magenta"}


def board(
    chronicle: Chronicle, titles: Mapping[str, str], *, now: datetime, width: int
) -> RenderableType:
    """Return one entry per referral, newest last."""
    cases = [case for case in chronicle.cases.values() if case.state is not None]
    cases.sort(key=lambda case: case.made.envelope["recorded_at"])
    lines = [
        case_lines(
            case,
            titles.get(case.referral_id, ""),
            chronicle.disclosures_of(case.referral_id),
            now=now,
            width=width,
        )
        for case in cases
    ]
    return Group(*lines)


def side_by_side(case: Case, rows: Sequence[Row], scenario: Scenario, width: int) -> RenderableType:
    """Return what was sent beside what each recipient got."""
    parties = list(rows[0].got) if rows else []
    title = Text(f"{case.code}  {scenario.title}", "bold")
    body = _stacked(rows, parties) if width < NARROW else _columns(rows, parties, case)
    return Group(Rule(title, align="left"), body)


def told_back(views: Sequence[ViewSeen], case: Case) -> RenderableType:
    """Return what the control room was told, event by event, and what it was not."""
    party = name_of(case.made.sender)
    table = Table(title=f"{party} got back", title_justify="left", title_style="bold", expand=True)
    table.add_column("event", no_wrap=True)
    table.add_column("from", ratio=1)
    table.add_column("what it says", ratio=2)
    table.add_column("kept from the police", ratio=2, style="magenta")
    for view in views:
        event = next(event for event in case.events if event.event_id == view.event_id)
        said, kept = _said(view.native["body"]), _kept_back(event.native, view)
        table.add_row(view.event_type.removeprefix("referral_"), name_of(event.sender), said, kept)
    return table


def record(disclosures: Sequence[Native], chains: str, width: int) -> RenderableType:
    """Return the disclosure records of a referral, and whether the chain holds."""
    table = Table(
        title="On the disclosure record", title_justify="left", title_style="bold", expand=True
    )
    for name, options in _RECORD_COLUMNS.items():
        if width >= NARROW or name not in ("agreement", "fields"):
            table.add_column(name, **options)
    for each in disclosures:
        table.add_row(*_record_row(each, width))
    return Group(table, Text(f"  {chains}", "bold green" if "verified" in chains else "bold red"))


def verdicts(
    scenarios: Sequence[Scenario], checks: Sequence[Check], trouble: Mapping[int, Sequence[str]]
) -> RenderableType:
    """Return, per scenario, what it shows, whether it held, and what is coming."""
    table = Table(box=None, show_header=False, expand=True, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for scenario in scenarios:
        mine = [check for check in checks if check.scenario == scenario.number]
        wrong = [check for check in mine if not check.holds]
        bad = bool(wrong or trouble.get(scenario.number))
        table.add_row(
            Text("✗ no" if bad else "✓ ok", "bold red" if bad else "bold green"),
            _verdict(scenario, mine, [*map(str, wrong), *trouble.get(scenario.number, ())]),
        )
    return Group(Rule(Text("Ten scenarios", "bold"), align="left"), table)


def totals(counts: Counts, figures: Mapping[str, Any]) -> RenderableType:
    """Return the counts in and out, and the figures of the run."""
    outcomes = ", ".join(
        f"{name.replace('_', ' ')} {n}" for name, n in sorted(counts.outcomes.items())
    )
    verdict = "each once: in = out" if counts.add_up else "DOES NOT ADD UP"
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_row(
        "in",
        f"{counts.accepted} events accepted, {counts.due} routes due",
    )
    table.add_row("out", f"{outcomes}; {counts.dead} dead letters; {counts.views} views")
    table.add_row("", Text(verdict, "bold green" if counts.add_up else "bold red"))
    for fault in counts.faults:
        table.add_row("", Text(fault, "red"))
    for name, value in figures.items():
        table.add_row(name, str(value))
    return Group(Rule(Text("Counts and clocks", "bold"), align="left"), table)


def places(urls: Mapping[str, str]) -> RenderableType:
    """Return where to look while it stays up."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for name, url in urls.items():
        table.add_row(name, Text(url, "underline"))
    return Panel(table, title="Running; Ctrl-C stops everything", title_align="left")


def show_banner(console: Console, words: str) -> None:
    """Say something that must not be overlooked."""
    console.print(Panel(Text(words), border_style="yellow", title="note", title_align="left"))


_RECORD_COLUMNS: Final[Mapping[str, Any]] = {
    "event": {"no_wrap": True},
    "to": {"ratio": 2},
    "for": {"ratio": 2},
    "outcome": {"no_wrap": True},
    "agreement": {"ratio": 3},
    "fields": {"ratio": 2},
    "basis": {"ratio": 4},
}


def _columns(rows: Sequence[Row], parties: Sequence[str], case: Case) -> Table:
    table = Table(expand=True, show_lines=True)
    table.add_column("group", style="bold", max_width=14)
    table.add_column(f"sent by {name_of(case.made.sender)}", ratio=1)
    for party in parties:
        table.add_column(f"{name_of(party)} got", ratio=1)
    for row in rows:
        cells = [_cell(row.got[party], row.sent) for party in parties]
        table.add_row(row.group.replace("_", " "), row.sent, *cells)
    return table


def _stacked(rows: Sequence[Row], parties: Sequence[str]) -> Group:
    blocks: list[RenderableType] = []
    for row in rows:
        blocks.append(Text(row.group.replace("_", " "), "bold"))
        blocks.append(Padding(Text(f"sent: {row.sent}"), (0, 0, 0, 2)))
        for party in parties:
            line = Text(f"{name_of(party)}: ", "dim") + _cell(row.got[party], row.sent)
            blocks.append(Padding(line, (0, 0, 0, 2)))
    return Group(*blocks)


def _cell(got: Got, sent: str) -> Text:
    if got.fate == "released" and got.text == sent:
        return Text(f"{sent}")
    cell = Text(got.text, FATES[got.fate])
    if got.clause:
        cell.append(f"\n  {got.clause}", "dim")
    return cell


def _said(body: Native) -> str:
    parts = [
        f"{field_words(name)} {text_at(section, name)}"
        for section in body.values()
        if section
        for name in section
        if text_at(section, name)
    ]
    return " · ".join(parts) or "that it happened"


def _kept_back(event: Native, view: ViewSeen) -> str:
    kept = [
        field_words(name)
        for section, content in event.items()
        if section != "envelope" and isinstance(content, Mapping)
        for name in content
        if text_at(content, name) and name not in ((view.native["body"].get(section)) or {})
    ]
    if not kept:
        return "nothing"
    return f"— withheld: {', '.join(kept)} (ask: {desk_number(view.native['manifest']['ask'])})"


def _record_row(each: Native, width: int) -> list[RenderableType]:
    plan = each["plan"]
    agreement = f"{plan['agreement']} v{plan['agreement_version']}" if plan else "none"
    if plan and plan["overdue_days"]:
        agreement += f" ({plan['overdue_days']} d overdue)"
    counts = (
        f"{len(plan['released'])} whole, {len(plan['reduced'])} reduced, {len(plan['withheld'])} withheld"
        if plan
        else ""
    )
    basis = "; ".join(text.partition(": ")[2] for text in plan["basis"][:2]) if plan else ""
    cells: dict[str, RenderableType] = {
        "event": each["event_type"].removeprefix("referral_"),
        "to": name_of(each["recipient"]),
        "for": each["purpose"],
        "outcome": each["outcome"].replace("_", " ")
        + (f": {each['reason']}" if each["reason"] else ""),
        "agreement": agreement,
        "fields": counts,
        "basis": basis,
    }
    return [
        cell
        for name, cell in cells.items()
        if width >= NARROW or name not in ("agreement", "fields")
    ]


def _verdict(scenario: Scenario, mine: Sequence[Check], wrong: Sequence[str]) -> Text:
    seen = sum(check.rule == "sees" for check in mine)
    unseen = sum(check.rule in ("never sees", "gets nothing") for check in mine)
    text = Text(f"{scenario.number}  {scenario.title}", "bold")
    text.append(f"\n{scenario.shows}", "")
    text.append(f"\n{seen} things that had to arrive, {unseen} that must not", "dim")
    for each in wrong:
        text.append(f"\n{each}", "bold red")
    for name, what in scenario.coming.items():
        text.append(f"\ncoming: {name} — {what}", "dim italic")
    return text
