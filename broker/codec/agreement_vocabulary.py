"""The words an agreement may use: leaves and groups of the catalogue, facts, purposes, reductions."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from broker.codec.catalogue import Catalogue, Leaf
from broker.domain.decisions import Effect
from broker.domain.safeguards import NEVER_AT_ALL, never_by_rule

EVERYTHING: Final = "everything"
"""Stands for every leaf of every event; fit for withhold and needs_person only."""


class UnknownWordError(ValueError):
    """A word that is no leaf, group, fact, purpose or reduction; says which are near."""

    def __init__(self, kind: str, word: str, known: Iterable[str]) -> None:
        near = get_close_matches(word, list(known), n=1)
        hint = f", did you mean `{near[0]}`?" if near else ""
        super().__init__(f"unknown {kind} `{word}`{hint}")


def check_word(kind: str, word: str, known: Collection[str]) -> str:
    """Return *word* if it is known; raises UnknownWordError otherwise."""
    if word not in known:
        raise UnknownWordError(kind, word, known)
    return word


class Vocabulary:
    """
    The leaves and groups of a catalogue, across all of its events.

    Attributes:
        leaves: Every leaf by path; a path means the same in every event.
        groups: The paths of each group.
        events: The paths of each event type.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        leaves: dict[str, Leaf] = {}
        groups: dict[str, set[str]] = {}
        for event in catalogue.events.values():
            for path, leaf in event.leaves.items():
                leaves.setdefault(path, leaf)
                groups.setdefault(leaf.group, set()).add(path)
        self.events: Mapping[str, frozenset[str]] = MappingProxyType(
            {name: frozenset(event.leaves) for name, event in catalogue.events.items()}
        )
        self.leaves: Mapping[str, Leaf] = MappingProxyType(leaves)
        self.groups: Mapping[str, frozenset[str]] = MappingProxyType(
            {group: frozenset(paths) for group, paths in groups.items()}
        )

    def within(self, name: str, leaves: AbstractSet[str]) -> frozenset[str]:
        """
        Return which of *leaves* a leaf or group stands for.

        Raises:
            UnknownWordError: There is no such leaf or group.
            ValueError: It stands for none of them.
        """
        paths = self.groups.get(name) or frozenset({self.leaf(name)})
        if paths.isdisjoint(leaves):
            raise ValueError(f"`{name}` is not among what the rule names")
        return paths & leaves

    def paths(self, name: str, event_type: str) -> frozenset[str]:
        """
        Return what a leaf or group stands for in one event.

        Raises:
            UnknownWordError: There is no such leaf or group.
            ValueError: It is no part of this event.
        """
        paths = self.groups.get(name) or frozenset({self.leaf(name)})
        if paths.isdisjoint(self.events[event_type]):
            raise ValueError(f"`{name}` is no part of {event_type}")
        return paths & self.events[event_type]

    def leaf(self, path: str) -> str:
        """Return the path of one leaf; raises UnknownWordError, also for a group."""
        if path not in self.leaves:
            raise UnknownWordError("field or group", path, (*self.leaves, *self.groups))
        return path

    def expand(self, name: str, effect: Effect, version: int) -> frozenset[str]:
        """
        Return the leaves that a rule means by *name*.

        A grant of a group means the fields that catalogue *version* knew, and of these the ones
        that a rule can release at all; a restriction means all of them.

        Raises:
            UnknownWordError: There is no such leaf or group.
            ValueError: The word does not fit the effect.
        """
        grants = effect in (Effect.RELEASE, Effect.REDUCE)
        if name == EVERYTHING:
            return self._everything(grants=grants)
        if name not in self.groups:
            return frozenset({self._known_to(self.leaf(name), version, grants=grants)})
        if not grants:
            return self.groups[name]
        leaves = (self.leaves[path] for path in self.groups[name])
        paths = {f.path for f in leaves if f.since <= version and not never_by_rule(f)}
        if not paths:
            raise ValueError(f"group `{name}` holds nothing that a rule can release")
        return frozenset(paths)

    def _everything(self, *, grants: bool) -> frozenset[str]:
        if grants:
            raise ValueError(f"`{EVERYTHING}` cannot be granted: name the groups")
        return frozenset(p for p, leaf in self.leaves.items() if leaf.group not in NEVER_AT_ALL)

    def _known_to(self, path: str, version: int, *, grants: bool) -> str:
        if grants and self.leaves[path].since > version:
            raise ValueError(f"`{path}` is younger than catalogue version {version}")
        return path
