"""`crisis-broker disclosures`: who was told what, and the proof that nobody changed the record."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    help="Look into the disclosure record and verify its chain.", no_args_is_help=True
)


@app.command("verify")
def verify() -> None:
    """
    Verify the hash chain of every partition; exit 1 if any record was changed, dropped or added.

    Example: crisis-broker disclosures verify
    """
    from broker.processes.audit import verify_chains
    from broker.runtime.settings import load_settings

    results = asyncio.run(verify_chains(load_settings()))
    table = Table("partition", "records", "chain", title="disclosures")
    for number, (count, broken) in results.items():
        table.add_row(str(number), str(count), f"broken at {broken}" if broken else "verified")
    Console().print(table)
    if any(broken for _, broken in results.values()):
        raise typer.Exit(1)


@app.command("show")
def show(
    referral: Annotated[str, typer.Argument(help="Referral id, as in the receipt.")],
) -> None:
    """
    Show who was told what about one referral, under which agreement and on which basis.

    Example: crisis-broker disclosures show 3f1c0e5a9d0b4c7e8f2a6b1d4c9e0a77
    """
    from broker.processes.audit import disclosures_of
    from broker.runtime.settings import load_settings

    console = Console()
    found = asyncio.run(disclosures_of(load_settings(), referral))
    if not found:
        console.print("no disclosure of this referral is on record")
        raise typer.Exit(1)
    table = Table(
        "decided", "event", "recipient", "purpose", "outcome", "agreement", "basis", "withheld"
    )
    for record in found:
        plan = record["plan"] or {}
        table.add_row(
            f"{record['decided_at']:%Y-%m-%d %H:%M:%S}",
            record["event_type"],
            record["recipient"] or "-",
            record["purpose"] or "-",
            f"{record['outcome']} {record['reason']}".strip(),
            f"{plan['agreement']} v{plan['agreement_version']}" if plan else "-",
            "\n".join(plan.get("basis", [])),
            f"{len(plan.get('withheld', []))} fields",
        )
    console.print(table)
