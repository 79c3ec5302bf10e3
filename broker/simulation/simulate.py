"""
What `crisis-broker simulate` does: traffic at a rate, progress while it runs, a summary at the end.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from broker.domain.errors import ConfigurationError
from broker.runtime.http_client import HttpClient
from broker.runtime.settings import load_settings
from broker.simulation.load import Tally, as_cad, as_json, post_all
from broker.simulation.traffic import Document, referrals

KEY_VARIABLE: Final = "CRISIS_API_KEY"


def print_traffic(*, rate: float, for_s: float, seed: int) -> None:
    """Write the documents to standard output as JSON lines."""
    for document in _documents(rate, for_s, seed):
        sys.stdout.buffer.write(orjson.dumps(document) + b"\n")


def post_traffic(
    *, rate: float, for_s: float, seed: int, url: str, key_file: Path | None, as_export: bool
) -> bool:
    """
    Post traffic to *url* (empty: this installation's intake) and show how it went.

    Returns:
        Whether everything was accepted.

    Raises:
        ConfigurationError: There is no key, or it cannot be read.
    """
    console = Console(stderr=True, highlight=False)
    key = read_key(key_file)
    address = url or _own_intake()

    async def work() -> Tally:
        async with HttpClient(address, max_connections=256) as client:
            written = as_cad if as_export else as_json
            messages = (written(document) for document in _documents(rate, for_s, seed))
            return await post_all(client, key, messages, rate=rate, told=_tell(console))

    tally = asyncio.run(work())
    console.print(summary(tally))
    return tally.accepted == tally.posted


def read_key(path: Path | None) -> str:
    """Return the API key in *path*, or in the environment; raises ConfigurationError without."""
    if path is None:
        if key := os.environ.get(KEY_VARIABLE):
            return key.strip()
        raise ConfigurationError(
            f"no API key: make one with `crisis-broker keys issue midshire-police`, then give"
            f" --key-file or {KEY_VARIABLE}"
        )
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError("the API key cannot be read @ --key-file") from error


def summary(tally: Tally) -> Table:
    """Return what was accepted, what was not, and how long acceptance took."""
    table = Table("figure", "value", title="traffic", title_justify="left", min_width=44)
    table.add_row("posted", str(tally.posted))
    table.add_row("accepted", str(tally.accepted))
    for reason, count in sorted(tally.refused.items()):
        table.add_row(f"not accepted: {reason}", str(count))
    table.add_row("a second", f"{tally.posted / tally.elapsed_s:.1f}" if tally.elapsed_s else "-")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value = tally.percentile_ms(share)
        table.add_row(f"accept latency {name}", "-" if value is None else f"{value} ms")
    return table


def _documents(rate: float, for_s: float, seed: int) -> Iterator[Document]:
    begin = datetime.now(UTC).replace(microsecond=0)
    many = referrals(seed, begin=begin, every=timedelta(seconds=1 / rate))
    return islice(many, max(1, round(rate * for_s)))


def _own_intake() -> str:
    intake = load_settings().intake
    return f"{'https' if intake.tls else 'http'}://{intake.host}:{intake.port}"


def _tell(console: Console) -> Callable[[Tally], None]:
    def tell(tally: Tally) -> None:
        refused = sum(tally.refused.values())
        console.print(
            f"posted {tally.posted:>6}   accepted {tally.accepted:>6}   not accepted {refused:>4}"
            f"   p99 {tally.percentile_ms(0.99) or 0:>7} ms"
        )

    return tell
