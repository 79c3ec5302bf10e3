"""
SQLite with every promise about the disk in one place.

A `Store` is one file, one writer thread and one reader thread. All writes that wait are committed
together, so that a hundred referrals cost one fsync; a future is resolved only after COMMIT has
returned (WAL, synchronous=FULL), so "it was written" means "a power cut cannot take it back" as
far as the disk keeps its own promise. The event loop never waits for the disk.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from broker.domain.errors import ConfigurationError, TransportError

Connection = sqlite3.Connection
T = TypeVar("T")
Work = Callable[[Connection], T]
"""Reads or writes; never begins, commits or waits by itself."""

MAX_BATCH = 256
BUSY_TIMEOUT_S = 5.0
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",
    "PRAGMA checkpoint_fullfsync=ON",
    "PRAGMA foreign_keys=ON",
    # What was purged must be gone: freed pages are overwritten with zeros.
    "PRAGMA secure_delete=ON",
)


@dataclass(slots=True)
class _Task:
    """One waiting write and whom to tell."""

    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Store:
    """
    One SQLite file of one process.

    Args:
        path: The file; it is made with mode 0600, beside it stand ``-wal``, ``-shm`` and ``.lock``.
        schema: ``CREATE ... IF NOT EXISTS`` statements.
        version: Generation of the schema; a file of another generation is refused.

    Raises:
        ConfigurationError: Another process has the file, or it is not a store of this generation.
    """

    def __init__(self, path: Path, schema: str, *, version: int = 1) -> None:
        self.path = path
        self._lock = _lock(path)
        self._connection = _open(path, schema, version)
        self._queue: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-reader")
        self._reading: Connection | None = None
        self._writer = threading.Thread(target=self._run, name=f"{path.stem}-writer", daemon=True)
        self._closed = False
        self._writer.start()

    async def write(self, work: Work[T]) -> T:
        """
        Run *work* in the next transaction; its result comes after COMMIT and fsync.

        An exception of *work* undoes its own changes only, not its neighbours'.

        Raises:
            TransportError: The disk is full or failing; nothing of this transaction was kept.
        """
        if self._closed:
            raise TransportError(f"store is closed @ {self.path.name}")
        loop = asyncio.get_running_loop()
        task = _Task(work, loop, loop.create_future())
        self._queue.put(task)
        result: T = await task.future
        return result

    async def read(self, work: Work[T]) -> T:
        """
        Run *work* on what is committed.

        Raises:
            TransportError: The disk is failing.
        """
        if self._closed:
            raise TransportError(f"store is closed @ {self.path.name}")
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read, work)

    async def checkpoint(self) -> None:
        """Write the log back into the file and empty it, so that what was purged is gone there too."""
        await self.read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))

    async def aclose(self) -> None:
        """Commit what waits, close the file and let another process have it."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._close)
        self._reader.shutdown(wait=False)

    def _close(self) -> None:
        self._writer.join()
        for connection in (self._reading, self._connection):
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()
        os.close(self._lock)

    def _read(self, work: Work[T]) -> T:
        try:
            if self._reading is None:
                self._reading = _connect(self.path)
                self._reading.execute("PRAGMA query_only=ON")
            return work(self._reading)
        except sqlite3.Error as error:
            raise _unavailable(error, self.path) from error

    def _run(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._take()
            if batch:
                self._commit(batch)
                _settle(batch)

    def _take(self) -> tuple[list[_Task], bool]:
        # Waits for the first; whatever came meanwhile shares its fsync.
        batch: list[_Task] = []
        task = self._queue.get()
        while task is not None:
            batch.append(task)
            if len(batch) == MAX_BATCH:
                return batch, True
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: Sequence[_Task]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for task in batch:
                _attempt(self._connection, task)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            for task in batch:
                task.error = _unavailable(error, self.path)
            self._renew()

    def _renew(self) -> None:
        # After a failed write nothing is assumed about the old connection or its pages.
        with contextlib.suppress(sqlite3.Error):
            self._connection.rollback()
        with contextlib.suppress(sqlite3.Error):
            fresh = _connect(self.path)
            self._connection.close()
            self._connection = fresh


def _attempt(connection: Connection, task: _Task) -> None:
    connection.execute("SAVEPOINT task")
    try:
        task.result = task.work(connection)
    except sqlite3.OperationalError:
        # Disk full and I/O errors may have undone the neighbours too: the whole batch fails.
        raise
    except Exception as error:  # noqa: BLE001 - belongs to the one who waits for it
        task.error = error
        connection.execute("ROLLBACK TO task")
    connection.execute("RELEASE task")


def _settle(batch: Sequence[_Task]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_Task]] = {}
    for task in batch:
        loops.setdefault(task.loop, []).append(task)
    for loop, tasks in loops.items():
        with contextlib.suppress(RuntimeError):  # a closed loop waits for nothing
            loop.call_soon_threadsafe(_resolve, tasks)


def _resolve(tasks: Sequence[_Task]) -> None:
    for task in tasks:
        if task.future.done():
            continue
        if task.error is not None:
            task.future.set_exception(task.error)
        else:
            task.future.set_result(task.result)


def _lock(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError(f"another process has this store open @ {path.name}") from error
    return descriptor


def _open(path: Path, schema: str, version: int) -> Connection:
    _create(path)
    try:
        connection = _connect(path)
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, version):
            raise ConfigurationError(f"store is of generation {found} @ {path.name}")
        connection.executescript(schema)
        connection.execute(f"PRAGMA user_version={version}")
    except sqlite3.Error as error:
        raise ConfigurationError(f"store cannot be opened @ {path.name}") from error
    return connection


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    # Without this the file's name itself could vanish with the power.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _connect(path: Path) -> Connection:
    # isolation_level=None: transactions are begun and committed here, by nobody else.
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def _unavailable(error: sqlite3.Error, path: Path) -> TransportError:
    rule = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    return TransportError(f"store does not take it: {rule} @ {path.name}")
