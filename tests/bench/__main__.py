"""
`make bench`: every figure as a ratio within one run, as a table or as rows of JSON.

    make bench
    make bench ARGS="--json"
    make bench ARGS="--only projection"
"""

import argparse
import json
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

PARTS = ("projection", "release", "latency")


def main() -> None:
    """Run the parts and print what they measured; nothing here passes or fails a build."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print rows of figure, value, goal, met"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="leave out the others")
    options = parser.parse_args()
    rows = []
    for part in options.only or PARTS:
        print(f"measuring {part} ...", file=sys.stderr, flush=True)
        rows += import_module(f"tests.bench.bench_{part}").rows()
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        print()
        return
    table = Table("figure", "value", "goal", "met", title="bench")
    for row in rows:
        table.add_row(row["figure"], str(row["value"]), row["goal"], "yes" if row["met"] else "no")
    Console().print(table)


if __name__ == "__main__":
    main()
