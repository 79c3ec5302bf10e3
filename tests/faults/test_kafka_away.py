"""Kafka stopped for a minute, Kafka killed at the worst moment: nothing is lost, nothing hangs."""

import asyncio
from itertools import count
from pathlib import Path

import pytest

from broker.runtime import local_kafka
from broker.runtime.local_kafka import LocalKafka
from tests.faults.accounts import settle
from tests.faults.installation import CRISIS, Installation, installation, until
from tests.faults.load import Load, cases, under_load

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

OUTAGE_S = 60
PROMISED_STOP_S = 20


async def _outage(load: Load) -> None:
    """Send one referral a second for as long as Kafka is to be away."""
    began, number = asyncio.get_running_loop().time(), count(1)
    found = cases(2)
    while asyncio.get_running_loop().time() < began + OUTAGE_S:
        at_least_s = began + next(number) - asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.see_through(next(found)))
            # The outage has to last: this is the one place where time has to pass.
            group.create_task(asyncio.sleep(max(0.0, at_least_s)))


async def test_kafka_stopped_for_a_minute(
    own_kafka: LocalKafka, namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Intake accepts throughout; others stop and start meanwhile; afterwards everything arrives."""
    async with installation(tmp_path / "site", own_kafka.bootstrap, namespace) as site:
        await site.start_all()
        load = site.load()
        await load.send_some(cases(1), 5)
        await asyncio.to_thread(local_kafka.down, own_kafka.data_dir)
        before = len(load.accepted)

        outage = asyncio.create_task(_outage(load))
        stopped = [await _stop(site, name) for name in ("release", f"deliver-{CRISIS}")]
        await site.release(ready=False)
        await site.deliver(CRISIS, ready=False)
        await outage
        accepted_meanwhile = len(load.accepted) - before
        running = [each.process.returncode for each in site.running.values()]
        await asyncio.to_thread(local_kafka.up, own_kafka.data_dir)
        await settle(site, load.accepted)
        for each in site.running.values():
            await until(each.is_ready, f"{each.name} is ready again")

    with capsys.disabled():
        print(f"\nwithout Kafka, release and deliver stopped in {max(stopped):.1f} s at the most")
    assert load.refused == []
    assert load.repeats == 0
    assert accepted_meanwhile >= OUTAGE_S
    assert running == [None] * len(running)
    assert max(stopped) < PROMISED_STOP_S + 5


async def _stop(site: Installation, name: str) -> float:
    began = asyncio.get_running_loop().time()
    await site.running[name].stop()
    return asyncio.get_running_loop().time() - began


async def test_kafka_killed_during_the_end_of_a_transaction(
    own_kafka: LocalKafka, namespace: str, tmp_path: Path
):
    """The commit was on its way when the broker died: it happened wholly or not at all."""
    async with installation(tmp_path / "site", own_kafka.bootstrap, namespace) as site:
        await site.start_all()
        trap = {"step": "commit on its way", "passes": 6, "pid": own_kafka.pid}
        await site.running["release"].stop()
        await site.release(trap=trap)
        load = site.load()

        async with under_load(load, cases(3), 8):
            await until(lambda: _is_gone(own_kafka), "the broker has been killed")
            await asyncio.to_thread(local_kafka.up, own_kafka.data_dir)
        await settle(site, load.accepted)

    assert load.refused == []


async def _is_gone(kafka: LocalKafka) -> bool:
    return local_kafka.status(kafka.data_dir) is None
