"""The example in each command's help, typed as it stands in one working installation."""

from pathlib import Path

import pytest

from tests.docs.command_lines import commands, documents, example_of, in_blocks
from tests.docs.site import Site

PARTIES = """
[northvale-crisis.deliver]
connector = "webhook"
url = "http://127.0.0.1:9/in"
secret_file = "signing.key"
"""
STAYS = {
    "up": ("intake takes messages", "releasing", "delivering"),
    "run": ("delivering",),
    "registry serve": ("schemas at http://127.0.0.1:",),
}
"""Commands that run until Ctrl-C, and what they say once they work."""

ELSEWHERE = {
    "simulate": "needs an intake: its own test",
    "demo": "an installation of its own: its own test",
}
ENDINGS = {
    "disclosures show": (1, "no disclosure of this referral is on record\n"),
    "intake again": (2, "error: intake has not run here: no such store @ outbox.db\n"),
}
"""Nobody was told anything about the referral of the example, and no intake has run in its site."""

EXAMPLES = {name: example_of(command) or "" for name, command in commands().items()}
ENDS = {name: text for name, text in EXAMPLES.items() if name not in STAYS | ELSEWHERE}
AGREEMENTS = Path("deploy") / "agreements" / "README.md"
SHOWN = [
    line.text for path in documents() for line in in_blocks(path) if line.place == str(AGREEMENTS)
]

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str) -> Site:
    """An installation that was set up, with topics, a party and a key."""
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder, kafka_bootstrap, f"t-{folder.stat().st_ino}")
    site.environment |= {"CRISIS_PARTIES_FILE": "parties.toml", "CRISIS_OPS_PORT": "0"}
    (folder / "parties.toml").write_text(PARTIES, "utf-8")
    (folder / "signing.key").write_text("invented", "utf-8")
    for line in ("setup", "kafka up", "keys issue midshire-police > police.key"):
        assert site.type(f"crisis-broker {line}").code == 0
    return site


@pytest.mark.parametrize("name", ENDS)
def test_an_example_does_what_it_says(name: str, site: Site) -> None:
    """It ends with the exit code that its help promises; what fails says why on standard error."""
    said = site.type(ENDS[name].replace("4dec0099", _key_id(site)))

    assert (said.code, said.out + said.err if said.code else "") == ENDINGS.get(name, (0, ""))


@pytest.mark.parametrize("name", STAYS)
def test_an_example_that_stays_stops_with_ctrl_c(name: str, site: Site) -> None:
    """It comes to where it works, and a Ctrl-C ends it with exit code 0."""
    with site.running(EXAMPLES[name], *STAYS[name]):
        pass


def test_traffic_reaches_a_running_intake(site: Site) -> None:
    """Everything that `simulate` posts is accepted by the intake of `up`."""
    site.type(EXAMPLES["keys issue"])
    with site.running(EXAMPLES["up"], *STAYS["up"]):
        said = site.type(EXAMPLES["simulate"])

    assert said.code == 0, said.err


def test_the_demo_ends_well(tmp_path: Path, kafka_bootstrap: str) -> None:
    """`demo --once` ends by itself, and all is well."""
    said = Site(tmp_path, kafka_bootstrap).type(EXAMPLES["demo"])

    assert (said.code, said.out[-2000:] if said.code else "") == (0, "")


@pytest.mark.parametrize("line", SHOWN)
def test_what_the_agreements_readme_shows_works(line: str, site: Site) -> None:
    """Governance staff copy these four lines."""
    said = site.type(line)

    assert (said.code, said.err) == (0, "")
    assert said.out


def _key_id(site: Site) -> str:
    key = (site.folder / "police.key").read_text("utf-8")
    return key.split("_")[1]
