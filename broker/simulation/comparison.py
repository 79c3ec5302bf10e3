"""
What was sent beside what each recipient got, and what became of every field in between.

Pure: everything comes from the event, the views and their disclosure records. Fields of one group
that were treated alike for everybody stand in one row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, Final

from broker.codec.catalogue import Leaf
from broker.domain.decisions import NOT_GRANTED
from broker.domain.reductions import Reduction
from broker.simulation.chronicle import Event, Native, ViewSeen
from broker.simulation.lines import why_held
from broker.simulation.words import london_day, text_at

WHOLE: Final = "released"
_MEAN_NOTHING_ALONE: Final = frozenset(
    {"value", "check", "verification_status", "relevant_to_contact"}
)
_PHONE: Final = re.compile(r"\d[\d ]{8,}\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """
    What one recipient got of some fields.

    Attributes:
        fate: ``released``, ``reduced`` or ``withheld``.
        text: Values, or what the recipient is told instead.
        clause: Rule that says so, where something was withheld.
    """

    fate: str
    text: str
    clause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Fields of one group: as sent, and as each recipient got them."""

    group: str
    paths: tuple[str, ...]
    sent: str
    got: Mapping[str, Got]


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """
    How one recipient's plan treats fields, from its disclosure.

    Attributes:
        released: Paths that go whole.
        reduced: Reduction by path.
        withheld: Clause by path.
        ask: Whom the recipient is told to ask.
        native: Body of the view; empty where the route is held.
        why_held: Reason in words; empty where it is not held.
    """

    recipient: str
    released: frozenset[str]
    reduced: Mapping[str, str]
    withheld: Mapping[str, str]
    ask: str = ""
    native: Native = field(default_factory=dict)
    why_held: str = ""

    def fate(self, path: str) -> str:
        """Return what becomes of one field."""
        if path in self.reduced:
            return "reduced"
        return WHOLE if path in self.released else "withheld"


def treatment(disclosure: Native, view: ViewSeen | None) -> Treatment:
    """Return how a view was cut, from its own record; without a view the route is held."""
    plan = disclosure["plan"] or {"released": (), "reduced": (), "withheld": ()}
    if view is None:
        return Treatment(
            recipient=disclosure["recipient"],
            released=frozenset(),
            reduced={},
            withheld=dict(_pairs(plan["withheld"])),
            why_held=why_held(disclosure["reason"]),
        )
    return Treatment(
        recipient=view.recipient,
        released=frozenset(plan["released"]),
        reduced=dict(_pairs(plan["reduced"])),
        withheld=dict(_pairs(plan["withheld"])),
        ask=view.native["manifest"]["ask"],
        native=view.native["body"],
    )


def compare(event: Event, leaves: Mapping[str, Leaf], treatments: Sequence[Treatment]) -> list[Row]:
    """Return a row for each run of fields that were sent and treated alike, in canonical order."""
    today = london_day(event.envelope["occurred_at"]["utc"])
    sent = [
        path for path, leaf in leaves.items() if not leaf.is_length and text_at(event.native, path)
    ]

    def alike(path: str) -> tuple[str, tuple[str, ...]]:
        return leaves[path].group, tuple(each.fate(path) for each in treatments)

    return [
        Row(
            group=group,
            paths=tuple(paths),
            sent=_listed(event.native, paths, today),
            got={each.recipient: _got(each, group, paths, today) for each in treatments},
        )
        for (group, _), run in groupby(_gathered(sent, alike), key=alike)
        if (paths := list(run))
    ]


def desk_number(ask: str) -> str:
    """Return whom to ask as a number, or the whole text where it holds none."""
    found = _PHONE.search(ask)
    return found[0] if found else ask


def field_words(path: str) -> str:
    """Return a field's name as people say it."""
    container, _, name = path.rpartition(".")
    if name in _MEAN_NOTHING_ALONE:
        name = f"{container.rpartition('.')[2]} {'' if name == 'value' else name}".strip()
    return name.replace("_", " ").replace("nhs ", "NHS ")


def group_words(group: str) -> str:
    """Return a group's name as people say it."""
    return group.rpartition(".")[2].replace("_", " ")


def _gathered(paths: list[str], alike: Any) -> list[str]:
    # The first place of each kind decides where its row stands.
    place = {key: number for number, key in reversed(list(enumerate(map(alike, paths))))}
    return sorted(paths, key=lambda path: place[alike(path)])


def _got(treated: Treatment, group: str, paths: Sequence[str], today: date) -> Got:
    fate = treated.fate(paths[0])
    if treated.why_held:
        return Got(fate="withheld", text=f"— nothing: held, {treated.why_held}")
    if fate == WHOLE:
        return Got(fate=fate, text=_listed(treated.native, paths, today))
    if fate == "reduced":
        return Got(fate=fate, text="; ".join(_reduced(treated, path) for path in paths))
    clauses = sorted({_clause(treated.withheld.get(path, "")) for path in paths})
    ask = desk_number(treated.ask)
    text = f"— withheld: {group_words(group)} (ask: {ask})"
    return Got(fate=fate, text=text, clause=", ".join(clauses))


def _clause(name: str) -> str:
    return "no rule grants it" if name == NOT_GRANTED else f"rule {name}"


def _reduced(treated: Treatment, path: str) -> str:
    container, _, name = path.rpartition(".")
    reduced = Reduction(treated.reduced[path]).field_name(name)
    value = text_at(treated.native, f"{container}.{reduced}".lstrip("."))
    return f"{reduced.replace('_', ' ')} {value} (reduced)"


def _listed(native: Native, paths: Sequence[str], today: date) -> str:
    if list(paths) == ["handover_summary"]:
        return text_at(native, paths[0])
    texts = ((path, text_at(native, path, today)) for path in paths)
    return " · ".join(f"{field_words(path)} {text}" for path, text in texts if text)


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(path, what) for path, _, what in (text.partition(": ") for text in texts)]
