"""The release process on a memory log: what goes out, what is held, and what is on record."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from broker.codec import avro, wire
from broker.codec.disclosures import breaks, chain_of
from broker.domain.errors import (
    FencedError,
    MalformedMessageError,
    OutcomeUnknownError,
    UnwritableError,
)
from broker.domain.streams import Output, Partition
from broker.processes.audit import read_all, verify_chains
from broker.processes.provisioning import topic_plan
from broker.processes.release_state import recover
from broker.processes.release_worker import EventsLostError
from broker.runtime import metrics, topics
from broker.runtime.memory import MemoryLog
from tests.support import site as support
from tests.support.site import Bench, bench, example, route


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A state folder whose registry is filled once for all tests of this module."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
async def here(state):
    """A site with every topic it needs, one partition each."""
    settings = support.test_settings(state, "t")
    async with bench(settings, MemoryLog({})) as found:
        found.log = await log_with_topics(found)
        found.site = replace(found.site, log=found.log)
        yield found


async def log_with_topics(found: Bench, *, without: str = "") -> MemoryLog:
    """A memory log with the planned topics, perhaps all but one."""
    plan = topic_plan(found.settings, found.book)
    return MemoryLog({spec.name: 1 for spec in plan if spec.name != without})


def release_topic(found: Bench) -> str:
    """The lane most tests look at."""
    return topics.release_topic(found.namespace, support.CRISIS, "crisis-response")


async def test_a_referral_reaches_its_addressee_with_its_disclosure(here):
    """View and disclosure are both there, and the view says what it leaves out."""
    await here.put(here.event(example("referral_made.unknown_man_on_bridge", routes=[route()])))

    await here.work(until=1)

    [view], [disclosure] = await here.views(), await here.disclosures()
    assert view["envelope"]["event_id"] == disclosure["event_id"]
    assert view["manifest"]["complete"]
    assert view["manifest"]["entries"]
    assert (disclosure["recipient"], disclosure["outcome"]) == (support.CRISIS, "released")
    assert disclosure["plan"]["withheld"]


async def test_a_repeat_makes_no_second_view(here):
    """The same event from two intakes is released once."""
    event = here.event(example("referral_made.unknown_man_on_bridge", routes=[route()]))
    await here.put(event, event)

    await here.work(until=2)

    assert len(await here.views()) == 1
    assert len(await here.disclosures()) == 1


async def test_a_repeat_after_a_take_over_makes_no_second_view(here):
    """A worker that starts anew knows from the record what has been released."""
    event = here.event(example("referral_made.unknown_man_on_bridge", routes=[route()]))
    await here.put(event)
    await here.work(until=1)
    await here.put(event)

    await here.work(until=2)

    assert len(await here.views()) == 1


async def test_an_id_used_for_other_content_is_a_dead_letter(here):
    """One id never stands for two different messages."""
    first = here.event(example("referral_made.unknown_man_on_bridge", routes=[route()]), key="k")
    other = here.event(
        example("referral_made.unknown_man_on_bridge", routes=[route()], sequence=9), key="k"
    )
    await here.put(first, other)

    await here.work(until=2)

    [dead] = await dead_letters(here)
    assert dict(dead.headers)["error-code"] == b"event-id-reused"
    assert dead.value == other.value


async def test_a_bad_record_does_not_block_the_next(here):
    """Garbage is set aside byte for byte, with its place; the referral behind it goes out."""
    garbage = Output(
        partition=Partition(topics.events_topic("t"), 0), key=None, value=b"\x00garbage"
    )
    await here.put(
        garbage, here.event(example("referral_made.unknown_man_on_bridge", routes=[route()]))
    )

    await here.work(until=2)

    [dead] = await dead_letters(here)
    assert dead.value == garbage.value
    assert dict(dead.headers)["source-offset"] == b"0"
    assert len(await here.views()) == 1


async def test_a_route_without_an_agreement_is_held_and_on_record(here):
    """Nothing goes where nothing was agreed; nothing is dropped either."""
    await here.put(
        here.event(
            example(
                "referral_made.unknown_man_on_bridge",
                routes=[route(), route("nobody-agreed", "care-coordination")],
            )
        )
    )

    await here.work(until=1)

    outcomes = {d["recipient"]: (d["outcome"], d["reason"]) for d in await here.disclosures()}
    assert outcomes["nobody-agreed"] == ("held", "no-agreement")
    assert outcomes[support.CRISIS] == ("released", "")
    assert [held["recipient"] for held in await here.held()] == ["nobody-agreed"]


async def test_an_unwritable_route_delays_no_other_and_is_redriven_in_order(here):
    """A missing topic holds its own views; once it is there they go out in order."""
    suite = route("northvale-136-suite", "place-of-safety-handover")
    missing = topics.release_topic("t", *suite.values())
    here.log = await log_with_topics(here, without=missing)
    here.site = replace(here.site, log=here.log)
    both = [route(), suite]
    await here.put(
        here.event(example("referral_made.detained_at_seventeen", routes=both), key="1"),
        here.event(
            example("referral_updated.extended_detention", routes=both, reference="R-1"), key="2"
        ),
    )
    await here.work(until=2)
    reasons = [
        d["reason"] for d in await here.disclosures() if d["recipient"] == suite["recipient"]
    ]

    here.log.add_topic(missing, 1)
    here.site = replace(here.site, clock=lambda: support.NOW.replace(hour=23))
    await redrive(here)

    assert reasons[0] == "unwritable"
    late = await here.views(*suite.values())
    assert [view["envelope"]["event_type"] for view in late][:1] == ["referral_made"]
    assert len(await here.views()) >= 1
    assert (await verify_chains(here.settings, here.log))[0][1] == []


async def test_an_oversize_view_is_held_and_the_others_go_out(here):
    """A view too large for the log is a matter of its route only."""
    here.site.decider._max_view_bytes = 10
    await here.put(here.event(example("referral_made.unknown_man_on_bridge", routes=[route()])))

    await here.work(until=1)

    [disclosure] = await here.disclosures()
    assert (disclosure["outcome"], disclosure["reason"]) == ("held", "oversize")


async def test_a_failed_filter_sends_the_envelope_and_says_so(here, monkeypatch):
    """If filtering fails the recipient still learns that somebody needs them."""
    made = here.site.lanes._compile

    async def broken(plan, event):
        def fail(data, start):
            raise MalformedMessageError([("body", "cannot be read")])

        return replace(await made(plan, event), project=fail)

    monkeypatch.setattr(here.site.lanes, "_compile", broken)
    await here.put(here.event(example("referral_made.unknown_man_on_bridge", routes=[route()])))

    await here.work(until=1)

    [view], [disclosure] = await here.views(), await here.disclosures()
    assert not view["manifest"]["complete"]
    assert view["manifest"]["ask"]
    assert not any(view["body"].values())
    assert disclosure["outcome"] == "envelope_only"


async def test_facts_that_do_not_follow_from_the_event_release_nothing_but_the_envelope(here):
    """Facts choose what is released, so they are derived again before they are believed."""
    event = here.event(example("referral_made.detained_at_seventeen", routes=[route()]))
    number, start = wire.unframe(event.value)
    schema = here.catalogue.event("referral_made").schema
    native = avro.decode(schema, event.value[start:])
    native["envelope"]["facts"] = []
    forged = replace(event, value=wire.frame(number) + avro.encode(schema, native))
    await here.put(forged)

    await here.work(until=1)

    [view] = await here.views()
    assert not view["manifest"]["complete"]


async def test_an_event_of_another_environment_is_held(here):
    """Live never leaves through a test installation, nor the other way round."""
    await here.put(
        here.event(
            example("referral_made.unknown_man_on_bridge", routes=[route()], environment="live")
        )
    )

    await here.work(until=1)

    [disclosure] = await here.disclosures()
    assert (disclosure["outcome"], disclosure["reason"]) == ("held", "environment")


async def test_an_event_without_a_route_is_on_record(here):
    """Every event leaves a trace, so that counting in and out comes out even."""
    await here.put(here.event(example("referral_made.unknown_man_on_bridge", routes=[])))

    await here.work(until=1)

    [disclosure] = await here.disclosures()
    assert disclosure["outcome"] == "no_route"


@pytest.mark.parametrize("committed", [False, True])
async def test_an_unknown_outcome_is_settled_by_taking_over(here, committed):
    """Whether the transaction that broke had gone through or not, each view is there once."""
    for number in range(5):
        await here.put(
            here.event(
                example(
                    "referral_made.unknown_man_on_bridge", routes=[route()], reference=f"R-{number}"
                )
            )
        )
    here.site = replace(here.site, log=Breaking(here.log, committed=committed))

    await here.work(until=5)

    views = await here.views()
    assert sorted(view["envelope"]["event_id"] for view in views) == sorted(
        {d["event_id"] for d in await here.disclosures()}
    )
    assert len(views) == 5
    assert (await verify_chains(here.settings, here.log))[0] == (5, [])


async def test_an_old_owner_cannot_add_to_what_the_new_one_wrote(here):
    """Whoever is taken over from writes nothing more."""
    old = here.worker()
    await old._take_over("assigned")
    await here.put(here.event(example("referral_made.unknown_man_on_bridge", routes=[route()])))
    await here.work(until=1)

    records = [record async for record in read_all(here.log, old._events)]
    with pytest.raises(FencedError):
        await old._release(records)

    assert len(await here.views()) == 1


async def test_a_changed_disclosure_breaks_the_chain(here):
    """One byte changed anywhere is found, and so is a record left out."""
    for number in range(3):
        await here.put(
            here.event(
                example(
                    "referral_made.unknown_man_on_bridge", routes=[route()], reference=f"R-{number}"
                )
            )
        )
    await here.work(until=3)
    topic = Partition(topics.disclosures_topic("t"), 0)
    values = [record.value async for record in read_all(here.log, topic)]
    changed = [values[0], values[1][:-3] + bytes([values[1][-3] ^ 1]) + values[1][-2:], values[2]]

    assert list(breaks(values)) == []
    assert list(breaks(changed)) == [1]
    assert list(breaks([values[0], values[2]])) == [1]


class Breaking:
    """A log whose first transaction ends in silence, before or after it was committed."""

    def __init__(self, log, *, committed):
        self._log = log
        self._committed = committed
        self._left = 1

    def __getattr__(self, name):
        return getattr(self._log, name)

    async def open_transactional_producer(self, transactional_id):
        """Open a real one whose first commit goes wrong."""
        producer = await self._log.open_transactional_producer(transactional_id)
        real = producer.commit

        async def commit(outputs, offsets, group):
            if self._left:
                self._left -= 1
                if self._committed:
                    await real(outputs, offsets, group)
                raise OutcomeUnknownError("no answer in time")
            await real(outputs, offsets, group)

        return Wrapped(producer, commit)


class Wrapped:
    """A producer with another commit."""

    def __init__(self, producer, commit):
        self.commit = commit
        self.aclose = producer.aclose


async def dead_letters(found):
    """Every dead letter."""
    return [r async for r in read_all(found.log, Partition(topics.dead_letters_topic("t"), 0))]


async def redrive(found):
    """Take over and try every held route again."""
    worker = found.worker()
    await worker._take_over("assigned")
    await worker._retry_held()
    await worker._let_go()


async def test_no_referral_waits_for_its_lane_to_be_compiled(here, monkeypatch):
    """Once every plan is compiled, the first referral of a kind finds its lane ready."""
    await here.site.lanes.make_all()

    def unexpected(*_):
        raise AssertionError("compiled again")

    monkeypatch.setattr(here.site.lanes, "_compile", unexpected)
    await here.put(here.event(example("referral_made.detained_at_seventeen", routes=[route()])))
    await here.work(until=1)

    assert len(await here.views()) == 1


async def test_the_chain_goes_on_behind_an_aborted_transaction(here):
    """Quiet days and one kill in mid-transaction do not start the chain anew."""
    event = example("referral_made.unknown_man_on_bridge", routes=[route()])
    await here.put(here.event({**event, "reference": "R-1"}))
    await here.work(until=1)
    topic = Partition(topics.disclosures_topic("t"), 0)
    [written] = [record async for record in read_all(here.log, topic)]
    dying = await here.log.open_transactional_producer("release-local-t-0")
    junk = Output(partition=topic, key=None, value=b"never committed")
    nowhere = Output(partition=Partition("no-such-topic", 0), key=None, value=b"")
    with pytest.raises(UnwritableError):
        await dying.commit([junk, nowhere], {}, "t.release")
    await here.log.open_transactional_producer("release-local-t-0")
    since = datetime.fromtimestamp((written.timestamp_ms + 1) / 1000, UTC)

    state = await recover(here.log, "t", 0, now=since, window=timedelta())

    assert state.chain == chain_of(written.value)


async def test_events_that_kafka_has_lost_stop_the_partition_and_say_so(here):
    """Less in the log than was released is a lost disk: nobody goes on as if nothing were."""
    await here.put(here.event(example("referral_made.unknown_man_on_bridge", routes=[route()])))
    producer = await here.log.open_transactional_producer("somebody")
    events = Partition(topics.events_topic("t"), 0)
    await producer.commit([], {events: 99}, here.site.group)

    with pytest.raises(EventsLostError):
        await here.worker()._take_over("assigned")
    lost = events_lost()
    await producer.commit([], {events: 1}, here.site.group)
    await here.work(until=1)

    assert (lost, events_lost()) == (1, 0)


def events_lost():
    """The alarm of the only partition."""
    return metrics.EVENTS_LOST.labels("0")._value.get()


async def test_overdue_days_count_on_while_the_process_runs(here):
    """A lapsed agreement goes on, and the record says for how many days it has."""
    ends = max(agreement.valid_to for agreement in here.book.agreements)
    here.site.lanes.turn_day(ends + timedelta(days=40))
    await here.put(here.event(example("referral_made.unknown_man_on_bridge", routes=[route()])))

    await here.work(until=1)

    [disclosure] = await here.disclosures()
    assert disclosure["outcome"] == "released"
    assert disclosure["plan"]["overdue_days"] >= 40
