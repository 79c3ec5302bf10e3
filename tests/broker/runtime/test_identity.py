"""Every caller is a party of the agreements, or nobody."""

import asyncio
import base64
import datetime as dt
import hmac
import json
import ssl
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import JSONResponse
from typer.testing import CliRunner

from broker.commands.keys import app
from broker.domain.errors import ConfigurationError, TransportError
from broker.runtime import metrics
from broker.runtime.http_client import HttpAnswer
from broker.runtime.http_server import serve
from broker.runtime.identity import Authenticator, Reason
from broker.runtime.jwt import FRESH_S, LOOK_AGAIN_S, STALE_S, JwtVerifier
from broker.runtime.keys import KeyRing, issue, revoke
from broker.runtime.mtls import PeerCertificateProtocol, names_of, peer_names
from broker.runtime.problems import Code, ProblemError
from broker.runtime.settings import OauthSettings, TlsSettings

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
PARTIES = frozenset({"midshire-police", "northvale-crisis"})
OAUTH = OauthSettings(
    issuer="https://id.example.org",
    audience="crisis-broker",
    jwks_url="https://id.example.org/keys",
    clients={"client-1": "midshire-police", "client-2": "somebody-else"},
)


async def who(authenticator: Authenticator, authorization: str | None, *names: str) -> str | Reason:
    """Return the party, or the reason that was counted."""
    before = counted()
    try:
        return await authenticator.identify(authorization, frozenset(names))
    except ProblemError as error:
        assert error.problem.code is Code.UNAUTHENTICATED  # noqa: PT017
        assert not error.problem.errors  # noqa: PT017 - the caller is not told what was wrong
    (reason,) = [reason for reason, count in counted().items() if count != before[reason]]
    return reason


def counted() -> dict[Reason, float]:
    """Return how often each reason was counted."""
    return {reason: metrics.UNAUTHENTICATED.labels(reason)._value.get() for reason in Reason}


# API keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Where the keys of a test are."""
    return tmp_path / "secrets" / "keys.json"


def by_key(keys: Path) -> Authenticator:
    """Return an authenticator that knows keys only."""
    return Authenticator(parties=PARTIES, keys=KeyRing(keys), tokens=None, certificates={})


async def test_a_key_names_its_party(keys: Path) -> None:
    """Each key leads to the party it was issued to."""
    police, team = (issue(keys, party, NOW) for party in ("midshire-police", "northvale-crisis"))
    authenticator = by_key(keys)

    assert await who(authenticator, f"Bearer {police}") == "midshire-police"
    assert await who(authenticator, f"bearer {team}") == "northvale-crisis"


def test_a_key_is_256_random_bits_and_is_not_kept(keys: Path) -> None:
    """The file holds a hash, is readable by its owner only, and no two keys are alike."""
    issued = {issue(keys, "midshire-police", NOW) for _ in range(5)}

    assert len(issued) == 5
    assert all(len(key.split("_", 2)[2]) == 43 for key in issued)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert not any(key.split("_", 2)[2] in keys.read_text() for key in issued)


async def test_a_revoked_key_is_refused_at_once(keys: Path) -> None:
    """No restart is needed; the party's other keys go on."""
    first, second = (issue(keys, "midshire-police", NOW) for _ in range(2))
    authenticator = by_key(keys)
    before = await who(authenticator, f"Bearer {first}")
    revoke(keys, first.split("_")[1], NOW)

    assert before == "midshire-police"
    assert await who(authenticator, f"Bearer {first}") is Reason.REVOKED_KEY
    assert await who(authenticator, f"Bearer {second}") == "midshire-police"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda key: None, Reason.MISSING),
        (lambda key: key, Reason.MALFORMED),
        (lambda key: f"Basic {key}", Reason.MALFORMED),
        (lambda key: "Bearer ", Reason.MALFORMED),
        (lambda key: f"Bearer {'x' * 9000}", Reason.MALFORMED),
        (lambda key: f"Bearer {key}x", Reason.UNKNOWN_KEY),
        (lambda key: f"Bearer {key[:-1]}", Reason.UNKNOWN_KEY),
        (lambda key: f"Bearer {key[:-2]}{'aa' if key[-2:] != 'aa' else 'bb'}", Reason.UNKNOWN_KEY),
        (lambda key: "Bearer crk_00000000_" + "a" * 43, Reason.UNKNOWN_KEY),
        (lambda key: "Bearer some.other.token", Reason.NO_TOKENS),
    ],
)
async def test_whatever_is_not_a_key_is_nobody(
    keys: Path, change: Callable[[str], str | None], reason: Reason
) -> None:
    """Each way of being wrong is counted by its own reason."""
    key = issue(keys, "midshire-police", NOW)

    assert await who(by_key(keys), change(key)) is reason


async def test_a_key_of_a_party_without_agreement_is_nobody(keys: Path) -> None:
    """Keys alone open nothing: the agreements name the parties."""
    key = issue(keys, "stranger", NOW)

    assert await who(by_key(keys), f"Bearer {key}") is Reason.NO_PARTY


def test_a_key_file_that_others_can_read_is_refused(keys: Path) -> None:
    """Better no key than one that anybody could have copied or changed."""
    key = issue(keys, "midshire-police", NOW)
    keys.chmod(0o640)

    with pytest.raises(ConfigurationError, match="0600"):
        KeyRing(keys).find(key)


def test_a_broken_key_file_is_refused_not_overwritten(keys: Path) -> None:
    """Issuing a key must not throw the others away."""
    issue(keys, "midshire-police", NOW)
    keys.write_text("{")

    with pytest.raises(ConfigurationError, match="cannot be read"):
        issue(keys, "midshire-police", NOW)
    assert keys.read_text() == "{"


def test_keys_are_issued_listed_and_revoked_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is on standard output alone, so that it can be piped; the list never shows it."""
    monkeypatch.setenv("CRISIS_STATE_DIR", str(tmp_path))
    runner = CliRunner()
    issued = runner.invoke(app, ["issue", "midshire-police"])
    key = issued.stdout.strip()
    key_id = key.split("_")[1]
    revoked = runner.invoke(app, ["revoke", key_id])
    listed = runner.invoke(app, ["list"])

    assert [issued.exit_code, revoked.exit_code, listed.exit_code] == [0, 0, 0]
    assert KeyRing(tmp_path / "secrets" / "api-keys.json").find(key) is not None
    assert key_id in listed.stdout
    assert key.split("_", 2)[2] not in listed.stdout
    with pytest.raises(ConfigurationError, match="no key has this id"):
        runner.invoke(app, ["revoke", "00000000"], catch_exceptions=False)


# Tokens


class Issuer:
    """An issuer with real keys of every kind, and a clock of its own."""

    def __init__(self) -> None:
        self.private: dict[str, Any] = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
        self.algorithms = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}
        self.published = ["rsa", "ec", "ed"]
        self.extra: list[dict[str, Any]] = []
        self.looks = 0
        self.is_away = False
        self.now = 1_000_000.0

    async def exchange(self, method: str, path: str) -> HttpAnswer:
        """Return the published keys."""
        self.looks += 1
        if self.is_away:
            raise TransportError("server not reached")
        assert (method, path) == ("GET", "/keys")
        keys = [self.public(name) for name in self.published]
        return HttpAnswer(status=200, body=json.dumps({"keys": keys + self.extra}).encode())

    async def aclose(self) -> None:
        """Nothing to close."""

    def public(self, name: str) -> dict[str, Any]:
        """Return one public key as JWK."""
        algorithm = jwt.get_algorithm_by_name(self.algorithms[name])
        jwk: dict[str, Any] = json.loads(algorithm.to_jwk(self.private[name].public_key()))  # type: ignore[attr-defined]
        return {**jwk, "kid": name, "use": "sig", "alg": self.algorithms[name]}

    def token(self, name: str = "ec", **changes: Any) -> str:
        """Return a signed token; None removes a claim."""
        now = datetime.now(UTC)
        claims = {
            "iss": OAUTH.issuer,
            "aud": OAUTH.audience,
            "client_id": "client-1",
            "exp": now + dt.timedelta(minutes=5),
            **changes,
        }
        claims = {key: value for key, value in claims.items() if value is not None}
        return jwt.encode(claims, self.private[name], self.algorithms[name], headers={"kid": name})

    def verifier(self) -> JwtVerifier:
        """Return a verifier that asks this issuer."""
        return JwtVerifier(OAUTH, fetcher=self, clock=lambda: self.now)


@pytest.fixture(scope="module")
def issuer_keys() -> Issuer:
    """Make the keys once: RSA takes its time."""
    return Issuer()


@pytest.fixture
def issuer(issuer_keys: Issuer) -> Issuer:
    """One issuer as good as new."""
    fresh = Issuer.__new__(Issuer)
    fresh.__dict__ |= issuer_keys.__dict__ | {
        "published": ["rsa", "ec", "ed"], "extra": [], "looks": 0, "is_away": False,
        "now": 1_000_000.0,
    }  # fmt: skip
    return fresh


def by_token(issuer: Issuer, folder: Path) -> Authenticator:
    """Return an authenticator that knows tokens."""
    return Authenticator(
        parties=PARTIES,
        keys=KeyRing(folder / "none.json"),
        tokens=issuer.verifier(),
        certificates={},
    )


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed"])
async def test_a_token_of_every_allowed_kind_names_its_party(
    issuer: Issuer, tmp_path: Path, kind: str
) -> None:
    """RS256, ES256 and EdDSA."""
    token = issuer.token(kind)

    assert await who(by_token(issuer, tmp_path), f"Bearer {token}") == "midshire-police"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": datetime(2020, 1, 1, tzinfo=UTC)}, Reason.EXPIRED_TOKEN),
        ({"exp": None}, Reason.BAD_TOKEN),
        ({"nbf": datetime.now(UTC) + dt.timedelta(minutes=5)}, Reason.BAD_TOKEN),
        ({"iss": "https://other.example.org"}, Reason.BAD_TOKEN),
        ({"iss": None}, Reason.BAD_TOKEN),
        ({"aud": "other"}, Reason.BAD_TOKEN),
        ({"aud": None}, Reason.BAD_TOKEN),
        ({"client_id": "client-9"}, Reason.UNKNOWN_CLIENT),
        ({"client_id": None}, Reason.UNKNOWN_CLIENT),
        ({"client_id": ["client-1"]}, Reason.UNKNOWN_CLIENT),
        ({"client_id": "client-2"}, Reason.NO_PARTY),
        ({"client_id": None, "sub": "client-1"}, "midshire-police"),
        ({"aud": ["x", "crisis-broker"]}, "midshire-police"),
    ],
)
async def test_every_claim_counts(
    issuer: Issuer, tmp_path: Path, changes: dict[str, Any], reason: Reason | str
) -> None:
    """Expiry, start, issuer, audience and client are all required and compared."""
    token = issuer.token(**changes)

    assert await who(by_token(issuer, tmp_path), f"Bearer {token}") == reason


async def test_a_small_difference_of_clocks_is_forgiven(issuer: Issuer, tmp_path: Path) -> None:
    """Ten seconds past the end are not the end."""
    token = issuer.token(exp=datetime.now(UTC) - dt.timedelta(seconds=10))

    assert await who(by_token(issuer, tmp_path), f"Bearer {token}") == "midshire-police"


async def test_a_token_cannot_choose_how_it_is_verified(issuer: Issuer, tmp_path: Path) -> None:
    """No signature, a shared secret made of the public key, a foreign key: all nobody."""
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    pem = (
        issuer.private["rsa"]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    foreign = ec.generate_private_key(ec.SECP256R1())
    issuer.extra = [
        {
            "kty": "oct",
            "kid": "shared",
            "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXM",
            "alg": "HS256",
        }
    ]
    forged = [
        jwt.encode(claims, None, "none", headers={"kid": "ec"}),
        signed_with_secret(claims, pem, "rsa"),
        signed_with_secret(claims, b"secret-secret-secret-secret-s", "shared"),
        jwt.encode(claims, foreign, "ES256", headers={"kid": "ec"}),
        jwt.encode(claims, foreign, "ES256", headers={"kid": "rsa"}),
        jwt.encode(claims, foreign, "ES256"),
        "a.b.c",
        "....",
        "é",
    ]
    authenticator = by_token(issuer, tmp_path)

    assert {await who(authenticator, f"Bearer {token}") for token in forged} == {Reason.BAD_TOKEN}


def signed_with_secret(claims: dict[str, Any], secret: bytes, key_id: str) -> str:
    """Return a token signed as the library itself refuses to sign it."""
    head = json.dumps({"alg": "HS256", "typ": "JWT", "kid": key_id}).encode()
    parts = [head, json.dumps(claims).encode()]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
    return (signed + b"." + signature).decode()


async def test_keys_are_fetched_once_and_again_for_a_new_one(
    issuer: Issuer, tmp_path: Path
) -> None:
    """A new key id leads to a new look, but not to one for each request."""
    issuer.published = ["ec"]
    authenticator = by_token(issuer, tmp_path)
    for _ in range(3):
        await who(authenticator, f"Bearer {issuer.token('ec')}")
    first = issuer.looks
    unknown = [await who(authenticator, f"Bearer {issuer.token('ed')}") for _ in range(5)]
    issuer.published.append("ed")
    issuer.now += LOOK_AGAIN_S + 1
    known = await who(authenticator, f"Bearer {issuer.token('ed')}")

    assert first == 1
    assert set(unknown) == {Reason.BAD_TOKEN}
    assert (known, issuer.looks) == ("midshire-police", 2)


async def test_while_the_issuer_is_away_its_keys_go_on_for_a_day(
    issuer: Issuer, tmp_path: Path
) -> None:
    """An outage of the issuer does not stop referrals; after a day nobody can say any more."""
    authenticator = by_token(issuer, tmp_path)
    token = f"Bearer {issuer.token()}"
    await who(authenticator, token)
    issuer.is_away = True
    issuer.now += FRESH_S + 1
    later = await who(authenticator, token)
    issuer.now += STALE_S

    assert later == "midshire-police"
    with pytest.raises(TransportError):
        await who(authenticator, token)


async def test_a_revoked_key_of_the_issuer_is_dropped(issuer: Issuer, tmp_path: Path) -> None:
    """When the cache is renewed, what is not published any more is gone."""
    authenticator = by_token(issuer, tmp_path)
    token = f"Bearer {issuer.token('ec')}"
    before = await who(authenticator, token)
    issuer.published.remove("ec")
    issuer.now += FRESH_S + 1

    assert before == "midshire-police"
    assert await who(authenticator, token) is Reason.BAD_TOKEN


# Client certificates


class Authority:
    """A certificate authority for one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Invented authority")])
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(_pem(self._sign(self._name, self._key, None, is_ca=True)))

    def issue(self, name: str, *alternative: str) -> tuple[Path, Path]:
        """Return the files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName(each) for each in alternative]
        certificate = self._sign(subject, key, names, is_ca=False)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(_pem(certificate))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: list[x509.DNSName] | None,
        *,
        is_ca: bool,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@asynccontextmanager
async def listening(authority: Authority) -> AsyncIterator[str]:
    """Serve an app over TLS that tells which names it sees; yields its address."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        names = sorted(peer_names(Request(scope).scope))
        await JSONResponse(names)(scope, receive, send)

    certificate, key = authority.issue("localhost", "localhost")
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    tls = TlsSettings(certificate_file=certificate, key_file=key, client_ca_file=authority.ca_file)
    server = asyncio.create_task(
        serve(
            app,
            host="127.0.0.1",
            port=0,
            tls=tls,
            stop=stop,
            started=started,
            http=PeerCertificateProtocol,
        )
    )
    try:
        yield f"https://localhost:{await started}"
    finally:
        stop.set()
        await server


def client_of(authority: Authority, files: tuple[Path, Path] | None) -> httpx.AsyncClient:
    """Return a client that trusts the authority and shows a certificate."""
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    if files:
        context.load_cert_chain(*files)
    return httpx.AsyncClient(verify=context)


async def test_the_names_of_a_client_certificate_reach_the_app(tmp_path: Path) -> None:
    """Common name and alternative names, on every request of the connection."""
    authority = Authority(tmp_path)
    files = authority.issue("midshire-cad", "cad.midshire.example.org")
    async with listening(authority) as url, client_of(authority, files) as client:
        seen = [(await client.get(url)).json() for _ in range(2)]

    assert seen == [["cad.midshire.example.org", "midshire-cad"]] * 2


async def test_without_a_certificate_there_are_no_names(tmp_path: Path) -> None:
    """A caller may use a key instead."""
    authority = Authority(tmp_path)
    async with listening(authority) as url, client_of(authority, None) as client:
        assert (await client.get(url)).json() == []


async def test_a_certificate_of_another_authority_is_turned_away(tmp_path: Path) -> None:
    """TLS itself refuses it."""
    ours, theirs = Authority(tmp_path), Authority(tmp_path_of(tmp_path, "other"))
    files = theirs.issue("midshire-cad")
    async with listening(ours) as url, client_of(ours, files) as client:
        with pytest.raises(httpx.HTTPError):
            await client.get(url)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("midshire-cad",), "midshire-police"),
        (("midshire-cad", "unrelated"), "midshire-police"),
        (("unrelated",), Reason.UNKNOWN_CERTIFICATE),
        (("midshire-cad", "northvale-fhir"), Reason.DISAGREE),
        ((), Reason.MISSING),
    ],
)
async def test_names_lead_to_one_party_or_to_nobody(
    tmp_path: Path, names: tuple[str, ...], expected: str | Reason
) -> None:
    """A certificate that could be two parties is nobody's."""
    authenticator = with_certificates(tmp_path / "none.json")

    assert await who(authenticator, None, *names) == expected


async def test_key_and_certificate_must_agree(keys: Path) -> None:
    """Two proofs of two parties prove nothing."""
    key = f"Bearer {issue(keys, 'midshire-police', NOW)}"
    authenticator = with_certificates(keys)

    assert await who(authenticator, key, "midshire-cad") == "midshire-police"
    assert await who(authenticator, key, "unrelated") == "midshire-police"
    assert await who(authenticator, key, "northvale-fhir") is Reason.DISAGREE


def test_a_certificate_without_names_has_none() -> None:
    """Nothing is made up."""
    assert list(names_of({})) == []


def with_certificates(keys: Path) -> Authenticator:
    """Return an authenticator that knows two certificates."""
    certificates = {"midshire-cad": "midshire-police", "northvale-fhir": "northvale-crisis"}
    return Authenticator(
        parties=PARTIES, keys=KeyRing(keys), tokens=None, certificates=certificates
    )


def tmp_path_of(folder: Path, name: str) -> Path:
    """Make a folder beside."""
    (folder / name).mkdir()
    return folder / name
