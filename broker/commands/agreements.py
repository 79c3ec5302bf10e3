"""`crisis-broker agreements`: check, test and explain who may know what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.commands.screen import screen

if TYPE_CHECKING:
    from broker.codec.catalogue import Catalogue
    from broker.domain.agreements import Agreement, AgreementBook, Route

app = typer.Typer(help="Check, test and explain the signed agreements.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="Where the agreement files are.", show_default="as configured"),
]


@app.command("check")
def check(
    folder: Annotated[Path | None, typer.Argument(help="Where the agreement files are.")] = None,
) -> None:
    """
    Read every agreement, name every fault, and say which are overdue, pending or suspended.

    Example: crisis-broker agreements check deploy/agreements
    """
    from broker.codec.agreement_toml import load_agreements, load_book
    from broker.domain.errors import AgreementError
    from broker.runtime.clock import utc_now

    catalogue, folder = _place(folder)
    today = utc_now().date()
    try:
        agreements = load_agreements(folder, catalogue, today=today)
        book = load_book(folder, catalogue, today=today)
    except AgreementError as error:
        for place, rule in error.problems:
            typer.echo(f"error: {rule} @ {place}", err=True)
        raise typer.Exit(1) from None
    for agreement in agreements:
        typer.echo(f"{agreement.id} v{agreement.version}: {_state(agreement, book)}")
    parties = len(book.parties)
    typer.echo(f"{len(agreements)} agreements, {parties} parties, {len(book.routes())} routes")


@app.command("test")
def run_agreement_tests(folder: Folder = None) -> None:
    """
    Run the tests inside the agreements; a purpose without a test fails.

    Example: crisis-broker agreements test --folder deploy/agreements
    """
    from broker.codec.agreement_tests import run_tests
    from broker.codec.agreement_toml import load_book

    catalogue, folder = _place(folder)
    outcomes = run_tests(load_book(folder, catalogue), catalogue)
    failed = [outcome for outcome in outcomes if outcome.failures]
    for outcome in failed:
        typer.echo(f"failed: {outcome.agreement}: {outcome.name}", err=True)
        for failure in outcome.failures:
            typer.echo(f"  {failure}", err=True)
    typer.echo(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


@app.command("explain")
def explain(
    recipient: Annotated[str, typer.Option("--recipient", help="Party id.")],
    purpose: Annotated[str, typer.Option("--purpose", help="Purpose code.")],
    sender: Annotated[
        str | None, typer.Option("--sender", help="Party id; needed if there are several.")
    ] = None,
    event_type: Annotated[str, typer.Option("--event-type", help="Event.")] = "referral_made",
    given: Annotated[
        list[str] | None, typer.Option("--given", help="A fact that holds; repeat for more.")
    ] = None,
    folder: Folder = None,
) -> None:
    """
    Show field by field what one recipient gets, and which clause says so.

    Example: crisis-broker agreements explain --recipient northvale-136-suite
    --purpose place-of-safety-handover --given detained
    """
    from broker.codec.agreement_toml import load_book
    from broker.commands.agreement_tables import clause_table, manifest_table, plan_table, summary

    catalogue, folder = _place(folder)
    book = load_book(folder, catalogue)
    facts = _known_facts(given or [])
    if event_type not in catalogue.events:
        known = ", ".join(catalogue.events)
        raise typer.BadParameter(f"events are: {known}", param_hint="--event-type")
    route = _route(book, sender, recipient, purpose)
    event = catalogue.event(event_type)
    plan = book.plan(*route, event, facts)
    console = screen()
    console.print(plan_table(plan, event))
    if clause := book.clause(*route):
        console.print(clause_table(clause))
    console.print(manifest_table(plan))
    console.print(summary(plan))


@app.command("parties")
def parties(folder: Folder = None) -> None:
    """
    List the parties, and what each may send and receive.

    Example: crisis-broker agreements parties
    """
    from broker.codec.agreement_toml import load_book
    from broker.commands.agreement_tables import parties_table, routes_table

    catalogue, folder = _place(folder)
    book = load_book(folder, catalogue)
    console = screen()
    console.print(parties_table(book))
    console.print(routes_table(book))


def _place(folder: Path | None) -> "tuple[Catalogue, Path | None]":
    from broker.codec.catalogue import load_catalogue
    from broker.runtime.settings import load_settings

    settings = load_settings()
    return load_catalogue(settings.schemas_dir), folder or settings.agreements_dir


def _state(agreement: "Agreement", book: "AgreementBook") -> str:
    from broker.runtime.clock import utc_now

    if agreement not in book.agreements:
        return f"not in force; begins {agreement.valid_from}"
    notes = ["in force"]
    if days := agreement.overdue_days(utc_now().date()):
        notes.append(f"OVERDUE by {days} days, goes on")
    if agreement.suspension:
        notes.append("SUSPENDED: everything is held")
    notes += [f"SUSPENDED for {each.purpose}" for each in agreement.clauses if each.suspension]
    return ", ".join(notes)


def _known_facts(names: list[str]) -> frozenset[str]:
    from broker.domain.facts import FACTS

    unknown = sorted(set(names) - FACTS.keys())
    if unknown:
        known = ", ".join(FACTS)
        raise typer.BadParameter(
            f"unknown: {', '.join(unknown)}; known: {known}", param_hint="--given"
        )
    return frozenset(names)


def _route(book: "AgreementBook", sender: str | None, recipient: str, purpose: str) -> "Route":
    routes = [
        route
        for route in book.routes()
        if (route.recipient, route.purpose) == (recipient, purpose)
        and sender in (None, route.sender)
    ]
    if not routes:
        raise typer.BadParameter(
            "no agreement covers this recipient and purpose; `agreements parties` lists what does",
            param_hint="--recipient, --purpose",
        )
    if len(routes) > 1:
        senders = ", ".join(route.sender for route in routes)
        raise typer.BadParameter(f"several senders: {senders}", param_hint="--sender")
    return routes[0]
