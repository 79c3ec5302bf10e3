"""
Sets up a whole installation in a fresh folder: secrets, keys, agreements, configuration.

What stands there is what an operator would write; nothing is a special case of the demo but one
agreement, which gets an end date of yesterday (scenario 9).
"""

import os
import re
import secrets
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from broker.resources import deploy_folder
from broker.runtime import keys
from broker.runtime.clock import utc_now
from broker.runtime.installation import secrets_folder, set_up
from broker.runtime.settings import CONFIG_VARIABLE, Settings, load_settings
from broker.simulation.cast import FHIR, ROLES, Standin, usual_answers

LAPSED: Final = "eastmoor-police.northvale-mht.toml"
RATE_PER_MINUTE: Final = 60_000
"""A demo is no place for a limit that protects a site from one sender's fault."""

_DATES: Final = re.compile(r"^(valid_to|review_by) = \S+", re.MULTILINE)
_KEPT: Final = ("CRISIS_CACHE_DIR", "CRISIS_KAFKA__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """
    One installation, ready to be started.

    Attributes:
        folder: Everything it has on disk.
        config: Its settings file.
        settings: The same, read.
        keys: API key file by party.
        secret_files: Webhook secret file by party.
    """

    folder: Path
    config: Path
    settings: Settings
    keys: Mapping[str, Path]
    secret_files: Mapping[str, Path]

    @property
    def intake_url(self) -> str:
        """Return where referrals are sent to."""
        return f"http://{self.settings.intake.host}:{self.settings.intake.port}"

    @property
    def logs(self) -> Path:
        """Return the folder of log files."""
        return self.folder / "logs"

    def environment(self) -> dict[str, str]:
        """Return the environment of every process: ours, without settings of another one."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CRISIS_") or name.startswith(_KEPT)
        }
        return kept | {CONFIG_VARIABLE: str(self.config)}


def set_the_stage(folder: Path, *, bootstrap: str, namespace: str, partitions: int) -> Stage:
    """
    Make secrets, keys, agreements and settings in *folder*.

    Args:
        folder: Fresh, ours alone.
        bootstrap: Kafka, or empty for the memory of this process.
        namespace: Of the topics.
        partitions: Of each topic.
    """
    for name in ("logs", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = free_port()
    _copy_agreements(folder / "agreements", utc_now().date())
    config = folder / "crisis-broker.toml"
    config.write_text(_config(folder, bootstrap, namespace, partitions, port), "utf-8")
    settings = _settings(folder, bootstrap, namespace, partitions, port)
    set_up(settings)
    return Stage(
        folder=folder,
        config=config,
        settings=settings,
        keys={party: _issue(settings, party) for party in ROLES},
        secret_files={
            party: _make_secret(settings, party)
            for party, role in ROLES.items()
            if role.format != FHIR
        },
    )


def write_parties(stage: Stage, addresses: Mapping[str, str]) -> None:
    """Write where the systems of the parties with an address are."""
    tables = [_party(stage, party, addresses[party]) for party in ROLES if party in addresses]
    (stage.folder / "parties.toml").write_text("\n".join(tables), "utf-8")


def standin_config(stage: Stage, standin: Standin) -> dict[str, object]:
    """Return the configuration of one stand-in process."""
    teams = {party: _team(stage, party) for party in standin.parties if ROLES[party].format == FHIR}
    rooms = {
        party: {
            "key_file": str(stage.keys[party]),
            "secret_file": str(stage.secret_files[party]),
        }
        for party in standin.parties
        if party not in teams
    }
    return {
        "name": standin.name,
        "intake": stage.intake_url,
        "teams": teams,
        "control_rooms": rooms,
    }


def mappings_folder() -> Path:
    """Return the folder of mapping files."""
    return deploy_folder() / "mappings"


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _copy_agreements(folder: Path, today: date) -> None:
    shutil.copytree(deploy_folder() / "agreements", folder)
    lapsed = folder / LAPSED
    yesterday = today - timedelta(days=1)
    lapsed.write_text(_DATES.sub(rf"\1 = {yesterday}", lapsed.read_text("utf-8")), "utf-8")


def _config(folder: Path, bootstrap: str, namespace: str, partitions: int, port: int) -> str:
    return f"""\
# Made by `crisis-broker demo`. Everything in this installation is invented.
environment = "test"
namespace = "{namespace}"
partitions = {partitions}
state_dir = "{folder / "state"}"
agreements_dir = "{folder / "agreements"}"
mappings_dir = "{mappings_folder()}"
parties_file = "{folder / "parties.toml"}"
bootstrap_servers = "{bootstrap}"

[intake]
port = {port}
rate_per_minute = {RATE_PER_MINUTE}

[deliver]
intake_url = "http://127.0.0.1:{port}"
"""


def _settings(folder: Path, bootstrap: str, namespace: str, partitions: int, port: int) -> Settings:
    return load_settings(
        environment="test",
        namespace=namespace,
        partitions=partitions,
        state_dir=folder / "state",
        agreements_dir=folder / "agreements",
        mappings_dir=mappings_folder(),
        parties_file=folder / "parties.toml",
        bootstrap_servers=bootstrap,
        site_secret=None,
        site_secret_file=None,
        registry_url=None,
        intake={"port": port, "rate_per_minute": RATE_PER_MINUTE},
        deliver={"intake_url": f"http://127.0.0.1:{port}"},
        recipient=None,
    )


def _issue(settings: Settings, party: str) -> Path:
    key = keys.issue(settings.keys_file(), party, utc_now())
    return _write_secret(secrets_folder(settings) / f"{party}.key", key)


def _make_secret(settings: Settings, party: str) -> Path:
    return _write_secret(secrets_folder(settings) / f"{party}.webhook", secrets.token_urlsafe(32))


def _write_secret(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text, "utf-8")
    return path


def _party(stage: Stage, party: str, url: str) -> str:
    lines = [
        f"[{party}.deliver]",
        f'connector = "{ROLES[party].format}"',
        f'url = "{url}"',
        f'intake_key_file = "{stage.keys[party]}"',
    ]
    if party in stage.secret_files:
        lines += [f'secret_file = "{stage.secret_files[party]}"', 'key_id = "demo-1"']
        lines += _mappings(party)
    return "\n".join([*lines, ""])


def _mappings(party: str) -> list[str]:
    """Return the lines that name a force's mapping file, where this installation has one."""
    file = f"{party.removesuffix('-police')}_cad.toml"
    if not (mappings_folder() / file).is_file():
        return []
    return ["", f"[{party}.intake]", f'cad_mapping = "{file}"']


def _team(stage: Stage, party: str) -> dict[str, object]:
    role = ROLES[party]
    return {
        "team": role.name,
        "role": role.duty,
        "call_back": role.call_back,
        "key_file": str(stage.keys[party]),
        "usual": usual_answers(role),
    }
