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


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """One Kafka for the whole run: KAFKA_BOOTSTRAP_SERVERS, else one of our own."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="crisis-kafka-"))
    try:
        yield start_kafka(folder).bootstrap
    finally:
        local_kafka.down(folder)
        shutil.rmtree(folder)


@pytest.fixture
def namespace() -> str:
    """Topic namespace of this test alone."""
    return f"t-{secrets.token_hex(6)}"


def start_kafka(folder: Path) -> local_kafka.LocalKafka:
    """Start a Kafka; where there can be none, skip the test, but never in CI."""
    try:
        return local_kafka.up(folder)
    except ConfigurationError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no Kafka on this machine: {error}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--strict-skips`, which CI uses: there a test that did not run is a failure."""
    parser.addoption("--strict-skips", action="store_true", help="fail the run if a test was skipped")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn skips into a failed run where that was asked for."""
    if not session.config.getoption("--strict-skips"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
