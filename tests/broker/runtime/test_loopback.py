"""What leaves this machine goes by TLS or not at all: HTTP and Kafka alike."""

import pytest

from broker.domain.errors import ConfigurationError
from broker.runtime.http_client import HttpClient
from broker.runtime.jwt import JwtVerifier
from broker.runtime.open_log import kafka_security
from broker.runtime.registry import open_registry
from broker.runtime.settings import KafkaSecuritySettings, OauthSettings, Settings

ELSEWHERE = ["http://crisis.example.org/in", "HTTP://192.0.2.7:80", "http://[2001:db8::1]/x"]
HERE = ["http://127.0.0.1:8443", "http://localhost/in", "http://[::1]:80", "http://127.8.9.1"]
TLS_NEEDED = "TLS is needed beyond loopback @ "


@pytest.mark.parametrize("url", ELSEWHERE)
def test_plain_http_beyond_this_machine_is_refused_at_the_start(url: str) -> None:
    """A referral never passes a network in the clear; the message names the setting, not the value."""
    with pytest.raises(ConfigurationError, match=f"^{TLS_NEEDED}a.setting$"):
        HttpClient(url, place="a.setting")


@pytest.mark.parametrize("url", [*HERE, "https://crisis.example.org/in", "HTTPS://192.0.2.7"])
async def test_plain_http_on_this_machine_and_https_anywhere_are_fine(url: str) -> None:
    """Nothing is connected yet."""
    await HttpClient(url).aclose()


@pytest.mark.parametrize(
    "url", ["", "crisis.example.org", "ftp://127.0.0.1/", "http://[::1", "//x"]
)
def test_what_is_no_address_is_refused_at_the_start(url: str) -> None:
    """Not at the first referral."""
    with pytest.raises(ConfigurationError, match="not an http or https address @ url"):
        HttpClient(url)


def test_the_issuer_of_tokens_and_the_registry_are_held_to_it_too() -> None:
    """Keys that somebody on the way may change are no keys."""
    oauth = OauthSettings(
        issuer="https://id.example.org",
        audience="crisis",
        jwks_url="http://id.example.org/keys",
        clients={},
    )

    with pytest.raises(ConfigurationError, match=f"{TLS_NEEDED}intake.oauth.jwks_url"):
        JwtVerifier(oauth)
    with pytest.raises(ConfigurationError, match=f"{TLS_NEEDED}registry_url"):
        open_registry(Settings(registry_url="http://registry.example.org"))


@pytest.mark.parametrize(
    ("bootstrap", "is_fine"),
    [
        ("127.0.0.1:9092", True),
        ("localhost:9092, [::1]:9093", True),
        ("kafka.example.org:9092", False),
        ("127.0.0.1:9092,192.0.2.7:9092", False),
    ],
)
def test_kafka_without_tls_is_for_this_machine(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch, *, is_fine: bool
) -> None:
    """Every server of the list counts, and SASL alone encrypts nothing."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    sasl = KafkaSecuritySettings(
        sasl_mechanism="SCRAM-SHA-512", sasl_username="release", sasl_password="of nobody"
    )
    for kafka in (KafkaSecuritySettings(), sasl):
        settings = Settings(bootstrap_servers=bootstrap, kafka=kafka)
        if is_fine:
            assert kafka_security(settings).ssl_context is None
        else:
            with pytest.raises(ConfigurationError, match=TLS_NEEDED):
                kafka_security(settings)


def test_a_kafka_behind_an_encrypted_network_of_its_own_may_be_called() -> None:
    """Somebody must say so."""
    stated = KafkaSecuritySettings(plaintext_beyond_loopback=True)

    found = kafka_security(Settings(bootstrap_servers="kafka.example.org:9092", kafka=stated))

    assert found.ssl_context is None
