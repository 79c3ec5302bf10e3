"""Installations for the tests that break things."""

import logging
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.installation import Installation, installation

# Reading all topics again and again writes thousands of lines that bury a failure's own.
logging.getLogger("aiokafka").setLevel(logging.WARNING)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(
    kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """One installation for all tests of a module, with all its processes up at the beginning."""
    folder = tmp_path_factory.mktemp("site")
    async with installation(folder, kafka_bootstrap, f"t-{secrets.token_hex(6)}") as site:
        await site.start_all()
        yield site


@pytest_asyncio.fixture
async def site(kafka_bootstrap: str, namespace: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation of this test alone, nothing of it started yet."""
    async with installation(tmp_path / "site", kafka_bootstrap, namespace) as made:
        yield made
