"""Fixtures that every test may ask for."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.domain.errors import ConfigurationError
from broker.runtime import local_kafka
from broker.runtime.local_kafka import LocalKafka


@pytest.fixture(scope="session")
def shared_kafka() -> Iterator[LocalKafka]:
    """One Kafka of our own for the whole run; its second port asks who one is."""
    yield from _run_kafka(users=(*local_kafka.USERS, "deliver-north", "deliver-south"))


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> str:
    """Address of the Kafka to test against: KAFKA_BOOTSTRAP_SERVERS, else one of our own."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return given
    kafka: LocalKafka = request.getfixturevalue("shared_kafka")
    return kafka.bootstrap


@pytest.fixture
def own_kafka() -> Iterator[LocalKafka]:
    """A Kafka of this test alone, which it may kill, suspend and start again."""
    yield from _run_kafka(users=())


@pytest.fixture
def namespace() -> str:
    """Topic namespace of this test alone."""
    return f"t-{secrets.token_hex(6)}"


def _run_kafka(users: tuple[str, ...]) -> Iterator[LocalKafka]:
    folder = Path(tempfile.mkdtemp(prefix="crisis-kafka-"))
    try:
        yield _start_kafka(folder, users)
    finally:
        local_kafka.down(folder)
        shutil.rmtree(folder)


def _start_kafka(folder: Path, users: tuple[str, ...]) -> LocalKafka:
    try:
        return local_kafka.up(folder, authorizer=bool(users), users=users)
    except ConfigurationError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no Kafka on this machine: {error}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--strict-skips`, which CI uses: there a test that did not run is a failure."""
    parser.addoption(
        "--strict-skips", action="store_true", help="fail the run if a test was skipped"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn skips into a failed run where that was asked for."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--strict-skips") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
