"""`crisis-broker setup`: the secrets and folders an installation needs."""

from typing import Annotated

import typer
from rich.console import Console


def setup(
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only what was made.")] = False,
) -> None:
    """
    Make the state folder, the site secret and the sealing key; keep what is already there.

    Run it once per installation. Every machine of one site needs the same site secret: two intakes
    derive the same ids only with the same secret.

    Example: crisis-broker setup --quiet
    """
    from broker.runtime.installation import set_up
    from broker.runtime.settings import load_settings

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    paths = set_up(load_settings())
    for path, made in paths:
        if made or not quiet:
            console.print(f"{'made' if made else 'kept'}  {path}")
    if not quiet:
        console.print(
            "keep a copy of the secrets: all ids rest on them; next: crisis-broker doctor"
        )
