"""
What was sent beside what each recipient got, and what became of every field in between.

Pure: everything comes from the event, the views and their disclosure records. Fields of one group
that were treated alike for everybody stand in one row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from broker.codec.catalogue import Leaf
from broker.domain.reductions import Reduction
from broker.simulation.chronicle import Event, Native, ViewSeen
from broker.simulation.words import text_at

WHOLE: Final = "released"
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
    """How one recipient's plan treats fields, from its disclosure."""

    recipient: str
    released: frozenset[str]
    reduced: Mapping[str, str]
    withheld: Mapping[str, str]
    ask: str
    native: Native

    def fate(self, path: str) -> str:
        """Return what becomes of one field."""
        if path in self.reduced:
            return "reduced"
        return WHOLE if path in self.released else "withheld"


def treatment(disclosure: Native, view: ViewSeen) -> Treatment:
    """Return how a view was cut, from its own record."""
    plan = disclosure["plan"]
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
    sent = [
        path for path, leaf in leaves.items() if not leaf.is_length and text_at(event.native, path)
    ]

    def alike(path: str) -> tuple[str, tuple[str, ...]]:
        return leaves[path].group, tuple(each.fate(path) for each in treatments)

    return [
        Row(
            group=group,
            paths=tuple(paths),
            sent=_listed(event.native, paths),
            got={each.recipient: _got(each, group, paths) for each in treatments},
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
    return path.rpartition(".")[2].replace("_", " ")


def _gathered(paths: list[str], alike: Any) -> list[str]:
    # The first place of each kind decides where its row stands.
    place = {key: number for number, key in reversed(list(enumerate(map(alike, paths))))}
    return sorted(paths, key=lambda path: place[alike(path)])


def _got(treated: Treatment, group: str, paths: Sequence[str]) -> Got:
    fate = treated.fate(paths[0])
    if fate == WHOLE:
        return Got(fate=fate, text=_listed(treated.native, paths))
    if fate == "reduced":
        return Got(fate=fate, text="; ".join(_reduced(treated, path) for path in paths))
    clauses = sorted({treated.withheld.get(path, "") for path in paths})
    ask = desk_number(treated.ask)
    text = f"— withheld: {group.replace('_', ' ')} (ask: {ask})"
    return Got(fate=fate, text=text, clause=", ".join(clauses))


def _reduced(treated: Treatment, path: str) -> str:
    container, _, name = path.rpartition(".")
    reduced = Reduction(treated.reduced[path]).field_name(name)
    value = text_at(treated.native, f"{container}.{reduced}".lstrip("."))
    return f"{reduced.replace('_', ' ')} {value} (reduced)"


def _listed(native: Native, paths: Sequence[str]) -> str:
    if len(paths) == 1:
        return text_at(native, paths[0])
    return " · ".join(f"{field_words(path)} {text_at(native, path)}" for path in paths)


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(path, what) for path, _, what in (text.partition(": ") for text in texts)]
