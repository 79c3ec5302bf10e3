"""
One line per referral: when, how urgent, from whom to whom, how far, who holds it, what is next.

The most dangerous words come first, and nothing is said by colour alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from broker.domain.lifecycle import Deadline, Due, Flag, Referral, Stage
from broker.simulation.cast import name_of
from broker.simulation.chronicle import Case, Native
from broker.simulation.words import clock, span, words

WIDE: Final = 150
STYLES: Final = {
    "IMMEDIATE": "bold white on red",
    "UNKNOWN": "bold white on red",
    "s136": "bold white on red",
    "URGENT": "bold red",
    "SOON": "yellow",
    "ROUTINE": "cyan",
}


def case_lines(
    case: Case, title: str, disclosures: Sequence[Native], *, now: datetime, width: int
) -> Text:
    """Return a referral as one long line, or two where the screen is narrower."""
    head, state, clocks = _head(case, title, width), _state(case), _clocks(case, now)
    if held := _held(disclosures):
        state.append(f" · {held}", "magenta")
    if width >= WIDE:
        line = Text("  ").join([head, state, clocks])
    else:
        line = Text("\n").join([head, Text("          ") + Text("   ").join([state, clocks])])
    line.no_wrap, line.overflow = width >= WIDE, "fold"
    return line


def label(case: Case) -> str:
    """Return the urgency as people call it; a detention has a clock of its own."""
    power = (case.made.native.get("legal_status") or {}).get("power")
    return "s136" if power == "s136" else str(case.made.envelope["urgency"]["rank"]).upper()


def state_words(case: Case) -> str:
    """Return how far a referral has come, in words."""
    return _state(case).plain


def _head(case: Case, title: str, width: int) -> Text:
    urgency, made = label(case), case.made
    others = len({recipient for recipient, _ in made.routes}) - 1
    first = made.envelope["routes"][0]["recipient"]
    more = f" +{others}" if others else ""
    line = Text(f"{made.envelope['recorded_at'].astimezone():%H:%M:%S}  ")
    line.append(f"{urgency:<9}", STYLES.get(urgency, ""))
    line.append(f"  {case.code}  ", "bold")
    line.append(f"{name_of(made.sender)} → {name_of(first)}{more}")
    room = width - line.cell_len - 4
    if room > 15:
        line.append(f"  {title if len(title) <= room else title[: room - 1] + '…'}", "dim")
    return line


def _state(case: Case) -> Text:
    state = case.state
    if state is None:
        return Text("its making has not been read")
    who = _who(state)
    took = span(state.accepted_at - state.made_at) if state.accepted_at else ""
    if state.stage is Stage.ACCEPTED:
        return Text(f"accepted by {who} in {took}", "green")
    if state.stage is Stage.CLOSED:
        return Text(f"accepted by {who} in {took}, {_outcome(case)}", "green")
    return Text(_other(case, state), "yellow" if state.stage is Stage.MADE else "")


def _other(case: Case, state: Referral) -> str:
    named = {
        Stage.MADE: "stored, not received",
        Stage.RECEIVED: "received, not accepted",
        Stage.ACKNOWLEDGED: f"seen by {_parties(state, Stage.ACKNOWLEDGED)}, not accepted",
        Stage.DECLINED: f"declined by {_parties(state, Stage.DECLINED)}: {_reasons(case)}",
        Stage.TAKEN_BACK: f"declined by {_parties(state, Stage.DECLINED)}, taken back",
        Stage.WITHDRAWN: "withdrawn, stand down",
    }
    flags = "".join(f" [{flag}]" for flag in sorted(state.flags - {Flag.AFTER_CLOSE}))
    return named[state.stage] + flags


def _who(state: Referral) -> str:
    name = state.holder.team or name_of(state.holder.party)
    return f"{name} ({state.holder.role})" if state.holder.role else name


def _parties(state: Referral, stage: Stage) -> str:
    return ", ".join(name_of(party) for party, each in state.parts.items() if each is stage)


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
    line.append("   next: ")
    line.append_text(_next(case.state.deadline, now))
    return line


def _next(deadline: Deadline | None, now: datetime) -> Text:
    if deadline is None:
        return Text("nothing due", "dim")
    if deadline.at < now:
        return Text(f"OVERDUE since {clock(deadline.at, now)}", "bold red")
    if deadline.what is Due.SEEN:
        return Text(f"seen by {clock(deadline.at, now)}")
    what = "escalates in" if deadline.what is Due.ACCEPT else "take back in"
    return Text(f"{what} {span(deadline.at - now)}", "yellow")


def _held(disclosures: Sequence[Native]) -> str:
    held = sorted({each["recipient"] for each in disclosures if each["outcome"] == "held"})
    return "".join(f"{name_of(party)}: held, needs a person" for party in held)
