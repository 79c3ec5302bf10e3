"""The README, typed line by line by somebody who has just cloned the project."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from broker.processes.checkup_parties import endpoint_faults
from broker.runtime.parties import load_parties
from broker.runtime.settings import load_settings
from tests.docs.command_lines import ROOT, blocks, commands, documents, lines_of
from tests.docs.site import Site

README = (ROOT / "README.md").read_text("utf-8")
OWN_SITE = README.split("## Run a site of your own")[1].split("\n## ")[0]
SETTINGS, PARTIES = blocks(OWN_SITE, "toml")
NOT_TYPED = {
    "make setup": "it made the environment that this test runs in",
    "make demo": "`crisis-broker demo --once` is typed by test_examples.py",
    "make test": "it is what is running",
}


@pytest.fixture
def site(tmp_path: Path, kafka_bootstrap: str, namespace: str) -> Site:
    """A fresh clone and a Kafka."""
    return Site(tmp_path, kafka_bootstrap, namespace)


@pytest.mark.kafka
def test_a_site_of_ones_own_comes_up_and_takes_a_referral(site: Site) -> None:
    """The two blocks work as printed: set up, check, run, post, and see who was told what."""
    setting_up, using = (lines_of(block) for block in blocks(OWN_SITE, "sh"))
    *before, up = [line for line in setting_up if line not in NOT_TYPED]
    post, show = using

    for line in before:
        said = site.type(line)
        assert (line, said.code, said.err if said.code else "") == (line, 0, "")
    with site.running(up, "intake takes messages", "releasing"):
        answer = json.loads(site.type(f"{post} --silent --show-error").out)
        told = show.replace("REFERRAL_ID", answer["referral_id"])
        while not (disclosed := site.type(told).out):
            pass  # released within a moment, and `running` has a bound

    assert answer["event_type"] == "referral_made"
    assert "referral_made to northvale-crisis for crisis-response: released" in disclosed


def test_the_settings_it_shows_are_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name in the example exists, and takes the value that is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRISIS_CONFIG", raising=False)
    (tmp_path / "crisis-broker.toml").write_text(SETTINGS, "utf-8")

    settings = load_settings()

    assert settings.ops_tls == settings.intake.tls
    assert settings.deliver.intake_url == tomllib.loads(SETTINGS)["deliver"]["intake_url"]


def test_the_parties_it_shows_can_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wrong with the endpoints once the secrets they name are there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parties.toml").write_text(PARTIES, "utf-8")
    for name in re.findall(r'_file = "([^"]+)"', PARTIES):
        (tmp_path / name).write_text("invented", "utf-8")

    parties = load_parties(Path("parties.toml"))

    assert len(parties.recipients()) == 2
    for party in parties.recipients():
        assert list(endpoint_faults(party, parties.deliver_to(party))) == []


def test_no_line_is_left_out() -> None:
    """Every line of every `sh` block in every document is typed here, or says why not."""
    typed = [line for block in blocks(OWN_SITE, "sh") for line in lines_of(block)]
    shown = [
        line
        for path in documents()
        for block in blocks(path.read_text("utf-8"), "sh")
        for line in lines_of(block)
    ]

    assert set(shown) - set(typed) - NOT_TYPED.keys() == set()


def test_every_variable_that_is_named_exists() -> None:
    """A `CRISIS_*` variable in a document is one that somebody reads."""
    from broker.runtime.settings import CONFIG_VARIABLE, Settings
    from broker.simulation.simulate import KEY_VARIABLE

    known = {CONFIG_VARIABLE, KEY_VARIABLE, "CRISIS_CACHE_DIR"}
    known |= {f"CRISIS_{name.upper()}" for name in Settings.model_fields}
    named = {
        (path.name, found.split("__")[0])
        for path in documents()
        for found in re.findall(r"\bCRISIS_[A-Z_]*[A-Z]", path.read_text("utf-8"))
    }

    assert named
    assert {name for _, name in named} - known == set()


def test_the_changelog_says_which_commands_there_are() -> None:
    """Whoever upgrades reads of every command."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    unreleased = changelog.split("## Unreleased")[1]
    groups = {name.split()[0] for name in commands()}

    assert {name for name in groups if not re.search(rf"\b{name}\b", unreleased)} == set()
