"""Every listener: TLS by configuration, loopback without it, and one line when it cannot start."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.domain.errors import ConfigurationError
from broker.runtime.health import Health
from broker.runtime.settings import TlsSettings


def certificate(folder: Path, name: str = "ops") -> TlsSettings:
    """Make a certificate for this machine that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    began = datetime.now(UTC) - timedelta(minutes=5)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return TlsSettings(certificate_file=chain, key_file=private)


@asynccontextmanager
async def ops_port(tls: TlsSettings | None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve an ops port until the end of the block."""
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(Health("release").serve(host, 0, stop, started, tls=tls))
    done, _ = await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
    if serving in done:
        await serving
    try:
        yield started.result()
    finally:
        stop.set()
        await serving


async def test_the_ops_port_speaks_tls_with_a_certificate(tmp_path):
    """Whoever trusts the certificate scrapes over TLS, also on an address beyond loopback."""
    tls = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(tls.certificate_file))
    async with ops_port(tls, "0.0.0.0") as port, httpx.AsyncClient(verify=trust) as client:
        answer = await client.get(f"https://127.0.0.1:{port}/metrics")

    assert answer.status_code == 200
    assert "crisis_build_info" in answer.text


async def test_a_tls_ops_port_does_not_speak_plain_http(tmp_path):
    """With a certificate there is no second, open door."""
    async with ops_port(certificate(tmp_path)) as port, httpx.AsyncClient() as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{port}/healthz")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
async def test_without_a_certificate_nothing_listens_beyond_loopback(host):
    """A listener that others can reach has a certificate, or it does not start."""
    with pytest.raises(ConfigurationError, match="beyond loopback needs a certificate @"):
        async with ops_port(None, host):
            pytest.fail("it listens")


async def test_a_taken_port_is_one_line(tmp_path, capfd):
    """The error names address and reason, and the library says nothing besides."""
    async with ops_port(None) as port:
        with pytest.raises(ConfigurationError) as caught:
            await Health("intake").serve("127.0.0.1", port, asyncio.Event())

    assert str(caught.value) == f"cannot listen: address already in use @ 127.0.0.1:{port}"
    assert capfd.readouterr() == ("", "")


async def test_a_missing_certificate_is_one_line(tmp_path):
    """A file that is not there is named by its setting."""
    tls = TlsSettings(certificate_file=tmp_path / "no.pem", key_file=tmp_path / "no.key")

    with pytest.raises(ConfigurationError, match=r"No such file or directory @ tls\.certificate"):
        async with ops_port(tls):
            pytest.fail("it listens")


async def test_a_key_of_another_certificate_is_refused(tmp_path):
    """Certificate and key that do not belong together are said to be just that."""
    ours, theirs = certificate(tmp_path), certificate(tmp_path, "other")
    mixed = ours.model_copy(update={"key_file": theirs.key_file})

    with pytest.raises(
        ConfigurationError, match=r"MISMATCH @ tls\.certificate_file, tls\.key_file"
    ):
        async with ops_port(mixed):
            pytest.fail("it listens")
