"""
What can be wrong with an installation, each with its fix.

A check returns what it found; it never raises, and never shows a secret.
"""

import asyncio
import logging
import shutil
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import BrokerError
from broker.processes.checkup_parties import endpoint_faults
from broker.runtime.installation import sealing_key_file
from broker.runtime.kafka_admin import difference, is_serving
from broker.runtime.open_log import kafka_security
from broker.runtime.parties import load_parties
from broker.runtime.settings import Settings, TlsSettings, load_settings

CODECS = ("gzip", "snappy", "lz4", "zstd")
SOON_DAYS = 30


class Status(StrEnum):
    """How a check ended."""

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One check's result, and what to do about it."""

    name: str
    status: Status
    found: str
    fix: str = ""


def check_all(*, offline: bool) -> list[Result]:
    """Run every check; a setting that cannot be read ends the list, since the rest rests on it."""
    try:
        settings = load_settings()
    except BrokerError as error:
        fix = "correct the CRISIS_* variable or crisis-broker.toml"
        return [Result(name="settings", status=Status.WRONG, found=str(error), fix=fix)]
    results = [Result(name="settings", status=Status.FINE, found=settings.environment)]
    checks: list[Callable[[Settings], Iterator[Result]]] = [
        _secrets,
        _agreements,
        _endpoints,
        _listener,
        _codecs,
        _loggers,
        _tools,
    ]
    if not offline:
        checks.append(_kafka)
    for check in checks:
        results += check(settings)
    return results


def _secrets(settings: Settings) -> Iterator[Result]:
    try:
        settings.secret()
        yield Result(name="site secret", status=Status.FINE, found="readable")
    except BrokerError as error:
        yield Result(
            name="site secret", status=Status.WRONG, found=str(error), fix="crisis-broker setup"
        )
    for path in (sealing_key_file(settings), settings.state_dir / "secrets" / "site.key"):
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Result(
                name=path.name,
                status=Status.WRONG,
                found="others may read it",
                fix=f"chmod 600 {path}",
            )


def _agreements(settings: Settings) -> Iterator[Result]:
    try:
        book = load_book(settings.agreements_dir, load_catalogue(settings.schemas_dir))
    except BrokerError as error:
        yield Result(
            name="agreements",
            status=Status.WRONG,
            found=str(error),
            fix="crisis-broker agreements check",
        )
        return
    yield Result(name="agreements", status=Status.FINE, found=f"{len(book.lanes())} lanes")
    for agreement_id, days in sorted(book.overdue(datetime.now(UTC).date()).items()):
        yield Result(
            name=f"agreement {agreement_id}",
            status=Status.WARNING,
            found=f"{days} days overdue",
            fix="it goes on as signed; have it reviewed and signed again",
        )


def _endpoints(settings: Settings) -> Iterator[Result]:
    try:
        parties = load_parties(settings.parties_file)
    except BrokerError as error:
        yield Result(
            name="parties", status=Status.WRONG, found=str(error), fix="correct parties_file"
        )
        return
    found = parties.recipients()
    for party in found:
        for fault in endpoint_faults(party, parties.deliver_to(party)):
            yield Result(
                name="parties", status=Status.WRONG, found=fault, fix="correct parties_file"
            )
    status = Status.FINE if found else Status.WARNING
    yield Result(
        name="parties",
        status=status,
        found=f"{len(found)} recipients have an endpoint",
        fix="" if found else "set parties_file: nothing can be delivered without it",
    )


def _listener(settings: Settings) -> Iterator[Result]:
    tls: TlsSettings | None = settings.intake.tls
    if tls is None:
        yield Result(
            name="intake TLS",
            status=Status.WARNING,
            found="none: loopback only",
            fix="set intake.tls",
        )
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            tls.certificate_file, tls.key_file
        )
    except (OSError, ssl.SSLError):
        yield Result(
            name="intake TLS",
            status=Status.WRONG,
            found="certificate and key do not fit",
            fix="correct intake.tls",
        )
        return
    days = _days_left(tls.certificate_file)
    status = Status.WRONG if days < 0 else Status.WARNING if days < SOON_DAYS else Status.FINE
    yield Result(
        name="intake TLS",
        status=status,
        found=f"{days} days left",
        fix="" if days >= SOON_DAYS else "renew the certificate",
    )


def _days_left(certificate: Path) -> int:
    from cryptography.x509 import load_pem_x509_certificate

    ends = load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return (ends - datetime.now(UTC)).days


def _codecs(_settings: Settings) -> Iterator[Result]:
    # A codec that is missing shows only when a record that uses it arrives.
    from aiokafka import codec

    missing = [name for name in CODECS if not getattr(codec, f"has_{name}")()]
    yield Result(
        name="Kafka codecs",
        status=Status.WRONG if missing else Status.FINE,
        found=f"missing: {', '.join(missing)}" if missing else "all there",
        fix="pip install cramjam" if missing else "",
    )


def _loggers(_settings: Settings) -> Iterator[Result]:
    quiet = logging.getLogger("aiokafka").getEffectiveLevel() >= logging.INFO
    yield Result(
        name="aiokafka log level",
        status=Status.FINE if quiet else Status.WRONG,
        found="INFO or above" if quiet else "DEBUG holds payloads",
        fix="" if quiet else "raise it to INFO",
    )


def _tools(settings: Settings) -> Iterator[Result]:
    if settings.bootstrap_servers:
        return
    java = shutil.which("java")
    found = "missing"
    if java:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - the path is what `which` found
        found = answer.stderr.split("\n")[0]
    yield Result(
        name="java",
        status=Status.FINE if java else Status.WARNING,
        found=found,
        fix="" if java else "apt-get install openjdk-17-jre-headless (only for a Kafka of our own)",
    )


def _kafka(settings: Settings) -> Iterator[Result]:
    try:
        bootstrap = settings.bootstrap()
        serving = asyncio.run(is_serving(bootstrap, 5.0, kafka_security(settings)))
    except BrokerError as error:
        yield Result(
            name="Kafka", status=Status.WRONG, found=str(error), fix="crisis-broker kafka up"
        )
        return
    if not serving:
        yield Result(
            name="Kafka",
            status=Status.WRONG,
            found=f"does not answer @ {bootstrap}",
            fix="crisis-broker kafka up, or correct KAFKA_BOOTSTRAP_SERVERS",
        )
        return
    yield Result(name="Kafka", status=Status.FINE, found="answers")
    yield from _topics(settings, bootstrap)


def _topics(settings: Settings, bootstrap: str) -> Iterator[Result]:
    from broker.processes.provisioning import topic_plan

    try:
        book = load_book(settings.agreements_dir, load_catalogue(settings.schemas_dir))
        changes = asyncio.run(
            difference(bootstrap, topic_plan(settings, book), kafka_security(settings))
        )
    except BrokerError as error:
        yield Result(
            name="topics", status=Status.WRONG, found=str(error), fix="crisis-broker topics plan"
        )
        return
    status = Status.WRONG if changes else Status.FINE
    yield Result(
        name="topics",
        status=status,
        found=f"{len(changes)} differ from the plan" if changes else "as planned",
        fix="crisis-broker topics apply" if changes else "",
    )
