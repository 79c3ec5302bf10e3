"""`crisis-broker topics`: the topics and ACLs that the agreements need."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from broker.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from broker.runtime.acls import AclSpec
    from broker.runtime.settings import Settings
    from broker.runtime.topics import Change, Lane, TopicSpec

app = typer.Typer(
    help="Compare a cluster with the topics and ACLs it should have, and make them.",
    no_args_is_help=True,
)

Lanes = Annotated[
    list[str] | None,
    typer.Option(
        "--lane",
        metavar="RECIPIENT:PURPOSE",
        help="A lane to provide for, repeatable; default: those of the active agreements.",
    ),
]
Acls = Annotated[bool, typer.Option("--acls", help="ACLs too; the cluster needs an authorizer.")]


@app.command("plan")
def plan(lane: Lanes = None, acls: Acls = False) -> None:
    """
    Show what `topics apply` would change, and change nothing; exit 1 if a topic cannot be altered.

    Example: crisis-broker topics plan --lane northvale-crisis:crisis-response
    """
    from broker.runtime.kafka_acls import list_acls
    from broker.runtime.kafka_admin import difference
    from broker.runtime.open_log import kafka_security
    from broker.runtime.settings import load_settings
    from broker.runtime.topics import ChangeKind

    settings = load_settings()
    lanes, bootstrap = _lanes(settings, lane or []), settings.bootstrap()
    security = kafka_security(settings)
    changes = asyncio.run(difference(bootstrap, _topics(settings, lanes), security))
    _show(changes)
    if acls:
        present = asyncio.run(list_acls(bootstrap, security))
        _show(acl for acl in _acls(settings, lanes) if acl not in present)
    if any(change.kind is ChangeKind.MISMATCH for change in changes):
        raise typer.Exit(1)


@app.command("apply")
def apply(lane: Lanes = None, acls: Acls = False) -> None:
    """
    Make missing topics, correct settings, register schemas; with --acls allow what processes need.

    It can be repeated. Nothing is ever deleted, and a topic's partitions are never altered: growth needs a new
    namespace after a drain.

    Example: crisis-broker topics apply --lane northvale-crisis:crisis-response
    """
    from broker.processes.provisioning import register_everything
    from broker.runtime import kafka_admin
    from broker.runtime.kafka_acls import create_acls
    from broker.runtime.open_log import kafka_security
    from broker.runtime.settings import load_settings

    settings = load_settings()
    lanes, bootstrap = _lanes(settings, lane or []), settings.bootstrap()
    security = kafka_security(settings)
    _show(asyncio.run(kafka_admin.apply(bootstrap, _topics(settings, lanes), security)))
    if not lane:
        for line in asyncio.run(register_everything(settings)):
            typer.echo(line)
    if acls:
        _show(asyncio.run(create_acls(bootstrap, _acls(settings, lanes), security)))


def _lanes(settings: "Settings", given: list[str]) -> "list[Lane]":
    """Return the lanes named on the command line, else those of the agreements."""
    if given:
        return [_lane(text) for text in given]
    from broker.codec.agreement_toml import load_book
    from broker.codec.catalogue import load_catalogue

    return sorted(load_book(settings.agreements_dir, load_catalogue(settings.schemas_dir)).lanes())


def _lane(text: str) -> "Lane":
    recipient, colon, purpose = text.partition(":")
    if not colon:
        raise ConfigurationError("a lane is RECIPIENT:PURPOSE @ --lane")
    return recipient, purpose


def _topics(settings: "Settings", lanes: "list[Lane]") -> "tuple[TopicSpec, ...]":
    from broker.runtime.topics import plan as plan_topics

    return plan_topics(settings.namespace, lanes, settings.partitions, settings.replication)


def _acls(settings: "Settings", lanes: "list[Lane]") -> "tuple[AclSpec, ...]":
    from broker.runtime.acls import plan_acls

    return plan_acls(settings.namespace, lanes, settings.cluster)


def _show(lines: "Iterable[Change | AclSpec]") -> None:
    shown = [str(line) for line in lines]
    for line in shown or ["nothing to change"]:
        typer.echo(line)
