"""Dispatch over real HTTP with a clock of our own: verdicts, retries, pages, isolation."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broker.runtime import metrics
from tests.support.agency import Got, Reply, StandIn, stand_in
from tests.support.deliver import CRISIS, NOW, bench, example

ROUTINE = {"scheme": "ukmhts", "version": "1", "code": "E"}
IMMEDIATE = {"scheme": "ukmhts", "version": "1", "code": "A"}
BRIDGE = "referral_made.unknown_man_on_bridge"


def always(status: int, **headers: str) -> Callable[[Got], object]:
    """An agency that gives one answer."""

    async def answer(_got: Got) -> Reply:
        return Reply(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def ids(agency: StandIn) -> list[str]:
    """Request ids in the order they came."""
    return [got.headers["webhook-id"] for got in agency.got]


def referral(got: Got) -> str:
    """Referral id of a request."""
    found: str = json.loads(got.body)["envelope"]["referral_id"]
    return found


async def test_urgent_views_leave_first(tmp_path: Path) -> None:
    """An immediate view passes routine ones that came before it."""
    async with stand_in() as agency, bench(tmp_path, agency.url, concurrency=1) as made:
        for number, urgency in enumerate([ROUTINE, ROUTINE, IMMEDIATE], 1):
            await made.take(await made.maker.view(example(BRIDGE, urgency=urgency), number=number))
        for _ in range(3):
            await made.step()

    codes = [json.loads(got.body)["envelope"]["urgency"]["code"] for got in agency.got]
    assert codes == ["A", "E", "E"]


async def test_a_referral_keeps_its_order_whatever_fails(tmp_path: Path) -> None:
    """The update waits while the request is retried, then follows it."""
    async with stand_in(always(503)) as agency, bench(tmp_path, agency.url) as made:
        request = example(BRIDGE, reference="R-7", urgency=ROUTINE)
        update = example("referral_updated.found_and_moved", reference="R-7", urgency=IMMEDIATE)
        await made.take(await made.maker.view(request), await made.maker.view(update))
        await made.step()
        assert len(agency.got) == 1

        agency.answer = always(200)
        made.watch.forward(1)
        await made.step()
        await made.step()

    kinds = [json.loads(got.body)["event_type"] for got in agency.got]
    assert kinds == ["referral_made", "referral_made", "referral_updated"]


async def test_a_repeat_has_the_same_id_and_the_same_bytes(tmp_path: Path) -> None:
    """An agency that did process the first attempt recognises the second."""
    async with stand_in(always(500)) as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()
        made.watch.forward(600)
        await made.step()

    first, second = agency.got
    assert first.body == second.body
    assert ids(agency)[0] == ids(agency)[1]


async def test_an_agency_that_knows_it_already_has_it(tmp_path: Path) -> None:
    """409 is success and counted as a repeat."""
    counter = metrics.DELIVERED.labels(CRISIS, "yes")
    before = counter._value.get()
    async with stand_in(always(409)) as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()

        standing = await made.inbox.standing()

    assert standing.waiting == 0
    assert counter._value.get() == before + 1


async def test_retries_pause_longer_each_time_and_page_at_the_deadline(tmp_path: Path) -> None:
    """1, 2, 4 ... seconds; the last quick try on the deadline, then one page, then slow tries."""
    async with stand_in(always(503)) as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE, urgency=IMMEDIATE)))
        tried = []
        for second in range(300):
            count = len(agency.got)
            await made.step()
            if len(agency.got) > count:
                tried.append(second)
            made.watch.forward(1)

    assert tried[:6] == [0, 1, 3, 7, 15, 25]
    assert tried[-4:] == [115, 120, 180, 240]
    assert [(page.reason, page.rank) for page in made.pages] == [("try-later", "immediate")]


async def test_retry_after_is_honoured(tmp_path: Path) -> None:
    """The agency may say when it will be ready."""
    async with (
        stand_in(always(429, retry_after="30")) as agency,
        bench(tmp_path, agency.url) as made,
    ):
        await made.take(await made.maker.view(example(BRIDGE)))
        for _ in range(31):
            await made.step()
            made.watch.forward(1)

    assert len(agency.got) == 2


async def test_a_refusal_is_paged_at_once_and_still_tried(tmp_path: Path) -> None:
    """A person is called; when the agency has mended its end, the view arrives after all."""
    async with stand_in(always(422)) as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()
        await made.step()
        assert [page.reason for page in made.pages] == ["refused"]

        agency.answer = always(200)
        made.watch.forward(60)
        await made.step()

        standing = await made.inbox.standing()

    assert standing.waiting == 0
    assert len(made.pages) == 1


async def test_an_agency_that_is_away_is_not_lost_on_anybody(tmp_path: Path) -> None:
    """Refused connections count as attempts, page at the deadline, and deliver afterwards."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        await made.take(await made.maker.view(example(BRIDGE, urgency=IMMEDIATE)))
        await made.step()
        made.watch.forward(120)
        await made.step()
        await made.step()

    assert [page.reason for page in made.pages] == ["transport"]


async def test_what_never_arrived_may_be_marked_late(tmp_path: Path) -> None:
    """Bytes that surely did not arrive are made anew, and then tell that they are late."""
    async with bench(tmp_path, "http://127.0.0.1:1/in") as made:
        await made.take(await made.maker.view(example(BRIDGE, urgency=IMMEDIATE)))
        await made.step()
        async with stand_in() as agency:
            made.deliver.dispatcher._agency.client._base_url = agency.url
            made.watch.forward(3600)
            await made.step()

    assert [json.loads(got.body)["late"] for got in agency.got] == [True]


async def test_a_fresh_view_is_not_late(tmp_path: Path) -> None:
    """The banner means something: it is not on everything."""
    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE, urgency=IMMEDIATE)))
        await made.step()

    assert [json.loads(got.body)["late"] for got in agency.got] == [False]


async def test_a_view_that_hangs_stops_no_other(tmp_path: Path) -> None:
    """The agency hangs on one referral; the others are dispatched meanwhile."""
    release = asyncio.Event()

    async def hang_on_first(got: Got) -> Reply:
        if referral(got) == hanging:
            await release.wait()
        return Reply()

    async with stand_in(hang_on_first) as agency, bench(tmp_path, agency.url) as made:
        views = [await made.maker.view(example(BRIDGE), number=n) for n in range(1, 6)]
        await made.take(*views)
        hanging = (await made.inbox.claim(NOW, urgent=1, others=0))[0].referral_id
        await made.inbox.recover()

        await made.deliver.dispatcher.step()
        got = await agency.has_got(5)
        release.set()
        await made.deliver.dispatcher.settled()

    assert len({referral(each) for each in got}) == 5


async def test_an_immediate_view_finds_a_free_slot_in_a_flood(tmp_path: Path) -> None:
    """Routine views that hang fill all slots but those kept for urgent ones (P10)."""
    release = asyncio.Event()

    async def hang(_got: Got) -> Reply:
        await release.wait()
        return Reply()

    async with (
        stand_in(hang) as agency,
        bench(tmp_path, agency.url, concurrency=3, kept_for_urgent=1) as made,
    ):
        for number in range(1, 7):
            await made.take(await made.maker.view(example(BRIDGE, urgency=ROUTINE), number=number))
        await made.deliver.dispatcher.step()
        await made.take(await made.maker.view(example(BRIDGE, urgency=IMMEDIATE), number=9))
        await made.deliver.dispatcher.step()
        got = await agency.has_got(3)
        release.set()
        await made.deliver.dispatcher.settled()

    codes = [json.loads(each.body)["envelope"]["urgency"]["code"] for each in got]
    assert codes == ["E", "E", "A"]


async def test_an_agency_that_trickles_its_answer_is_cut_off(tmp_path: Path) -> None:
    """One deadline holds for the whole exchange, so that no agency can hold a slot."""
    release = asyncio.Event()

    async def hang(_got: Got) -> Reply:
        await release.wait()
        return Reply()

    async with (
        stand_in(hang) as agency,
        bench(tmp_path, agency.url, request_timeout_s=0.05) as made,
    ):
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()
        release.set()

        (parked,) = await made.inbox.pages.new(made.watch.now.replace(hour=23))

    assert parked.reason == "outcome-unknown"


async def test_a_canary_stops_at_our_edge(tmp_path: Path) -> None:
    """It goes the whole way but the last step: no agency ever sees one (P12)."""
    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE, environment="canary")))
        await made.step()

        standing = await made.inbox.standing()

    assert (standing.waiting, agency.got) == (0, [])


@pytest.mark.parametrize("environment", ["live", "exercise"])
async def test_a_view_of_another_environment_is_never_delivered(
    tmp_path: Path, environment: str
) -> None:
    """A live view in a test installation, or an exercise in it, parks and pages (P12)."""
    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE, environment=environment)))
        for _ in range(3):
            await made.step()
            made.watch.forward(600)

    assert agency.got == []
    assert [page.reason for page in made.pages] == ["environment"]


async def test_a_defect_in_a_connector_parks_one_view_and_stops_nothing(tmp_path: Path) -> None:
    """Whatever a translator raises, the next referral goes out."""

    def broken(view: object, target: object, *, now: object, request_id: str) -> object:
        if request_id == doomed:
            raise RuntimeError("Testperson must not be logged")
        return translate(view, target, now=now, request_id=request_id)

    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        await made.take(*[await made.maker.view(example(BRIDGE), number=n) for n in (1, 2)])
        doomed = (await made.inbox.claim(NOW, urgent=1, others=0))[0].request_id
        await made.inbox.recover()
        agency_of = made.deliver.dispatcher._agency
        translate = agency_of.translate_out
        object.__setattr__(agency_of, "translate_out", broken)
        await made.step()
        await made.step()

    assert len(agency.got) == 1
    assert [page.reason for page in made.pages] == ["defect"]


async def test_neither_logs_nor_errors_hold_what_a_view_says(tmp_path: Path) -> None:
    """Delivery, retry, refusal and a view that cannot be opened: places only (P9)."""
    async with stand_in(always(503)) as agency, bench(tmp_path, agency.url) as made:
        with capture_logs() as lines:
            whole = await made.maker.view(example("referral_made.abuser_holds_phone"))
            await made.take(whole, whole[:-3], b"\x00\x00\x00\x00\x07" + whole[5:])
            await made.step()
            agency.answer = always(400)
            made.watch.forward(900)
            await made.step()
            agency.answer = always(200)
            made.watch.forward(900)
            await made.step()

    body = json.loads(agency.got[0].body)["body"]
    said = [text for text in _texts(body) if len(text) > 5 and text != "unknown"]
    logged = json.dumps(lines, default=str)
    assert len(said) > 10
    assert [text for text in said if text in logged] == []


async def test_receipts_are_for_what_goes_towards_the_recipient(tmp_path: Path) -> None:
    """A withdrawal is receipted; news of an acceptance is not, or receipts would never end."""
    async with (
        stand_in() as agency,
        stand_in() as intake,
        bench(tmp_path, agency.url, intake_url=intake.url) as made,
    ):
        await made.take(await made.maker.view(example("referral_withdrawn.resolved")))
        await made.take(
            await made.maker.view(example("referral_phone_handover.read_back"), number=2)
        )
        await made.step()

        waiting = await made.inbox.receipts.waiting()

    assert len(agency.got) == 2
    assert waiting == 1


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []
