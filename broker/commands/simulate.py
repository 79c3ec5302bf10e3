"""`crisis-broker simulate`: invented control-room traffic against a running intake."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    rate: Annotated[float, typer.Option(help="Referrals a second.", min=0.01)] = 5.0,
    for_s: Annotated[float, typer.Option("--for", help="Seconds.", metavar="S", min=0.1)] = 30.0,
    seed: Annotated[int, typer.Option(help="The same seed invents the same people.")] = 1,
    to: Annotated[str, typer.Option(help="Address of intake.", metavar="URL")] = "",
    key_file: Annotated[
        Path | None,
        typer.Option(help="File with the API key of midshire-police; else CRISIS_API_KEY."),
    ] = None,
    cad: Annotated[
        bool, typer.Option("--cad", help="As the force's CAD export, by its mapping file.")
    ] = False,
    print_only: Annotated[
        bool, typer.Option("--print", help="Write the documents as JSON lines; post nothing.")
    ] = False,
) -> None:
    """
    Post invented, realistic control-room traffic to intake at a steady rate.

    Nobody in it exists. The rate is kept whether intake answers or not; at the end stands what was
    accepted and refused, and how long acceptance took. Exit 1 if anything was not accepted.

    Example: crisis-broker simulate --rate 20 --for 5 --key-file police.key
    """
    from broker.simulation.simulate import post_traffic, print_traffic

    if print_only:
        print_traffic(rate=rate, for_s=for_s, seed=seed)
    elif not post_traffic(
        rate=rate, for_s=for_s, seed=seed, url=to, key_file=key_file, as_export=cad
    ):
        raise typer.Exit(1)
