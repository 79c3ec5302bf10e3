"""
One entry per referral: when, how urgent, from whom to whom, how far, who holds it, what is next.

The most dangerous words come first, and nothing is said by colour alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.cells import set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from broker.domain.lifecycle import Deadline, Due, Flag, Referral, Stage
from broker.simulation.cast import name_of
from broker.simulation.chronicle import Case, Native
from broker.simulation.words import clock, london_day, span, words

WIDE: Final = 170
NARROW: Final = 100
INDENT: Final = 10
STYLES: Final = {
    "IMMEDIATE": "bold white on red",
    "UNKNOWN": "bold white on red",
    "s136": "bold white on red",
    "URGENT": "bold red",
    "SOON": "yellow",
    "ROUTINE": "cyan",
}
_NAMED: Final = {
    Stage.MADE: "stored, not received",
    Stage.RECEIVED: "received, not accepted",
    Stage.WITHDRAWN: "withdrawn by the sender: stand down",
}


def case_lines(
    case: Case, title: str, disclosures: Sequence[Native], *, now: datetime, width: int
) -> RenderableType:
    """Return a referral as one long line, or two where the screen is narrower."""
    head, state, clocks = _head(case), _state(case), _clocks(case, now)
    if held := _held(disclosures):
        clocks.append(f"  {held}", "magenta")
    if width >= WIDE:
        return Text("   ").join([head, state, clocks])
    room = width - head.cell_len - 2
    if width >= NARROW and room > INDENT:
        head.append(f"  {shortened(title, room)}", "dim")
    indent = INDENT if width >= NARROW else 2
    return Group(head, Padding(Text("  ").join([state, clocks]), (0, 0, 0, indent)))


def label(case: Case) -> str:
    """Return the urgency as people call it; a detention has a clock of its own."""
    power = (case.made.native.get("legal_status") or {}).get("power")
    return "s136" if power == "s136" else str(case.made.envelope["urgency"]["rank"]).upper()


def state_words(case: Case) -> str:
    """Return how far a referral has come, in words."""
    return _state(case).plain


def why_held(reason: str) -> str:
    """
    Return the reason of a held route in words.

    >>> why_held("needs-person"), why_held("no-agreement")
    ('needs a person', 'no agreement')
    """
    return reason.replace("-", " ").replace("needs person", "needs a person")


def shortened(text: str, cells: int) -> str:
    """
    Return a text that fits.

    >>> shortened("a weapon report", 9)
    'a weapon…'
    """
    if len(text) <= cells:
        return text
    return f"{set_cell_size(text, cells - 1).rstrip()}…"


def _head(case: Case) -> Text:
    urgency, made = label(case), case.made
    addressed = list(dict.fromkeys(route["recipient"] for route in made.envelope["routes"]))
    more = f" +{len(addressed) - 1}" if addressed[1:] else ""
    line = Text(f"{made.envelope['recorded_at'].astimezone():%H:%M:%S}  ")
    line.append(f"{urgency:<9}", STYLES.get(urgency, ""))
    line.append(f"  {case.code}  ", "bold")
    line.append(f"{name_of(made.sender)} → {name_of(addressed[0])}{more}")
    return line


def _held(disclosures: Sequence[Native]) -> str:
    held = {each["recipient"]: each["reason"] for each in disclosures if each["outcome"] == "held"}
    texts = (f"{name_of(party)}: held, {why_held(reason)}" for party, reason in held.items())
    return "  ".join(sorted(texts))


def _state(case: Case) -> Text:
    state = case.state
    if state is None:
        return Text("its making has not been read")
    if state.stage in (Stage.ACCEPTED, Stage.CLOSED) and state.accepted_at:
        took = span(state.accepted_at - state.made_at)
        if case.last("referral_accepted") is None:
            return Text(f"taken over on the phone by {_who(state)}", "green")
        return Text(f"accepted by {_who(state)} in {took}", "green")
    flags = "".join(f" [{flag}]" for flag in sorted(state.flags - {Flag.AFTER_CLOSE}))
    return Text(_unaccepted(case, state) + flags, "yellow")


def _unaccepted(case: Case, state: Referral) -> str:
    if state.stage is Stage.ACKNOWLEDGED:
        return f"seen by {_parties(state, Stage.ACKNOWLEDGED)}, not accepted"
    if state.stage is Stage.DECLINED:
        return f"declined by {_parties(state, Stage.DECLINED)}: {_reasons(case)}"
    if state.stage is Stage.TAKEN_BACK:
        return f"declined by {_parties(state, Stage.DECLINED)}, taken back"
    return _NAMED[state.stage]


def _who(state: Referral) -> str:
    name = state.holder.team or name_of(state.holder.party)
    return f"{name} ({state.holder.role})" if state.holder.role else name


def _parties(state: Referral, stage: Stage) -> str:
    return " and ".join(name_of(party) for party, each in state.parts.items() if each is stage)


def _reasons(case: Case) -> str:
    declines = (event for event in case.events if event.event_type == "referral_declined")
    return ", ".join(words((event.native["decline"] or {}).get("reason")) for event in declines)


def _outcome(case: Case) -> str:
    event = case.last("referral_outcome")
    outcome = (event.native["outcome"] or {}) if event else {}
    return words(outcome.get("police_outcome") or "outcome recorded")


def _clocks(case: Case, now: datetime) -> Text:
    if case.state is None:
        return Text("")
    holder = case.state.holder
    line = Text("holder: ")
    line.append(holder.team or name_of(holder.party), "bold")
    line.append("  ")
    if case.state.stage is Stage.CLOSED:
        return line.append(f"outcome: {_outcome(case)}")
    return line.append_text(_next(case.state.deadline, now))


def _next(deadline: Deadline | None, now: datetime) -> Text:
    if deadline is None:
        return Text("nothing due", "dim")
    if deadline.at < now:
        return Text(f"OVERDUE since {clock(deadline.at, london_day(now))}", "bold red")
    if deadline.what is Due.SEEN:
        return Text(f"next: seen by {clock(deadline.at, london_day(now))}")
    what = "escalates in" if deadline.what is Due.ACCEPT else "take back in"
    return Text(f"{what} {span(deadline.at - now)}", "yellow")
