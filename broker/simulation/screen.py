"""
What the demo shows on the terminal; content and order are those of the design of the five screens.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from broker.domain.decisions import NOT_GRANTED
from broker.simulation.cast import name_of
from broker.simulation.checks import Check
from broker.simulation.chronicle import Case, Chronicle, Native, ViewSeen
from broker.simulation.comparison import Got, Row, desk_number, field_words, group_words
from broker.simulation.lines import case_lines, why_held
from broker.simulation.reconcile import Counts
from broker.simulation.scenarios import Scenario
from broker.simulation.words import london_day, text_at

NARROW: Final = 100
FATES: Final = {"released": "", "reduced": "yellow", "withheld": "magenta"}


def board(
    chronicle: Chronicle,
    titles: Mapping[str, str],
    *,
    now: datetime,
    width: int,
    newest: int | None = None,
) -> RenderableType:
    """
    Return one entry per referral, newest last.

    Args:
        chronicle: What has been read.
        titles: Of the scenarios, by referral id.
        now: What clocks count from.
        width: Cells of the screen.
        newest: How many to show; None shows all.
    """
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
        for case in cases[-newest if newest else None :]
    ]
    return Group(*lines)


def side_by_side(case: Case, rows: Sequence[Row], scenario: Scenario, width: int) -> RenderableType:
    """Return what was sent beside what each recipient got."""
    parties = list(rows[0].got) if rows else []
    body = _stacked(rows, parties, case) if width < NARROW else _columns(rows, parties, case)
    return Group(heading(f"{case.code}  {scenario.title}: who got what"), body)


def told_back(views: Sequence[ViewSeen], case: Case) -> RenderableType:
    """Return what the control room was told, event by event, and what it was not."""
    table = Table(
        title=f"{name_of(case.made.sender)} got back", expand=True, show_lines=True, **_TITLE
    )
    table.add_column("event", no_wrap=True)
    table.add_column("from", ratio=2)
    table.add_column("what it says", ratio=5)
    table.add_column("kept from the police", ratio=3, style="magenta")
    for view in views:
        event = next(event for event in case.events if event.event_id == view.event_id)
        today = london_day(event.envelope["occurred_at"]["utc"])
        table.add_row(
            view.event_type.removeprefix("referral_"),
            name_of(event.sender),
            _said(view.native["body"], today),
            _kept_back(event.native, view),
        )
    return table


def record(disclosures: Sequence[Native], chains: str, width: int) -> RenderableType:
    """Return the disclosure records of a referral, and whether the chain holds."""
    good = "verified" in chains
    verdict = Text(f"{'✓' if good else '✗'} {chains}", "bold green" if good else "bold red")
    if width < NARROW:
        lines = [_record_line(each) for each in disclosures]
        return Group(Text("On the disclosure record", "bold"), *lines, verdict)
    table = Table(title="On the disclosure record", expand=True, show_lines=True, **_TITLE)
    for name, options in _RECORD_COLUMNS.items():
        table.add_column(name, **options)
    for each in disclosures:
        table.add_row(*_record_cells(each).values())
    return Group(table, verdict)


def heading(words: str) -> Rule:
    """Return a line that begins a part."""
    return Rule(Text(words, "bold"), align="left")


def verdicts(
    scenarios: Sequence[Scenario],
    checks: Sequence[Check],
    trouble: Mapping[int, Sequence[str]],
    left_out: Mapping[int, Mapping[str, str]],
) -> RenderableType:
    """Return, per scenario, what it shows, whether it held, what was left out, what is coming."""
    table = Table(box=None, show_header=False, expand=True, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for scenario in scenarios:
        mine = [check for check in checks if check.scenario == scenario.number]
        wrong = [check for check in mine if not check.holds]
        faults = [*map(str, wrong), *trouble.get(scenario.number, ())]
        missing = left_out.get(scenario.number, {})
        table.add_row(_mark(faults, missing), _verdict(scenario, mine, faults, missing))
    return Group(heading("What each scenario shows"), table)


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
    return Group(heading("Counts and clocks"), table)


def places(urls: Mapping[str, str]) -> RenderableType:
    """Return where to look while it stays up."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for name, url in urls.items():
        table.add_row(name, Text(url, "underline"))
    return Panel(table, title="Running; Ctrl-C stops everything", title_align="left")


def show_banner(console: Console, words: str) -> None:
    """Say something that must not be overlooked."""
    console.print(Panel(Text(words), border_style="yellow", title="note", title_align="left"))


_TITLE: Final[Any] = {"title_justify": "left", "title_style": "bold"}

_RECORD_COLUMNS: Final[Mapping[str, Any]] = {
    "event": {"no_wrap": True},
    "to": {"ratio": 3},
    "for": {"ratio": 3},
    "outcome": {"no_wrap": True},
    "agreement": {"ratio": 4},
    "fields": {"ratio": 3},
    "basis": {"ratio": 3},
    "held back by": {"ratio": 5},
}

_ARTICLE: Final = re.compile(r"\d+\(\d\)(?:\([a-z]\))?")


def _columns(rows: Sequence[Row], parties: Sequence[str], case: Case) -> Table:
    table = Table(expand=True, show_lines=True)
    table.add_column("", style="bold", max_width=14)
    table.add_column(f"sent by {name_of(case.made.sender)}", ratio=1)
    for party in parties:
        table.add_column(f"{name_of(party)} got", ratio=1)
    for row in rows:
        cells = [_cell(row.got[party], row.sent) for party in parties]
        table.add_row(group_words(row.group), row.sent, *cells)
    return table


def _stacked(rows: Sequence[Row], parties: Sequence[str], case: Case) -> Group:
    blocks: list[RenderableType] = []
    for row in rows:
        blocks.append(Text(group_words(row.group), "bold"))
        sent = Text(f"{name_of(case.made.sender)} sent  ", "dim") + Text(row.sent)
        blocks.append(Padding(sent, (0, 0, 0, 2)))
        for party in parties:
            got = row.got[party]
            whole = got.fate == "released" and got.text == row.sent
            cell = Text("got the same", "green") if whole else _cell(got, row.sent)
            line = Text(f"{name_of(party)}  ", "dim") + cell
            blocks.append(Padding(line, (0, 0, 0, 2)))
    return Group(*blocks)


def _cell(got: Got, sent: str) -> Text:
    if got.fate == "released" and got.text == sent:
        return Text(f"{sent}")
    cell = Text(got.text, FATES[got.fate])
    if got.clause:
        cell.append(f"\n  {got.clause}", "dim")
    return cell


def _said(body: Native, today: date) -> str:
    parts = [
        f"{field_words(name)} {text}"
        for section in body.values()
        if section
        for name in section
        if name not in _FOR_MACHINES and (text := text_at(section, name, today))
    ]
    return " · ".join(parts) or "that it happened"


_FOR_MACHINES: Final = frozenset({"request_id"})


def _kept_back(event: Native, view: ViewSeen) -> str:
    kept = [
        field_words(name)
        for section, content in event.items()
        if section != "envelope" and isinstance(content, Mapping)
        for name in content
        if text_at(content, name) and name not in ((view.native["body"].get(section)) or {})
    ]
    if not kept:
        return ""
    return f"— withheld: {', '.join(kept)} (ask: {desk_number(view.native['manifest']['ask'])})"


def _record_cells(each: Native) -> dict[str, str]:
    plan = each["plan"]
    reason = f": {why_held(each['reason'])}" if each["reason"] else ""
    return {
        "event": each["event_type"].removeprefix("referral_"),
        "to": name_of(each["recipient"]),
        "for": each["purpose"].replace("-", " "),
        "outcome": each["outcome"].replace("_", " ") + reason,
        "agreement": _agreement(plan) if plan else "none",
        "fields": _field_counts(plan) if plan else "",
        "basis": ", ".join(_articles(plan["basis"])) if plan else "",
        "held back by": ", ".join(_clauses(plan)) if plan else "",
    }


def _record_line(each: Native) -> RenderableType:
    cells = _record_cells(each)
    line = Text()
    line.append(f"{cells['event']} → {cells['to']}", "bold")
    line.append(f", for {cells['for']}: {cells['outcome']}; {cells['fields']}\n")
    line.append(
        f"{cells['agreement']}; {cells['basis']}; held back by {cells['held back by']}", "dim"
    )
    return Padding(line, (0, 0, 0, 2))


def _agreement(plan: Native) -> str:
    overdue = f", {plan['overdue_days']} d overdue" if plan["overdue_days"] else ""
    return f"{plan['agreement'].replace('.', ' / ')} v{plan['agreement_version']}{overdue}"


def _field_counts(plan: Native) -> str:
    reduced = f", {len(plan['reduced'])} reduced" if plan["reduced"] else ""
    return f"{len(plan['released'])} whole{reduced}, {len(plan['withheld'])} withheld"


def _articles(basis: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(found for text in basis for found in _ARTICLE.findall(text)))


def _clauses(plan: Native) -> list[str]:
    named = {text.partition(": ")[2] for text in plan["withheld"]}
    rules = sorted(clause.rpartition(".")[2] for clause in named - {NOT_GRANTED})
    return [*rules, *(["default deny"] if NOT_GRANTED in named else [])]


def _mark(faults: Sequence[str], missing: Mapping[str, str]) -> Text:
    if faults:
        return Text("✗ no", "bold red")
    return Text("~ part", "bold yellow") if missing else Text("✓ ok", "bold green")


def _verdict(
    scenario: Scenario, mine: Sequence[Check], wrong: Sequence[str], missing: Mapping[str, str]
) -> Text:
    seen = sum(check.rule == "sees" for check in mine)
    unseen = sum(check.rule in ("never sees", "gets nothing") for check in mine)
    text = Text()
    text.append(f"{scenario.number}  {scenario.title}", "bold")
    text.append(f"\n{scenario.shows}")
    text.append(f"\n{seen} texts that had to arrive, {unseen} that must be nowhere", "dim")
    for each in wrong:
        text.append(f"\n{each}", "bold red")
    for what, why in missing.items():
        text.append(f"\nnot played here: {what}, because {why}", "yellow")
    for name, what in scenario.coming.items():
        text.append(f"\ncoming: {name} — {what}", "dim italic")
    return text
