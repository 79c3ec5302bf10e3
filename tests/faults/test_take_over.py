"""Two owners of one partition, an owner that vanishes, and what a reader sees meanwhile."""

import time
from signal import SIGCONT

import pytest

from broker.domain.streams import Output, Partition
from broker.runtime.kafka_producer import TRANSACTION_TIMEOUT_MS
from broker.runtime.topics import release_topic
from tests.faults.accounts import read, settle
from tests.faults.installation import CRISIS, PARTITIONS, Installation, until
from tests.faults.load import cases, under_load

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

ABORT_CHECK_S = 10.0
"""How often a coordinator looks for transactions that have timed out: Kafka's default of
transaction.abort.timed.out.transaction.cleanup.interval.ms, which ours keeps."""

SLOW_MACHINE_S = 10.0
RATE = 8


async def _owns_all(site: Installation, name: str) -> bool:
    return await site.running[name].owns() == PARTITIONS


@pytest.mark.parametrize("step", ["offset added, not committed", "first records sent"])
async def test_an_owner_that_slept_cannot_finish_its_transaction(site: Installation, step: str):
    """Suspended before its commit, replaced, and resumed: what it had begun never counts."""
    await site.intake()
    slept = await site.release(trap={"step": step, "passes": 3, "signal_name": "SIGSTOP"})
    load = site.load()

    async with under_load(load, cases(1), RATE):
        await until(slept.is_suspended, "the owner sleeps")
        await site.release("other")
        await until(lambda: _owns_all(site, "other"), "the other one owns everything")
        meanwhile = await settle(site, load.accepted[:1])
        slept.signal(SIGCONT)
        await until(lambda: _is_shared(site), "both own something")
    await settle(site, load.accepted)

    assert load.refused == []
    assert meanwhile.views
    assert (await site.running["other"].stop(), await slept.stop()) == (0, 0)


async def _is_shared(site: Installation) -> bool:
    return [await site.running[name].owns() for name in ("release", "other")] == [1, 1]


async def test_an_owner_that_wakes_while_another_reads_back_cannot_commit(site: Installation):
    """Whoever takes over has fenced the old owner before reading anything: nothing comes twice."""
    await site.intake()
    trap = {"passes": 3, "signal_name": "SIGSTOP"}
    slept = await site.release(trap={"step": "offset added, not committed", **trap})
    load = site.load()

    async with under_load(load, cases(4), RATE):
        await until(slept.is_suspended, "the owner sleeps")
        trap = {"step": "took over, read back", "signal_name": "SIGSTOP"}
        reads_back = await site.release("other", trap=trap, ready=False)
        await until(reads_back.is_suspended, "the other one sleeps as well")
        slept.signal(SIGCONT)
        await until(lambda: _owns_all(site, "release"), "the first one has everything again")
    await settle(site, load.accepted)
    reads_back.signal(SIGCONT)
    await until(lambda: _is_shared(site), "both own something")
    await load.send_some(cases(5), 10)
    await settle(site, load.accepted)

    assert load.refused == []


async def test_a_partition_moves_back_and_forth_under_load(site: Installation):
    """Members come and go politely; every partition is taken over again and again."""
    await site.intake()
    await site.release()
    load = site.load()

    async with under_load(load, cases(2), RATE):
        await site.release("other")
        codes = [await site.running["release"].stop()]
        await site.release()
        codes.append(await site.running["other"].stop())
    await settle(site, load.accepted)

    assert load.refused == []
    assert codes == [0, 0]


async def test_readers_wait_for_a_vanished_owner_no_longer_than_its_transaction(
    site: Installation, capsys: pytest.CaptureFixture[str]
):
    """Killed in mid-transaction and not restarted: what comes next is readable within the bound."""
    await site.intake()
    doomed = await site.release(trap={"step": "offset added, not committed", "passes": 2})
    load = site.load()
    await load.send_some(cases(3), 4)
    assert await doomed.has_killed_itself()
    began = time.monotonic()

    topic = release_topic(site.stage.settings.namespace, CRISIS, "crisis-response")
    partitions = [Partition(topic, number) for number in range(PARTITIONS)]
    probes = {each: await _write(site, each) for each in partitions}
    stable = dict.fromkeys(partitions, 0)
    reader = await site.log.open_reader(partitions)

    async def all_readable() -> bool:
        for each in partitions:
            stable[each] = await reader.end(each)
        return all(stable[each] > probe for each, probe in probes.items())

    stuck = not await all_readable()
    await until(all_readable, "the probes are readable")
    stalled_s = time.monotonic() - began
    await reader.aclose()
    bound_s = TRANSACTION_TIMEOUT_MS / 1000 + ABORT_CHECK_S
    with capsys.disabled():
        print(f"\nreaders stalled for {stalled_s:.1f} s; bound {bound_s:.0f} s")

    assert stuck
    assert stalled_s < bound_s + SLOW_MACHINE_S
    await site.release()
    await until(lambda: _only_probes_are_strange(site, load.accepted), "all but the probes is fine")


async def _write(site: Installation, partition: Partition) -> int:
    producer = await site.log.open_producer()
    try:
        return await producer.send(Output(partition=partition, key=None, value=b"\x00probe"))
    finally:
        await producer.aclose()


async def _only_probes_are_strange(site: Installation, accepted: list[str]) -> bool:
    from tests.faults.accounts import faults

    found = faults(await read(site, accepted))
    return len(found) == PARTITIONS and all(each.startswith("! unreadable") for each in found)
