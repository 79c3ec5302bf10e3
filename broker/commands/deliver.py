"""`crisis-broker deliver`: what waits for a person, and what that person decides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

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

    found = deliver_people.waiting(_folder(recipient))
    if found["as_of"] is None:
        typer.echo("this recipient's deliver has not run here yet")
        return
    typer.echo(f"as of {found['as_of']}")
    for view in found["views"]:
        typer.echo(_line(view))
        typer.echo(f"  referral {view['referral_id']}, request id {view['request_id']}")
    for purpose, reason in found["closed_lanes"].items():
        typer.echo(f"lane {purpose} is closed: {reason}")
    if not (found["views"] or found["closed_lanes"]):
        typer.echo("nothing waits for a person")
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

    deliver_people.decide(_folder(recipient), action, subject, role)
    typer.echo("left for the running process; `waiting` shows when it has been taken")


def _line(view: Mapping[str, Any]) -> str:
    what = f"{view['rank']} {view['event_type']} for {view['purpose']}"
    return f"{what}: {view['reason']}, accepted {view['accepted_at']}"


def _folder(recipient: str) -> Path:
    from broker.commands.known import parties_known
    from broker.processes import deliver_people
    from broker.runtime.settings import load_settings

    settings = load_settings()
    if recipient not in parties_known(settings):
        raise typer.BadParameter("no agreement names this party", param_hint="RECIPIENT")
    return deliver_people.deliver_folder(settings, recipient)
