"""
Who saw what, and who must not: each scenario's texts looked for in everything a party was given.

What a party was given is what its system took over HTTP and what stands in its release topics.
Forbidden texts must not be in any log file or metric either.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from broker.runtime.clock import utc_now
from broker.simulation.chronicle import Chronicle
from broker.simulation.mailbox import Item
from broker.simulation.moments import fill_in
from broker.simulation.scenarios import PartyView, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    One thing that must be so.

    Attributes:
        scenario: Its number; 0 for all of them.
        party: Whom it is about.
        rule: ``sees``, ``never sees`` or ``gets nothing``.
        place: Which text of the scenario, by number; never the text.
        holds: Whether it is so.
    """

    scenario: int
    party: str
    rule: str
    place: int
    holds: bool

    def __str__(self) -> str:
        """Return it as one line."""
        verdict = "holds" if self.holds else "BROKEN"
        return f"scenario {self.scenario}: {self.party} {self.rule} text {self.place}: {verdict}"


def check_scenario(
    scenario: Scenario, referral_id: str, items: Iterable[Item], chronicle: Chronicle
) -> Iterator[Check]:
    """Yield what must be so for every party of one scenario."""
    mine = [item for item in items if item.referral_id == referral_id]
    views = chronicle.views_of(referral_id)
    for party in scenario.party:
        taken = "\n".join(item.text() for item in mine if item.party == party.id)
        topic = b"\n".join(view.value for view in views if view.recipient == party.id)
        yield from _check_party(scenario.number, party, taken, topic)
    if scenario.overdue:
        plans = [each["plan"] for each in chronicle.disclosures_of(referral_id)]
        marked = bool(plans) and all(plan and plan["overdue_days"] > 0 for plan in plans)
        yield Check(
            scenario=scenario.number, party="governance", rule="sees", place=0, holds=marked
        )


def check_silence(scenarios: Iterable[Scenario], places: Mapping[str, str]) -> Iterator[Check]:
    """
    Yield whether forbidden texts are absent from logs and metrics.

    Args:
        scenarios: Whose texts to look for.
        places: Text of each log file and each process's metrics, by name.
    """
    for scenario in scenarios:
        for place, text in places.items():
            found = [number for number, each in enumerate(_secrets(scenario)) if each in text]
            yield from (
                Check(
                    scenario=scenario.number, party=place, rule="never sees", place=n, holds=False
                )
                for n in found
            )
            if not found:
                yield Check(
                    scenario=scenario.number, party=place, rule="never sees", place=-1, holds=True
                )


def _check_party(number: int, party: PartyView, taken: str, topic: bytes) -> Iterator[Check]:
    if party.gets_nothing:
        nothing = not taken and not topic
        yield Check(scenario=number, party=party.id, rule="gets nothing", place=0, holds=nothing)
    for place, text in enumerate(party.sees):
        yield Check(
            scenario=number,
            party=party.id,
            rule="sees",
            place=place,
            holds=fill_in(text, utc_now()) in taken,
        )
    for place, text in enumerate(party.never_sees):
        absent = text not in taken and text.encode() not in topic
        yield Check(scenario=number, party=party.id, rule="never sees", place=place, holds=absent)


def _secrets(scenario: Scenario) -> list[str]:
    return sorted(scenario.forbidden())
