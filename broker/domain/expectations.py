"""What the writers of an agreement expect of it: its own tests, checked against its plans."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from broker.domain.decisions import Decision, Effect, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """
    One test of an agreement.

    Attributes:
        name: What it shows, as a sentence.
        purpose: Purpose code.
        sender: Party id.
        recipient: Party id.
        event_type: E.g. ``referral_made``.
        given: Facts that hold.
        releases: Leaves that must go whole.
        reduces: Leaves that must go reduced, and how.
        withholds: Leaves that must not go, not even to a person's decision.
        needs_person: Leaves that must wait for a named person.
        held: Whether the whole route must wait; None if the test does not say.
    """

    name: str
    purpose: str
    sender: str
    recipient: str
    event_type: str
    given: frozenset[str] = frozenset()
    releases: frozenset[str] = frozenset()
    reduces: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    withholds: frozenset[str] = frozenset()
    needs_person: frozenset[str] = frozenset()
    held: bool | None = None

    def failures(self, plan: Plan) -> tuple[str, ...]:
        """Return what the plan does otherwise; empty if the test passes."""
        return tuple(self._failures(plan))

    def _failures(self, plan: Plan) -> Iterator[str]:
        for effect, paths in (
            (Effect.RELEASE, self.releases),
            (Effect.REDUCE, frozenset(self.reduces)),
            (Effect.WITHHOLD, self.withholds),
            (Effect.NEEDS_PERSON, self.needs_person),
        ):
            for path in sorted(paths):
                if plan.decisions[path].effect is not effect:
                    yield _differs(plan.decisions[path], effect)
        for path, reduction in sorted(self.reduces.items()):
            if plan.decisions[path].reduction not in (None, reduction):
                yield f"`{path}` is reduced, but not to {reduction}"
        if self.held is not None and self.held != bool(plan.held_because):
            yield "the route is held" if plan.held_because else "the route is not held"


def _differs(decision: Decision, expected: Effect) -> str:
    found = decision.effect
    return f"`{decision.path}`: {expected} expected, but {found} by `{decision.clause}`"
