"""`crisis-broker setup`: what is made stays, and a key is added only when asked for."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.commands.main import app
from broker.runtime.sealing import load_key_file


def set_up(*options: str) -> str:
    """Run the command; it must succeed."""
    done = CliRunner().invoke(app, ["setup", *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_fresh_sealing_key_joins_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing sealed before becomes unreadable; a run without the option changes nothing."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "var" / "secrets" / "sealing.key"
    set_up()
    old = load_key_file(path)

    said = set_up("--rotate-sealing-key")
    both = load_key_file(path)
    set_up()

    assert "restart every deliver" in said
    assert old.keys.items() < both.keys.items()
    assert both.current not in old.keys
    assert load_key_file(path) == both
