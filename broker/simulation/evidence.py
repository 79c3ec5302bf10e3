"""
Gathers the evidence of a run: chains, counts, who saw what, and what logs and metrics gave away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.processes.audit import verify_chains
from broker.simulation.checks import Check, check_scenario, check_silence
from broker.simulation.fleet import Fleet, scrape
from broker.simulation.mailbox import Item
from broker.simulation.performance import Performance
from broker.simulation.play import settled
from broker.simulation.reconcile import Counts, reconcile
from broker.simulation.stage import Stage
from broker.simulation.standins import Standins


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    What a run has shown.

    Attributes:
        asked: Numbers of the scenarios that were to be played.
        played: Numbers of those that were, each as often as it was played.
        receipts: How many receipts intake gave.
        items: Everything the agencies' systems took.
        counts: In against out.
        records: Disclosure records by partition, and the places that break the chain.
        checks: Who saw what.
        faults: Messages the agencies refused or could not answer, by kind.
        unsettled: Scenarios whose referral no team has answered.
        troubled: Scenarios in which something did not happen.
    """

    asked: tuple[int, ...]
    played: tuple[int, ...]
    receipts: int
    items: tuple[Item, ...]
    counts: Counts
    records: Mapping[int, tuple[int, list[int]]]
    checks: tuple[Check, ...]
    faults: Mapping[str, int]
    unsettled: tuple[int, ...]
    troubled: tuple[int, ...]

    @property
    def chain_holds(self) -> bool:
        """Whether every record is linked to the one before."""
        return not any(breaks for _, breaks in self.records.values())

    @property
    def chain_words(self) -> str:
        """Return what is to be said of the chain."""
        total = sum(count for count, _ in self.records.values())
        partitions = sum(count > 0 for count, _ in self.records.values())
        said = "chain verified" if self.chain_holds else "CHAIN BROKEN"
        return f"{said}: {total} records in {partitions} partitions, each linked to the one before"

    @property
    def something_happened(self) -> bool:
        """Whether all that was asked for was played and something came out: nothing proves nothing."""
        return (
            bool(self.asked)
            and sorted(self.asked) == sorted(self.played)
            and self.receipts >= len(self.asked)
            and self.counts.views > 0
        )

    @property
    def ok(self) -> bool:
        """Whether everything that had to be so is so."""
        return (
            self.something_happened
            and self.counts.dead == 0
            and self.chain_holds
            and self.counts.add_up
            and all(check.holds for check in self.checks)
            and not any(self.faults.values())
            and not self.unsettled
            and not self.troubled
        )


async def gather(
    stage: Stage, fleet: Fleet, standins: Standins, performance: Performance, asked: Iterable[int]
) -> Evidence:
    """Gather the evidence while everything still runs; *asked* are the scenarios to be played."""
    items, faults = await standins.received()
    chronicle, played = performance.chronicle, performance.played
    receipts = [receipt["event_id"] for each in played for receipt in each.receipts]
    checks = [
        check
        for each in played
        for check in check_scenario(each.scenario, each.referral_id, items, chronicle)
    ]
    checks += check_silence([each.scenario for each in played], await _places(stage, fleet))
    cases = chronicle.cases
    return Evidence(
        asked=tuple(asked),
        played=tuple(each.scenario.number for each in played),
        receipts=len(receipts),
        items=tuple(items),
        counts=reconcile(chronicle, receipts),
        records=await verify_chains(stage.settings, fleet.log),
        checks=tuple(checks),
        faults=faults,
        unsettled=tuple(
            each.scenario.number
            for each in played
            if each.referral_id not in cases or not settled(cases[each.referral_id])
        ),
        troubled=tuple(each.scenario.number for each in played if each.trouble),
    )


async def _places(stage: Stage, fleet: Fleet) -> dict[str, str]:
    logs = {path.name: path.read_text("utf-8", "replace") for path in stage.logs.glob("*.log")}
    metrics = {f"metrics of {name}": await scrape(url) for name, url in fleet.ops.items()}
    return logs | metrics
