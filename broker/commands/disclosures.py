"""`crisis-broker disclosures`: who was told what, and the proof that nobody changed the record."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console

app = typer.Typer(
    help="Look into the disclosure record and verify its chain.", no_args_is_help=True
)

REFERRAL: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


@app.command("verify")
def verify() -> None:
    """
    Verify the hash chain of every partition; exit 1 if any record was changed, dropped or added.

    Example: crisis-broker disclosures verify
    """
    from broker.processes.audit import verify_chains
    from broker.runtime.settings import load_settings

    results = asyncio.run(verify_chains(load_settings()))
    for number, (count, broken) in results.items():
        state = f"BROKEN at {', '.join(map(str, broken))}" if broken else "verified"
        typer.echo(f"partition {number:>3}  {count:>8} records  {state}")
    broken_partitions = sum(bool(broken) for _, broken in results.values())
    total = sum(count for count, _ in results.values())
    typer.echo(f"{total} records, {broken_partitions} of {len(results)} partitions broken")
    if broken_partitions:
        raise typer.Exit(1)


@app.command("show")
def show(
    referral: Annotated[str, typer.Argument(help="Referral id, as in the receipt.")],
    fields: Annotated[
        bool, typer.Option("--fields", help="Name every field, and the clause that withholds it.")
    ] = False,
) -> None:
    """
    Show who was told what about one referral, under which agreement and on which basis.

    Example: crisis-broker disclosures show 3f1c0e5a9d0b4c7e8f2a6b1d4c9e0a77
    """
    from broker.processes.audit import disclosures_of
    from broker.runtime.settings import load_settings

    if not REFERRAL.fullmatch(referral):
        raise typer.BadParameter("a referral id is 32 of 0-9 and a-f", param_hint="REFERRAL")
    found = asyncio.run(disclosures_of(load_settings(), referral))
    if not found:
        typer.echo("no disclosure of this referral is on record", err=True)
        raise typer.Exit(1)
    console = Console(highlight=False, markup=False)
    for record in found:
        console.print(_heading(record), style="bold", soft_wrap=True)
        for line in _details(record, names=fields):
            console.print(f"  {line}", soft_wrap=True)


def _heading(record: Mapping[str, Any]) -> str:
    outcome = f"{record['outcome']} {record['reason']}".strip()
    to = f" to {record['recipient']} for {record['purpose']}" if record["recipient"] else ""
    return f"{record['decided_at']:%Y-%m-%d %H:%M:%S} UTC  {record['event_type']}{to}: {outcome}"


def _details(record: Mapping[str, Any], *, names: bool) -> Iterator[str]:
    yield f"from {record['sender']}, event {record['event_id']}"
    if record["release_id"]:
        yield f"request id {record['release_id']}"
    plan = record["plan"]
    if not plan:
        return
    overdue = f", {plan['overdue_days']} days overdue" if plan["overdue_days"] else ""
    yield f"agreement {plan['agreement']} v{plan['agreement_version']}{overdue}"
    yield from (f"basis {basis}" for basis in plan["basis"])
    if plan["facts"]:
        yield f"facts {', '.join(plan['facts'])}"
    for key in ("released", "reduced", "withheld"):
        yield f"{key} {len(plan[key])} fields"
        if names:
            yield from (f"  {name}" for name in plan[key])
