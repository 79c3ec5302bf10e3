"""`crisis-broker deliver`: what waits for a person, and what that person decides."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    help="See what could not be delivered, and say what was done about it.", no_args_is_help=True
)

Recipient = Annotated[str, typer.Argument(help="Party id of the recipient.")]
Role = Annotated[str, typer.Option(help="Role of whoever decides, never a name.")]


@app.command("waiting")
def waiting(recipient: Recipient) -> None:
    """
    List parked views and closed lanes; exit 1 if anything waits for a person.

    Example: crisis-broker deliver waiting northvale-crisis
    """
    from broker.processes import deliver_people
    from broker.runtime.settings import load_settings

    found = deliver_people.waiting(deliver_people.deliver_folder(load_settings(), recipient))
    console = Console()
    if found["as_of"] is None:
        console.print("this recipient's deliver has not run here yet")
        return
    table = Table("rank", "event", "purpose", "reason", "accepted", "referral", "request id")
    for view in found["views"]:
        names = ("rank", "event_type", "purpose", "reason", "accepted_at", "referral_id")
        table.add_row(*(view[name] for name in names), view["request_id"])
    console.print(f"as of {found['as_of']}")
    console.print(table)
    for purpose, reason in found["closed_lanes"].items():
        console.print(f"lane {purpose} is closed: {reason}")
    if found["views"] or found["closed_lanes"]:
        raise typer.Exit(1)


@app.command("resolve")
def resolve(
    recipient: Recipient,
    request_id: Annotated[str, typer.Argument(help="As `waiting` shows it.")],
    role: Role,
) -> None:
    """
    Say that a parked view was dealt with by other means, so that it is not sent any more.

    Example: crisis-broker deliver resolve northvale-crisis 3f1c0e5a9d0b4c7e --role "duty manager"
    """
    from broker.processes import deliver_people

    _decide(recipient, deliver_people.RESOLVE, request_id, role)


@app.command("reopen")
def reopen(
    recipient: Recipient,
    purpose: Annotated[str, typer.Argument(help="Purpose of the closed lane.")],
    role: Role,
) -> None:
    """
    Let a closed lane move again, once what it must not hold has been stopped at the source.

    Example: crisis-broker deliver reopen northvale-crisis crisis-response --role "privacy officer"
    """
    from broker.processes import deliver_people

    _decide(recipient, deliver_people.REOPEN, purpose, role)


def _decide(recipient: str, action: str, subject: str, role: str) -> None:
    from broker.processes import deliver_people
    from broker.runtime.settings import load_settings

    folder = deliver_people.deliver_folder(load_settings(), recipient)
    deliver_people.decide(folder, action, subject, role)
    Console().print("left for the running process; `waiting` shows when it has been taken")
