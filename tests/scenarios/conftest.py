"""Runs the demo as its users do, and reads what it says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 240


@dataclass(frozen=True)
class Run:
    """One finished run: exit code, summary, what it told on standard error, and its folder."""

    code: int
    summary: dict[str, Any]
    told: str
    folder: Path

    def referral(self, number: int) -> dict[str, Any]:
        """Return the referral of a scenario."""
        return next(each for each in self.summary["referrals"] if each["scenario"] == number)

    def views(self, number: int, recipient: str) -> list[dict[str, Any]]:
        """Return the views that a recipient got in a scenario."""
        wanted = (self.referral(number)["referral_id"], recipient)
        views = self.summary["views"]
        return [each for each in views if (each["referral_id"], each["recipient"]) == wanted]


def clean_environment() -> dict[str, str]:
    """Return our environment without a Kafka or Java that a test did not ask for."""
    ours = {"KAFKA_BOOTSTRAP_SERVERS", "FORCE_COLOR"}
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Play scenarios with `crisis-broker demo --once --json`."""

    def run(*arguments: str, bootstrap: str = "", **variables: str) -> Run:
        folder = tmp_path_factory.mktemp("demo")
        environment = clean_environment() | variables
        if bootstrap:
            environment["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap
        done = subprocess.run(
            [
                *(sys.executable, "-m", "broker.commands.main", "demo", "--once", "--json"),
                *("--keep", str(folder), *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env=environment,
        )
        summary = json.loads(done.stdout) if done.stdout else {}
        return Run(done.returncode, summary, done.stderr, folder)

    return run
