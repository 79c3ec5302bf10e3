"""`crisis-broker setup`: the secrets and folders an installation needs."""

from typing import Annotated

import typer
from rich.console import Console


def setup(
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only what was made.")] = False,
    rotate_sealing_key: Annotated[
        bool, typer.Option("--rotate-sealing-key", help="Add a fresh key for payload at rest.")
    ] = False,
) -> None:
    """
    Make the state folder, the site secret and the sealing key; keep what is already there.

    Run it once per installation. Every machine of one site needs the same site secret: two intakes
    derive the same ids only with the same secret. After --rotate-sealing-key, restart every
    deliver: from then on the fresh key seals, and what older keys have sealed still opens.

    Example: crisis-broker setup --quiet
    """
    from broker.runtime.installation import sealing_key_file, set_up
    from broker.runtime.sealing import rotate_key_file
    from broker.runtime.settings import load_settings

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    settings = load_settings()
    paths = set_up(settings)
    if rotate_sealing_key:
        rotate_key_file(sealing_key_file(settings))
        console.print("a fresh sealing key was added; next: restart every deliver")
    for path, made in paths:
        if made or not quiet:
            console.print(f"{'made' if made else 'kept'}  {path}")
    if not quiet:
        console.print(
            "keep a copy of the secrets: all ids rest on them; next: crisis-broker doctor"
        )
