"""
The ten scenarios as data: what is sent, who answers what, and who must see and never see what.

Each stands in a TOML file below ``scenarios/``. What the broker cannot play yet stands there too,
under ``coming``, and the demo says so.
"""

import json
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from broker.domain.errors import ConfigurationError
from broker.simulation import cad as cad_format
from broker.simulation.moments import LONDON, fill_in

FOLDER: Final = Path(__file__).parent / "scenarios"
SENDER: Final = "midshire-police"
"""Who refers where a scenario names nobody."""


class _Part(BaseModel):
    """A part of a scenario file; unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """
    What the sender does after the referral.

    Attributes:
        after: ``party event_type`` that must have happened before.
        routes: ``recipient purpose``; empty leaves it to intake (everybody who got the referral).
    """

    event: str
    after: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    body: dict[str, Any] = {}


class Answer(_Part):
    """What a recipient's people answer, in this order; what they leave out the stand-in fills in."""

    by: str
    event: str
    body: dict[str, Any] = {}


class PartyView(_Part):
    """Texts that must, and must never, reach a party."""

    id: str
    sees: tuple[str, ...] = ()
    never_sees: tuple[str, ...] = ()
    gets_nothing: bool = False


class Scenario(_Part):
    """
    One scenario.

    Attributes:
        shows: What a person should take away from it, in one sentence.
        sender: Who refers.
        urgency: Letter of the UK Mental Health Triage Scale.
        routes: ``recipient purpose``, as the sender ticked them.
        overdue: Whether every release must be marked as resting on an overdue agreement.
        kafka_down: Whether Kafka is stopped while it is sent.
        body: Of the canonical document; empty where it is sent as a CAD export.
        cad: Columns of the force's own CAD export; empty where it is sent as canonical JSON.
        coming: What is not there yet, by name.
    """

    number: int
    title: str
    shows: str
    sender: str = SENDER
    urgency: str
    routes: tuple[str, ...]
    overdue: bool = False
    kafka_down: bool = False
    body: dict[str, Any] = {}
    cad: dict[str, str] = {}
    step: tuple[Step, ...] = ()
    answer: tuple[Answer, ...] = ()
    party: tuple[PartyView, ...]
    coming: dict[str, str] = {}

    def reference(self, run: str) -> str:
        """Return the sender's own reference in one run."""
        return f"MP-{run}-{self.number:02d}"

    def answers_of(self, party: str) -> tuple[Answer, ...]:
        """Return what one recipient answers."""
        return tuple(answer for answer in self.answer if answer.by == party)

    def recipients(self) -> tuple[str, ...]:
        """Return whom the sender addressed."""
        return tuple(route.split()[0] for route in self.routes)

    def forbidden(self) -> frozenset[str]:
        """Return every text that some party must never see."""
        return frozenset(text for party in self.party for text in party.never_sees)

    def document(self, run: str, now: datetime) -> Mapping[str, Any]:
        """Return the referral as canonical JSON, at a given time."""
        return {
            "event_type": "referral_made",
            "reference": self.reference(run),
            "sequence": 1,
            "occurred_at": now.astimezone(LONDON).isoformat(timespec="seconds"),
            "environment": "test",
            "urgency": {"scheme": "ukmhts", "version": "1", "code": self.urgency},
            "routes": routes(self.routes),
            "body": fill_in(self.body, now),
        }

    def message(self, run: str, now: datetime) -> tuple[str, str, bytes]:
        """Return path, media type and bytes of the referral, in the format it is sent in."""
        if not self.cad:
            return "/v1/referrals", "application/json", json.dumps(self.document(run, now)).encode()
        row = {name: self._cell(text, run, now) for name, text in self.cad.items()}
        return cad_format.PATH, cad_format.MEDIA_TYPE, cad_format.export([row])

    def _cell(self, text: str, run: str, now: datetime) -> str:
        if text == "@reference":
            return self.reference(run)
        if not text.startswith("@"):
            return text
        return cad_format.local_time(datetime.fromisoformat(fill_in(text, now)))

    def step_document(self, step: Step, run: str, sequence: int, now: datetime) -> dict[str, Any]:
        """Return a later event of the sender as canonical JSON."""
        return {
            "event_type": step.event,
            "reference": self.reference(run),
            "sequence": sequence,
            "occurred_at": now.astimezone(LONDON).isoformat(timespec="seconds"),
            "environment": "test",
            "urgency": {"scheme": "ukmhts", "version": "1", "code": self.urgency},
            "routes": routes(step.routes),
            "body": fill_in(step.body, now),
        }


def routes(texts: tuple[str, ...]) -> list[dict[str, str]]:
    """Return routes as canonical JSON from ``recipient purpose``."""
    pairs = (text.split() for text in texts)
    return [{"recipient": recipient, "purpose": purpose} for recipient, purpose in pairs]


@cache
def load_scenarios(folder: Path = FOLDER) -> tuple[Scenario, ...]:
    """Read all scenarios in their order; raises ConfigurationError naming file, place and rule."""
    found = (_load(path) for path in folder.glob("*.toml"))
    return tuple(sorted(found, key=lambda scenario: scenario.number))


def _load(path: Path) -> Scenario:
    try:
        return Scenario.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot be read as TOML @ {path.name}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{problem['msg'].lower()} @ {'.'.join(map(str, problem['loc']))}"
            for problem in error.errors(include_input=False)
        )
        raise ConfigurationError(f"{path.name}: {wrong}") from error
