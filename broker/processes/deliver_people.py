"""
Between a recipient's deliver and the people who must step in.

The inbox belongs to one process, so a person's decision reaches it as a file: one JSON object in
the folder `decisions` beside it. What waits for a person stands in `waiting.json`: ids, codes and
times, nothing about anybody.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from broker.domain.errors import TransportError
from broker.runtime import metrics
from broker.runtime.clock import Clock
from broker.runtime.inbox import Inbox
from broker.runtime.inbox_rows import Parked
from broker.runtime.settings import Settings
from broker.runtime.waiting import wait_or_stop

log = structlog.get_logger()

LOOK_EVERY_S: Final = 2.0
RESOLVE: Final = "resolve"
REOPEN: Final = "reopen"
WAITING: Final = "waiting.json"
DECISIONS: Final = "decisions"


def deliver_folder(settings: Settings, recipient: str) -> Path:
    """Return the folder of a recipient's inbox, of what waits for a person, and of decisions."""
    return settings.state_dir / "deliver" / recipient


async def call_a_person(recipient: str, parked: Parked) -> None:
    """Call a person: a line that names the referral, and a count that alerts are made of."""
    metrics.PAGES.labels(recipient, parked.reason).inc()
    log.error(
        "view needs a person: phone the recipient",
        code=parked.reason,
        rank=parked.rank,
        recipient=recipient,
        purpose=parked.purpose,
        event_type=parked.event_type,
        referral_id=parked.referral_id,
        request_id=parked.request_id,
    )


def decide(folder: Path, action: str, subject: str, role: str) -> None:
    """
    Leave a decision for the process that has the inbox; it takes it within seconds.

    Args:
        folder: See `deliver_folder`.
        action: `RESOLVE` a parked view, or `REOPEN` a closed lane.
        subject: Request id of the view, or purpose of the lane.
        role: Role of whoever decides, never a name.
    """
    decisions = folder / DECISIONS
    decision = {"action": action, "subject": subject, "role": role}
    _write_whole(decisions / f"{secrets.token_hex(8)}.json", decision)


def waiting(folder: Path) -> Mapping[str, Any]:
    """Return what waited for a person when the process last looked; nothing if it never ran."""
    try:
        found: Mapping[str, Any] = json.loads((folder / WAITING).read_bytes())
    except (OSError, ValueError):
        return {"as_of": None, "views": [], "closed_lanes": {}}
    return found


class People:
    """Takes decisions and keeps the list, until told to stop."""

    def __init__(
        self, *, folder: Path, inbox: Inbox, clock: Clock, decided: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._inbox = inbox
        self._clock = clock
        self._decided = decided

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the folder again and again until *stop*."""
        while not stop.is_set():
            try:
                await self.step()
            except (OSError, TransportError) as error:
                log.error("decisions cannot be taken", error=type(error).__name__)
            await wait_or_stop(stop, LOOK_EVERY_S)

    async def step(self) -> None:
        """Apply every decision that lies there, then write down what still waits."""
        for path in await asyncio.to_thread(_files, self._folder / DECISIONS):
            applied = await self._apply(await asyncio.to_thread(_read, path))
            path.rename(path.with_suffix(".done" if applied else ".refused"))
            log.info("decision taken" if applied else "decision refused", name=path.stem)
        await asyncio.to_thread(_write_whole, self._folder / WAITING, await self._list())

    async def _apply(self, decision: Mapping[str, Any]) -> bool:
        action, subject, role = (str(decision.get(k, "")) for k in ("action", "subject", "role"))
        if action == RESOLVE and role:
            applied = await self._inbox.pages.resolve(subject, role, self._clock())
        elif action == REOPEN and role and subject in await self._inbox.lanes.all():
            await self._inbox.lanes.reopen(subject)
            applied = True
        else:
            applied = False
        if applied:
            self._decided()
        return applied

    async def _list(self) -> dict[str, Any]:
        views = [
            {
                "request_id": parked.request_id,
                "referral_id": parked.referral_id,
                "purpose": parked.purpose,
                "event_type": parked.event_type,
                "rank": parked.rank,
                "reason": parked.reason,
                "accepted_at": parked.accepted_at.isoformat(),
            }
            for parked in await self._inbox.pages.all()
        ]
        lanes = await self._inbox.lanes.all()
        return {"as_of": self._clock().isoformat(), "views": views, "closed_lanes": lanes}


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_whole(path: Path, content: Mapping[str, Any]) -> None:
    # Written beside and renamed: a reader never sees half a file.
    beside = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside.touch(0o600)
    beside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    beside.replace(path)
