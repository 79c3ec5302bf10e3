"""A registry served by a process of its own, and an event to be decoded through it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.codec.canonical_json import read_body
from broker.codec.catalogue import load_catalogue

_SERVE = "from broker.commands.registry import app; app()"


@contextmanager
def served_registry(folder: Path) -> Iterator[str]:
    """Run `crisis-broker registry serve` on a free port; gives its address."""
    command = [sys.executable, "-c", _SERVE, "serve", "--port", "0", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            announced = process.stdout.readline()
            yield next(word for word in announced.split() if word.startswith("http"))
        finally:
            process.terminate()


def an_accepted_referral() -> dict[str, Any]:
    """A native `referral_accepted` event, Welsh letters and all."""
    body, _ = read_body(
        load_catalogue().event("referral_accepted"),
        {
            "acceptance": {
                "team": "Tîm Argyfwng Dyffryn y Gogledd",
                "from_when": "2026-11-22T14:12:00+00:00",
                "call_back_number": "01632 960141",
            }
        },
    )
    return {"envelope": _envelope(), **body}


def _envelope() -> dict[str, Any]:
    at = datetime(2026, 11, 22, 14, 12, tzinfo=UTC)
    return {
        "event_id": "0" * 32,
        "event_type": "referral_accepted",
        "referral_id": "1" * 32,
        "sequence": 2,
        "sender": "northvale-crisis",
        "occurred_at": {"utc": at, "offset": "+00:00"},
        "recorded_at": at,
        "environment": "test",
        "urgency": {
            "rank": "urgent",
            "scheme": "ukmhts",
            "version": "1",
            "code": "B",
            "target_minutes": 240,
        },
        "supersedes": None,
        "expires_at": None,
        "correlation_id": "1" * 32,
        "causation_id": None,
        "routes": [
            {
                "recipient": "midshire-police",
                "purpose": "police-outcome-feedback",
                "source": "reply",
                "reason": None,
            }
        ],
        "facts": [],
        "findings": [],
        "regime_at_source": "uk_gdpr",
        "content_digest": b"\x07" * 32,
        "hop_count": 0,
    }
