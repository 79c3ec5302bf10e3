"""Draws plans and parties as tables; an effect is a word, never a colour alone."""

from typing import Final

from rich.table import Column, Table
from rich.text import Text

from broker.codec.catalogue import EventSchema
from broker.domain.agreements import AgreementBook
from broker.domain.clauses import PurposeClause, Rule
from broker.domain.decisions import Decision, Effect, Plan

_STYLES: Final = {
    Effect.RELEASE: "bold",
    Effect.REDUCE: "cyan",
    Effect.NEEDS_PERSON: "yellow",
    Effect.WITHHOLD: "dim",
}


def plan_table(plan: Plan, event: EventSchema) -> Table:
    """Show each field of the event in canonical order, with class, effect and clause."""
    facts = ", ".join(sorted(plan.facts)) or "none"
    title = f"{plan.event_type} to {plan.recipient} for {plan.purpose}\nfacts that matter: {facts}"
    table = Table(_whole("Field"), "Class", "What happens", _whole("Clause"), title=title)
    for path, decision in plan.decisions.items():
        row = (path, event.leaves[path].sensitivity, _effect(decision), decision.clause)
        table.add_row(*map(Text, row), style=_STYLES[decision.effect])
    return table


def clause_table(clause: PurposeClause) -> Table:
    """Show each rule of a clause with its condition and why the parties agreed on it."""
    table = Table(_whole("Clause"), "Does", "Condition", "Because", title="Clauses")
    for rule in clause.rules:
        table.add_row(rule.id, rule.effect, _condition(rule), rule.because)
    return table


def manifest_table(plan: Plan) -> Table:
    """Show what the recipient is told about what it does not get."""
    table = Table("Group", "Reason", "Clause", "Held", title="The view says it leaves out")
    for entry in plan.manifest["entries"]:
        held = "safety information held" if entry["held"] else ""
        table.add_row(entry["group"], entry["reason"], entry["clause"] or "", held)
    return table


def summary(plan: Plan) -> str:
    """Say in a few lines who to ask, by which agreement, and whether anything goes at all."""
    counts = {
        effect: sum(each.effect is effect for each in plan.decisions.values()) for effect in Effect
    }
    basis = "; ".join(f"{name} {value}" for name, value in plan.basis.items())
    return "\n".join(
        (
            ", ".join(f"{count} {effect}" for effect, count in counts.items()),
            f"Agreement: {plan.agreement_id} v{plan.agreement_version}",
            f"Basis: {basis}",
            f"Ask: {plan.manifest['ask']}",
            *((f"HELD: {plan.held_because}",) if plan.held_because else ()),
            *((f"OVERDUE by {plan.overdue_days} days",) if plan.overdue_days else ()),
        )
    )


def parties_table(book: AgreementBook) -> Table:
    """Show every party and who answers for it."""
    table = Table(_whole("Party"), "Name", "Kind", "Organisation", title="Parties")
    for party in sorted(book.parties.values(), key=lambda each: each.id):
        table.add_row(party.id, party.name, party.kind, party.organisation)
    return table


def routes_table(book: AgreementBook) -> Table:
    """Show who may tell whom, what for, and by which agreement."""
    table = Table(_whole("From"), _whole("To"), _whole("Purpose"), "Agreement", title="Routes")
    for route in book.routes():
        agreement = book.find(*route)
        table.add_row(*route, f"{agreement.id} v{agreement.version}" if agreement else "")
    return table


def _whole(heading: str) -> Column:
    # A name that is cut off names nothing: narrow terminals fold it instead.
    return Column(heading, overflow="fold")


def _condition(rule: Rule) -> str:
    when = [f"when {fact}" for fact in sorted(rule.when)]
    return ", ".join(when + [f"unless {fact}" for fact in sorted(rule.unless)])


def _effect(decision: Decision) -> str:
    return f"{decision.effect}: {decision.reduction}" if decision.reduction else decision.effect
