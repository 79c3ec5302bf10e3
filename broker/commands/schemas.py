"""`crisis-broker schemas`: look at the catalogue, and check it before it is changed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from broker.codec.catalogue import Leaf

app = typer.Typer(help="Look at the event schemas, and check them.", no_args_is_help=True)

Problems = list[tuple[str, str]]

FolderOption = Annotated[
    Path | None, typer.Option("--dir", help="Folder of the schemas; by default the installed ones.")
]


@app.command()
def check(folder: FolderOption = None) -> None:
    """
    Check form, tags, examples, and compatibility with the previous version; exit 1 if one is wrong.

    Example: crisis-broker schemas check --dir schemas
    """
    from broker.codec.catalogue import find_problems

    root = _root(folder)
    failed = _report("well-formed and tagged", find_problems(root))
    if failed:
        raise typer.Exit(1)
    for title, find in _checks(root):
        failed |= _report(title, find())
    _say_who_else_looked()
    raise typer.Exit(1 if failed else 0)


@app.command()
def show(
    event: Annotated[
        str | None, typer.Argument(help="Event type; without it all are listed.")
    ] = None,
    folder: FolderOption = None,
) -> None:
    """
    List the leaves of an event, which are what agreements name; or list the events.

    Example: crisis-broker schemas show referral_made
    """
    from broker.codec.catalogue import load_catalogue

    catalogue = load_catalogue(folder)
    if event is None:
        for known in catalogue.events.values():
            typer.echo(f"{known.event_type:26} {len(known.leaves):4} leaves  {known.schema['doc']}")
    elif event not in catalogue.events:
        names = ", ".join(catalogue.events)
        raise typer.BadParameter(f"events are: {names}", param_hint="EVENT")
    else:
        for leaf in catalogue.event(event).leaves.values():
            _tell(leaf)


def _checks(root: Path) -> list[tuple[str, Callable[[], Problems]]]:
    from broker.codec import compatibility, compatibility_opinion, examples, schema_rules
    from broker.codec.catalogue import load_catalogue

    current, previous = load_catalogue(root), load_catalogue(root / "previous")
    checks: list[tuple[str, Callable[[], Problems]]] = [
        ("house rules", lambda: schema_rules.find_rule_breaks(current)),
        (
            "examples accepted and refused",
            lambda: examples.find_example_problems(current, root / "examples"),
        ),
        ("compatible with previous", lambda: compatibility.find_breaks(previous, current)),
    ]
    if compatibility_opinion.is_available():
        find = compatibility_opinion.find_disagreements
        checks.append(("compatible for Apache's avro", lambda: find(previous, current)))
    return checks


def _report(title: str, problems: Problems) -> bool:
    typer.echo(f"{'failed' if problems else 'ok':7} {title}")
    for place, rule in problems:
        typer.echo(f"        {rule} @ {place}")
    return bool(problems)


def _say_who_else_looked() -> None:
    from broker.codec import compatibility_opinion

    if not compatibility_opinion.is_available():
        typer.echo("skipped compatible for Apache's avro: package `avro` is not installed")


def _tell(leaf: "Leaf") -> None:
    # Not a table: a path that is folded into a column can be neither searched nor copied.
    tags = f"{leaf.sensitivity}, {leaf.presence}, group {leaf.group}, since {leaf.since}"
    typer.echo(f"{leaf.path}\n    {tags}\n    {leaf.doc}")


def _root(folder: Path | None) -> Path:
    from broker.resources import schemas_folder

    return folder or schemas_folder()
