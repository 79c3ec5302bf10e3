"""The store keeps what it confirmed, and says so when it cannot."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.domain.errors import ConfigurationError, TransportError
from broker.runtime.sqlite import Connection, Store, Work

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)"


def add(text: str) -> Work[int | None]:
    """Return work that adds one note."""

    def work(connection: Connection) -> int | None:
        return connection.execute("INSERT INTO notes (text) VALUES (?)", (text,)).lastrowid

    return work


def all_texts(connection: Connection) -> list[str]:
    """Return every note in order."""
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY id")]


def modes(folder: Path) -> set[int]:
    """Return the modes of all files in a folder."""
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """One open store."""
    store = Store(tmp_path / "notes.db", SCHEMA)
    yield store
    await store.aclose()


async def test_written_is_readable_and_survives_reopening(tmp_path: Path) -> None:
    """What was confirmed is there for readers at once and after a restart."""
    store = Store(tmp_path / "notes.db", SCHEMA)
    await store.write(add("one"))
    seen = await store.read(all_texts)
    await store.aclose()
    again = Store(tmp_path / "notes.db", SCHEMA)
    kept = await again.read(all_texts)
    await again.aclose()

    assert (seen, kept) == (["one"], ["one"])


async def test_waiting_writes_share_one_commit(store: Store) -> None:
    """Writes that wait together are committed together, in the order they came."""
    commits = []
    store._connection.set_trace_callback(
        lambda statement: commits.append(statement) if statement == "COMMIT" else None
    )
    await asyncio.gather(*(store.write(add(f"note {number}")) for number in range(100)))

    assert len(commits) < 10
    assert await store.read(all_texts) == [f"note {number}" for number in range(100)]


async def test_a_failing_neighbour_undoes_only_itself(store: Store) -> None:
    """An exception in one piece of work leaves the others of its batch committed."""

    def fails(connection: Connection) -> None:
        add("half done")(connection)
        raise ValueError

    outcomes = await asyncio.gather(
        store.write(add("before")),
        store.write(fails),
        store.write(add("after")),
        return_exceptions=True,
    )

    assert isinstance(outcomes[1], ValueError)
    assert await store.read(all_texts) == ["before", "after"]


async def test_every_commit_reaches_the_disk(store: Store) -> None:
    """The writer uses WAL and synchronous=FULL: one fsync for each commit."""

    def pragmas(connection: Connection) -> tuple[str, int]:
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        return journal, synchronous

    assert await store.write(pragmas) == ("wal", 2)


async def test_full_disk_is_said_and_nothing_is_kept(store: Store) -> None:
    """A write that does not fit fails as transport error, and the store works on afterwards."""

    def fill_up(connection: Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        add("x" * 100_000)(connection)

    with pytest.raises(TransportError, match="SQLITE_FULL"):
        await store.write(fill_up)
    await store.write(add("fits again"))

    assert await store.read(all_texts) == ["fits again"]


async def test_only_the_owner_may_read_the_files(store: Store, tmp_path: Path) -> None:
    """All files of a store have mode 0600."""
    await store.write(add("one"))

    assert modes(tmp_path) == {0o600}


async def test_two_processes_cannot_share_a_store(store: Store, tmp_path: Path) -> None:
    """A second opening is refused while the first one lives."""
    with pytest.raises(ConfigurationError, match="another process"):
        Store(tmp_path / "notes.db", SCHEMA)


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """Foreign bytes are a configuration error, not a crash later on."""
    (tmp_path / "notes.db").write_bytes(b"not a database at all, but long enough to look at" * 40)

    with pytest.raises(ConfigurationError, match="cannot be opened"):
        Store(tmp_path / "notes.db", SCHEMA)


async def test_a_store_of_another_generation_is_refused(tmp_path: Path) -> None:
    """A file written by another generation of the schema is not touched."""
    await Store(tmp_path / "notes.db", SCHEMA, version=2).aclose()

    with pytest.raises(ConfigurationError, match="generation 2"):
        Store(tmp_path / "notes.db", SCHEMA)


async def test_a_closed_store_takes_nothing(store: Store) -> None:
    """After closing, a write is refused at once instead of waiting for ever."""
    await store.aclose()

    with pytest.raises(TransportError, match="closed"):
        await store.write(add("late"))


WRITER = """
import asyncio, sys
from pathlib import Path
from broker.runtime.sqlite import Store

async def main():
    store = Store(Path(sys.argv[1]), sys.argv[2])
    for number in range(100_000):
        text = f"note {number}"
        await store.write(lambda c: c.execute("INSERT INTO notes (text) VALUES (?)", (text,)).rowcount)
        print(text, flush=True)

asyncio.run(main())
"""


async def test_what_was_confirmed_survives_kill_9(tmp_path: Path) -> None:
    """Every write that was confirmed before SIGKILL is there afterwards."""
    path = tmp_path / "notes.db"
    process = subprocess.Popen(  # noqa: ASYNC220 - lives shorter than the test
        [sys.executable, "-c", WRITER, str(path), SCHEMA],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        text=True,
    )
    confirmed = [process.stdout.readline().strip() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    confirmed += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    store = Store(path, SCHEMA)
    kept = await store.read(all_texts)
    await store.aclose()

    assert kept[: len(confirmed)] == confirmed
    assert len(kept) - len(confirmed) in (0, 1)
