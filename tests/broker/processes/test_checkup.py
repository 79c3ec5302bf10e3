"""`crisis-broker doctor`: each thing that is wrong is found, with its fix, and no secret shown."""

from pathlib import Path

import pytest

from broker.processes.checkup import Status, check_all
from broker.runtime.installation import set_up
from broker.runtime.settings import load_settings

SECRET = "not to be seen by anybody"
WEBHOOK = """
[northvale-crisis.deliver]
connector = "webhook"
url = "https://crisis.northvale.example.org/in"
secret_file = "signing.key"
"""


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation in which nothing is wrong, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("CRISIS_PARTIES_FILE", "parties.toml")
    (tmp_path / "parties.toml").write_text(WEBHOOK, "utf-8")
    (tmp_path / "signing.key").write_text(SECRET, "utf-8")
    set_up(load_settings())
    return tmp_path


def wrong() -> dict[str, str]:
    """What is wrong, and its fix."""
    found = [each for each in check_all(offline=True) if each.status is Status.WRONG]
    assert SECRET not in str(found)
    return {each.found: each.fix for each in found}


def test_a_whole_installation_has_nothing_wrong():
    """What `setup` made and a fitting parties file are enough."""
    assert wrong() == {}


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('"webhook"', '"canonical_json"', "there are fhir_r4_bars, webhook"),
        ('"webhook"', '"telex"', "@ northvale-crisis.deliver.connector"),
        ('"https://crisis', '"crisis', "not an http or https address"),
        ("signing.key", "nothing.key", "@ northvale-crisis.deliver.secret_file"),
        ("url =", "uri =", "parties.toml: field required @ northvale-crisis.deliver.url"),
        ("[", "[[", "cannot be read as TOML @ parties.toml"),
    ],
)
def test_an_endpoint_that_cannot_work_is_wrong(before, after, fault, installation):
    """A typing error in the parties file is found before the first referral is."""
    (installation / "parties.toml").write_text(WEBHOOK.replace(before, after), "utf-8")

    (found,) = wrong().items()

    assert fault in found[0]
    assert found[1] == "correct parties_file"


def test_an_empty_secret_is_wrong(installation):
    """A signature with nothing is no signature."""
    (installation / "signing.key").write_text("\n", "utf-8")

    assert list(wrong()) == ["secret file is empty @ northvale-crisis.deliver.secret_file"]


def test_an_endpoint_without_signature_or_tls_is_wrong(installation):
    """What deliver would refuse at its start is found before."""
    parties = installation / "parties.toml"
    unsigned = WEBHOOK.replace('secret_file = "signing.key"\n', "").replace("https:", "http:")
    parties.write_text(unsigned, "utf-8")

    assert list(wrong()) == [
        "this connector signs and needs a secret @ northvale-crisis.deliver.secret_file",
        "TLS is needed beyond loopback @ northvale-crisis.deliver.url",
    ]


def test_a_missing_site_secret_names_the_command(installation):
    """The fix is a command to be copied."""
    (installation / "var" / "secrets" / "site.key").unlink()

    assert "crisis-broker setup" in wrong().values()


def test_a_secret_that_others_may_read_is_wrong(installation):
    """The mode of a key file counts, not only that it is there."""
    key = installation / "var" / "secrets" / "site.key"
    key.chmod(0o644)

    assert wrong() == {"others may read it": "chmod 600 var/secrets/site.key"}


def test_settings_that_cannot_be_read_are_the_only_finding(monkeypatch):
    """Everything else rests on them."""
    monkeypatch.setenv("CRISIS_PARTITIONS", "many")

    (found,) = wrong()

    assert found.endswith("@ partitions")


def test_a_kafka_that_is_away_is_named_by_its_address(monkeypatch):
    """Whoever reads it knows where nobody answered."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")

    found = [each.found for each in check_all(offline=False) if each.name == "Kafka"]

    assert found == ["does not answer @ 127.0.0.1:1"]
