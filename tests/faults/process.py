"""
Runs one process of the broker, and ends or suspends it at the n-th pass of a named step.

    python tests/faults/process.py '{"step": "sent, not marked", "passes": 3}' run intake

Nothing of the broker knows of this: the steps are functions of the broker and of its libraries,
wrapped from outside. Waits that would only make a test longer are shortened.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

SESSION_MS = 3_000
"""How long the group waits for a member that was killed; 10 s in production."""

EARLY_S = 0.1
PAUSES_S = (1, 1, 2)
"""How long what was refused is left alone; 15 s and more in production."""

Passed = Callable[[], None]


class Trap:
    """Counts passes of one step, and does the harm at the last one."""

    def __init__(self, *, passes: int = 1, signal_name: str = "SIGKILL", pid: int = 0) -> None:
        self._left = passes
        self._signal = signal.Signals[signal_name]
        self._pid = pid or os.getpid()

    def __call__(self) -> None:
        """Pass; at the last pass nothing after this line happens, unless somebody resumes us."""
        self._left -= 1
        if self._left == 0:
            os.kill(self._pid, self._signal)


def after(owner: Any, name: str, passed: Passed) -> None:
    """Pass when the coroutine function *name* of *owner* has returned."""
    original = getattr(owner, name)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = await original(*args, **kwargs)
        passed()
        return result

    setattr(owner, name, wrapped)


def before(owner: Any, name: str, passed: Passed) -> None:
    """Pass when the coroutine function *name* of *owner* has been called and has done nothing."""
    original = getattr(owner, name)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        passed()
        return await original(*args, **kwargs)

    setattr(owner, name, wrapped)


def around_commit(begins: str, passed: Passed, *, committed: bool) -> None:
    """Pass before or after the COMMIT of every SQLite transaction with a statement so begun."""
    from broker.runtime import sqlite

    class Watched(sqlite3.Connection):
        """Remembers whether the statement came by."""

        seen = False

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            """Note the statement; watch the COMMIT."""
            self._look(sql)
            if sql != "COMMIT" or not self.seen:
                return super().execute(sql, *args)
            self.seen = False
            if not committed:
                # An answer given too early gets the time to get out.
                threading.Event().wait(EARLY_S)
                passed()
            done = super().execute(sql)
            if committed:
                passed()
            return done

        def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
            """Note the statement, unless it is for no row at all."""
            rows = list(args[0])
            if rows:
                self._look(sql)
            return super().executemany(sql, rows)

        def _look(self, sql: str) -> None:
            self.seen = self.seen or sql.strip().startswith(begins)

    real = sqlite3.connect

    class Module:
        """`sqlite3` as the store sees it."""

        connect = staticmethod(partial(real, factory=Watched))

        def __getattr__(self, name: str) -> Any:
            return getattr(sqlite3, name)

    sqlite.sqlite3 = Module()  # type: ignore[attr-defined]


def _first_batch(passed: Passed) -> None:
    # The first batch of a transaction has been acknowledged; others are not even sent.
    from aiokafka import AIOKafkaProducer

    original = AIOKafkaProducer.send_batch

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        future = await original(self, *args, **kwargs)
        await asyncio.wait([future])
        passed()
        return future

    AIOKafkaProducer.send_batch = wrapped


def _end_on_its_way(passed: Passed) -> None:
    # The request to commit has left us; whether it was done nobody tells us any more.
    from aiokafka.conn import AIOKafkaConnection

    original = AIOKafkaConnection.send

    def wrapped(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        future = original(self, request, *args, **kwargs)
        if type(request).__name__.startswith("EndTxn"):
            passed()
        return future

    AIOKafkaConnection.send = wrapped


def _agency_said_yes(passed: Passed) -> None:
    from broker.processes.deliver_agency import Agency

    after(Agency, "send", passed)


def _receipt_accepted(passed: Passed) -> None:
    from broker.runtime.inbox_receipts import Receipts

    before(Receipts, "accepted", passed)


def _outbox(name: str, wrap: Callable[[Any, str, Passed], None], passed: Passed) -> None:
    from broker.runtime.outbox import Outbox

    wrap(Outbox, name, passed)


def _producer(name: str, passed: Passed) -> None:
    from aiokafka import AIOKafkaProducer

    after(AIOKafkaProducer, name, passed)


def _all_sent(passed: Passed) -> None:
    from broker.runtime import kafka_producer

    after(kafka_producer, "send_all", passed)


def _fenced(passed: Passed) -> None:
    from broker.runtime.kafka import KafkaLog

    after(KafkaLog, "open_transactional_producer", passed)


def _recovered(passed: Passed) -> None:
    from broker.processes import release_worker

    after(release_worker, "recover", passed)


INTAKE: dict[str, Callable[[Passed], None]] = {
    "before COMMIT": partial(around_commit, "INSERT INTO receipts", committed=False),
    "stored, not answered": partial(around_commit, "INSERT INTO receipts", committed=True),
    "sent, not marked": partial(_outbox, "hand_over", before),
    "marked": partial(_outbox, "hand_over", after),
}
RELEASE: dict[str, Callable[[Passed], None]] = {
    "took over, nothing read": _fenced,
    "took over, read back": _recovered,
    "first records sent": _first_batch,
    "sent, offset not added": _all_sent,
    "offset added, not committed": partial(_producer, "send_offsets_to_transaction"),
    "commit on its way": _end_on_its_way,
    "committed, not noted": partial(_producer, "commit_transaction"),
}
DELIVER: dict[str, Callable[[Passed], None]] = {
    "views read, not taken": partial(around_commit, "INSERT OR IGNORE INTO views", committed=False),
    "views taken": partial(around_commit, "INSERT OR IGNORE INTO views", committed=True),
    "claimed, not sent": partial(
        around_commit, "UPDATE views SET state = 'in_flight'", committed=True
    ),
    "agency said yes, not marked": _agency_said_yes,
    "marked, no receipt sent": partial(
        around_commit, "INSERT OR IGNORE INTO receipts", committed=True
    ),
    "receipt accepted, not marked": _receipt_accepted,
}
STEPS = {**INTAKE, **RELEASE, **DELIVER}


def main() -> None:
    """Shorten the waits, set the trap if there is one, and be the process."""
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - where the parent has its broker from
    from broker.commands.main import main as broker
    from broker.processes import release_refusals
    from broker.runtime import kafka_membership

    kafka_membership.SESSION_MS = SESSION_MS
    release_refusals.PAUSES_S = PAUSES_S
    spec = json.loads(sys.argv[1])
    if spec:
        STEPS[spec.pop("step")](Trap(**spec))
    sys.argv[1:2] = []
    broker()


if __name__ == "__main__":
    main()
