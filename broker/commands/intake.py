"""`crisis-broker intake`: what to do about intake's own store after something broke."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from broker.domain.dates import ASSUMED_ZONE
from broker.domain.errors import ConfigurationError

LONDON: Final = ZoneInfo(ASSUMED_ZONE)

app = typer.Typer(help="Hand over again what Kafka may have lost.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    # A group of one command stays a group, so that `intake again` is what people type.
    pass


@app.command("again")
def again(
    since: Annotated[
        str, typer.Option(help="Before Kafka lost anything; London time without an offset.")
    ],
) -> None:
    """
    Hand over again what Kafka took since a time and may have lost: after a power cut, or a lost disk.

    Release drops what it has on record already, so rather name a time too early than too late.

    First stop intake and release.

    If release logged that events are missing from Kafka, put its offsets back to what is there now,
    before anything is handed over, or release passes over it: kafka-consumer-groups.sh
    --bootstrap-server SERVERS --group NAMESPACE.release --topic NAMESPACE.events:PARTITIONS
    --reset-offsets --shift-by 0 --execute (the partitions that the log names, as 0,3,7).

    Then run this command, and start both.

    Example: crisis-broker intake again --since 2026-11-22T10:00
    """
    from broker.runtime.clock import utc_now
    from broker.runtime.outbox import outbox_file
    from broker.runtime.settings import load_settings

    settings = load_settings()
    path = outbox_file(settings.state_dir)
    if not path.is_file():
        raise ConfigurationError(f"intake has not run here: no such store @ {path.name}")
    instant = _instant(since)
    if instant > utc_now():
        raise typer.BadParameter("it lies in the future", param_hint="--since")
    kept = settings.intake.keep_after_handover
    if instant < utc_now() - kept:
        hours = int(kept.total_seconds()) // 3600
        typer.echo(f"what was handed over more than {hours} h ago is no longer here", err=True)
    count = asyncio.run(_hand_over_again(path, instant))
    typer.echo(f"{count} events will be handed over again once intake runs")


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            "a time is written like 2026-11-22T10:00", param_hint="--since"
        ) from error
    # London time is never behind UTC: whoever meant UTC gets an hour more, not an hour less.
    return found if found.tzinfo else found.replace(tzinfo=LONDON)


async def _hand_over_again(path: Path, since: datetime) -> int:
    from broker.runtime.outbox import Outbox

    try:
        outbox = Outbox(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; stop intake first") from error
    try:
        return await outbox.hand_over_again(since)
    finally:
        await outbox.aclose()
