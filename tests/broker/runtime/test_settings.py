"""Settings: what is wrong is named by place and rule, and no value is ever shown."""

from pathlib import Path

import pytest

from broker.domain.errors import ConfigurationError
from broker.runtime.settings import load_settings

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own installation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRISIS_CONFIG", raising=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'site_secret = "{SECRET}\n"', "not TOML at line 1, column 39 @ crisis-broker.toml"),
        ("partitions = [", "not TOML at end of document @ crisis-broker.toml"),
        ("partitons = 5", "extra inputs are not permitted @ partitons"),
        ("[intake]\nprot = 5", "extra inputs are not permitted @ intake.prot"),
        ("[intake]\nport = 65536", "less than or equal to 65535 @ intake.port"),
        (f'log_level = "{SECRET}"', "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
        ("[ops_tls]\nkey_file = 'a.key'", "field required @ ops_tls.certificate_file"),
    ],
)
def test_a_wrong_file_is_named_by_place_and_rule(text, said, tmp_path):
    """Whoever wrote it finds the line, and whoever reads the log finds no secret."""
    (tmp_path / "crisis-broker.toml").write_text(text, "utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert said.lower() in str(caught.value).lower()
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_file_must_exist(monkeypatch):
    """A file that was asked for and is not there is no reason to go on with defaults."""
    monkeypatch.setenv("CRISIS_CONFIG", "nowhere.toml")

    with pytest.raises(ConfigurationError, match="no such file @ CRISIS_CONFIG"):
        load_settings()


def test_a_variable_that_is_no_json_is_named(monkeypatch):
    """A whole table in one variable is JSON, or an error that names the field."""
    monkeypatch.setenv("CRISIS_INTAKE", SECRET)

    with pytest.raises(ConfigurationError, match="intake") as caught:
        load_settings()

    assert SECRET not in str(caught.value)


def test_the_environment_goes_above_the_file(tmp_path, monkeypatch):
    """An operator can overrule the file for one process."""
    (tmp_path / "crisis-broker.toml").write_text(
        'log_level = "warning"\n[intake]\nport = 1\n', "utf-8"
    )
    monkeypatch.setenv("CRISIS_INTAKE__PORT", "2")

    settings = load_settings()

    assert settings.intake.port == 2
    assert settings.log_level == "WARNING"
