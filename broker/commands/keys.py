"""`crisis-broker keys`: who may call intake."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="Issue, list and revoke the API keys of parties.", no_args_is_help=True)


@app.command("issue")
def issue_key(
    party: Annotated[str, typer.Argument(help="Party id, as the agreements name it.")],
) -> None:
    """
    Issue a key for PARTY and print it: it is shown this once and never again.

    Standard output is the key and nothing else, so that a script can keep it.

    Example: crisis-broker keys issue midshire-police > police.key
    """
    from broker.commands.known import parties_known
    from broker.runtime.clock import utc_now
    from broker.runtime.keys import issue
    from broker.runtime.settings import load_settings

    settings = load_settings()
    is_known = party in parties_known(settings)
    key = issue(settings.keys_file(), party, utc_now())
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print(f"key of {party}, shown this once:")
    typer.echo(key)
    if not is_known:
        console.print("warning: no agreement names this party yet, so intake refuses the key")


@app.command("list")
def list_keys() -> None:
    """
    List all keys by id and party; the keys themselves are not kept.

    Example: crisis-broker keys list
    """
    from broker.runtime.keys import KeyRing
    from broker.runtime.settings import load_settings

    entries = KeyRing(load_settings().keys_file()).entries()
    if not entries:
        typer.echo("there are no keys; make one with: crisis-broker keys issue PARTY", err=True)
        return
    table = Table("Id", "Party", "Issued", "Revoked")
    for key in entries:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(key.id, key.party, f"{key.issued_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The eight characters after `crk_`.")],
) -> None:
    """
    Revoke a key; it is refused from the next request on, without a restart.

    Example: crisis-broker keys revoke 4dec0099
    """
    from broker.runtime.clock import utc_now
    from broker.runtime.keys import revoke
    from broker.runtime.settings import load_settings

    key = revoke(load_settings().keys_file(), key_id, utc_now())
    typer.echo(f"revoked key {key.id} of {key.party}")
