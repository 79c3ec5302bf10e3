"""The inbox: durable, once, in order, urgent first, sealed, and forgotten in time."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.domain.errors import ConfigurationError
from broker.domain.streams import Partition
from broker.runtime.inbox import Inbox
from broker.runtime.inbox_rows import Due, Failure, NewView
from broker.runtime.sealing import Sealer

NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)
LANE = Partition("crisis.release.northvale-crisis.crisis-response", 3)
SEALER = Sealer(keys={"0a0b0c0d": bytes(range(32))}, current="0a0b0c0d")


def after(seconds: float) -> datetime:
    """The instant so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def view(number: int = 1, **changes: Any) -> NewView:
    """One view; every number is another event of another referral."""
    usual = NewView(
        partition=LANE,
        offset=number,
        event_id=f"{number:032x}",
        purpose="crisis-response",
        version=1,
        referral_id=f"{1000 + number:032x}",
        event_type="referral_made",
        environment="test",
        rank="routine",
        request_id=f"{2000 + number:032x}",
        accepted_at=NOW,
        deadline=after(600),
        value=b"payload-canary",
    )
    return replace(usual, **changes)


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    """One open inbox."""
    inbox = Inbox(tmp_path / "inbox.db", SEALER)
    yield inbox
    await inbox.aclose()


async def take(inbox: Inbox, *views: NewView) -> int:
    """Take views; the position stands behind the last one."""
    return await inbox.take(views, {LANE: max(each.offset for each in views) + 1}, NOW)


async def claim(inbox: Inbox, now: datetime = NOW, **options: Any) -> list[Due]:
    """Claim with many slots."""
    return await inbox.claim(now, **{"urgent": 10, "others": 10, **options})


def later(seconds: float, **changes: Any) -> Failure:
    """A failure after which is tried again in so many seconds."""
    return Failure(**{"again_at": after(seconds), "reason": "try-later", **changes})


def as_if_killed(folder: Path) -> Inbox:
    """Open a copy of the files as they stand now: what a start after kill -9 finds."""
    for file in folder.glob("inbox.db*"):
        shutil.copy(file, folder / f"copy-{file.name}")
    return Inbox(folder / "copy-inbox.db", SEALER)


def everything_in(folder: Path) -> bytes:
    """All bytes of all files."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_what_was_taken_comes_back_as_it_was(inbox: Inbox) -> None:
    """Bytes and ids survive; the first attempt is the first."""
    await take(inbox, view())

    (due,) = await claim(inbox)

    assert (due.value, due.request_id, due.attempts) == (b"payload-canary", f"{2001:032x}", 1)
    assert (due.accepted_at, due.taken_at, due.first_sent_at) == (NOW, NOW, NOW)


async def test_view_and_position_are_one_commit(inbox: Inbox, tmp_path: Path) -> None:
    """A copy of the files at any moment has both or none."""
    await take(inbox, view(7))
    copy = as_if_killed(tmp_path)
    positions, due = await copy.positions(), await claim(copy)
    await copy.aclose()

    assert positions == {LANE: 8}
    assert [each.event_id for each in due] == [f"{7:032x}"]


async def test_the_same_record_or_event_is_stored_once(inbox: Inbox) -> None:
    """Neither a second reading of the log nor a second record of an event makes a second view."""
    assert await take(inbox, view()) == 1

    assert await take(inbox, view()) == 0
    assert await take(inbox, view(offset=99)) == 0
    assert len(await claim(inbox)) == 1


async def test_a_position_never_goes_back(inbox: Inbox) -> None:
    """An old reader that commits late cannot make us read again."""
    await inbox.take([], {LANE: 10}, NOW)

    await inbox.take([], {LANE: 4}, NOW)

    assert await inbox.positions() == {LANE: 10}


async def test_urgent_views_go_first_and_then_the_oldest(inbox: Inbox) -> None:
    """Rank decides, and among equals the order of arrival."""
    ranks = ["routine", "soon", "immediate", "routine", "unknown", "urgent"]
    await take(inbox, *(view(n, rank=rank) for n, rank in enumerate(ranks)))

    found = [(due.rank, int(due.event_id, 16)) for due in await claim(inbox)]

    assert found == [
        ("immediate", 2),
        ("unknown", 4),
        ("urgent", 5),
        ("soon", 1),
        ("routine", 0),
        ("routine", 3),
    ]


async def test_slots_kept_for_urgent_views_stay_free_of_others(inbox: Inbox) -> None:
    """A flood of routine views leaves room for the one that cannot wait."""
    await take(inbox, *(view(n) for n in range(5)), view(9, rank="immediate"))

    first = await claim(inbox, urgent=3, others=2)
    second = await claim(inbox, urgent=1, others=0)

    assert [due.rank for due in first] == ["immediate", "routine", "routine"]
    assert second == []


async def test_one_view_of_a_referral_is_in_flight_at_a_time(inbox: Inbox) -> None:
    """The second goes when the first is through, and not before."""
    referral = "f" * 32
    await take(inbox, *(view(n, referral_id=referral) for n in (1, 2)))

    (first,) = await claim(inbox)
    assert await claim(inbox) == []
    await inbox.delivered(first, NOW, with_receipt=False)

    assert [due.event_id for due in await claim(inbox)] == [f"{2:032x}"]


async def test_an_urgent_update_pulls_its_referral_forward(inbox: Inbox) -> None:
    """Order is kept, but what stands before an urgent update becomes as urgent."""
    referral = "f" * 32
    await take(
        inbox,
        view(1, rank="urgent"),
        view(2, referral_id=referral),
        view(3, referral_id=referral, rank="immediate"),
    )

    found = await claim(inbox)

    assert [int(due.event_id, 16) for due in found] == [2, 1]
    assert [due.is_urgent for due in found] == [True, False]


async def test_a_failed_view_waits_and_holds_up_its_own_referral_only(inbox: Inbox) -> None:
    """Others pass it; it comes back when its pause is over."""
    await take(inbox, view(1), view(2))
    first, _second = await claim(inbox)

    await inbox.failed(first, later(30), NOW)

    assert await claim(inbox, after(29)) == []
    (again,) = await claim(inbox, after(30))
    assert (again.event_id, again.attempts) == (first.event_id, 2)


async def test_a_repeat_counts_from_the_first_time_it_may_have_arrived(inbox: Inbox) -> None:
    """Bytes that may have arrived stay the same; those that surely did not may change."""
    await take(inbox, view(1), view(2))
    maybe, never = await claim(inbox)

    await inbox.failed(maybe, later(5, reached=True), NOW)
    await inbox.failed(never, later(5, reached=False), NOW)

    second = await claim(inbox, after(5))
    for due in second:
        await inbox.failed(due, later(9, reached=True), NOW)
    third = await claim(inbox, after(9))
    for found in (second, third):
        first_sent = {due.event_id: due.first_sent_at for due in found}
        assert first_sent == {maybe.event_id: NOW, never.event_id: after(5)}


async def test_after_a_kill_the_same_attempt_is_made_again(inbox: Inbox, tmp_path: Path) -> None:
    """Killed between the agency's answer and the mark: same request id, same bytes, same time."""
    await take(inbox, view())
    (before,) = await claim(inbox)
    copy = as_if_killed(tmp_path)
    count = await copy.recover()
    (again,) = await claim(copy, after(60))
    await copy.aclose()

    assert count == 1
    assert replace(again, attempts=before.attempts) == before


async def test_what_is_past_its_deadline_is_paged_once_and_tried_on(inbox: Inbox) -> None:
    """One page each, however long it takes; the view stays on its way."""
    await take(inbox, view(1), view(2, deadline=after(9999)))
    first, _ = await claim(inbox)
    await inbox.failed(first, later(700), NOW)

    assert await inbox.pages.new(after(599)) == []
    (parked,) = await inbox.pages.new(after(600))
    assert await inbox.pages.new(after(601)) == []

    assert (parked.event_id, parked.reason) == (first.event_id, "try-later")
    assert [due.event_id for due in await claim(inbox, after(700))] == [first.event_id]


async def test_what_waits_behind_others_is_paged_as_well(inbox: Inbox) -> None:
    """A view that never had its turn is as late as one that failed."""
    await take(inbox, view())

    (parked,) = await inbox.pages.new(after(600))

    assert parked.reason == "deadline-passed"


async def test_a_refused_view_is_paged_at_once(inbox: Inbox) -> None:
    """Nobody waits for a deadline when the agency has said no."""
    await take(inbox, view())
    (due,) = await claim(inbox)

    await inbox.failed(due, later(300, reason="refused", park=True), NOW)

    assert [parked.reason for parked in await inbox.pages.new(NOW)] == ["refused"]
    assert [parked.event_id for parked in await inbox.pages.all()] == [due.event_id]


async def test_a_person_resolves_what_is_parked_and_nothing_else(inbox: Inbox) -> None:
    """A resolved view is closed, and the next one of its referral goes."""
    referral = "f" * 32
    await take(inbox, view(1, referral_id=referral), view(2, referral_id=referral))
    (due,) = await claim(inbox)
    assert not await inbox.pages.resolve(due.request_id, "duty manager", NOW)
    await inbox.failed(due, later(9999, park=True), NOW)
    await inbox.pages.new(NOW)

    assert await inbox.pages.resolve(due.request_id, "duty manager", NOW)

    assert [due.event_id for due in await claim(inbox)] == [f"{2:032x}"]


async def test_nothing_of_a_closed_lane_moves_and_all_of_it_is_paged(inbox: Inbox) -> None:
    """Every referral of a closed lane is a telephone call; other lanes go on."""
    await take(inbox, view(1), view(2, purpose="responder-safety"))
    await inbox.lanes.close("crisis-response", "over-shared", NOW)
    closed = await inbox.lanes.all()

    moving = await claim(inbox, closed=closed)
    parked = await inbox.pages.new(NOW, closed)

    assert [due.purpose for due in moving] == ["responder-safety"]
    assert [(each.purpose, each.reason) for each in parked] == [("crisis-response", "lane-closed")]


async def test_a_reopened_lane_sends_what_waited(inbox: Inbox) -> None:
    """After a person reopened it, nothing has been forgotten."""
    await take(inbox, view())
    await inbox.lanes.close("crisis-response", "over-shared", NOW)

    await inbox.lanes.reopen("crisis-response")

    assert await inbox.lanes.all() == {}
    assert len(await claim(inbox)) == 1


async def test_a_delivery_and_its_receipt_are_one_commit(inbox: Inbox) -> None:
    """The receipt waits until intake has it, and asks for its next try."""
    await take(inbox, view())
    (due,) = await claim(inbox)

    await inbox.delivered(due, after(2), with_receipt=True)

    (receipt,) = await inbox.receipts.due(after(2), 10)
    assert (receipt.request_id, receipt.stored_at) == (due.request_id, after(2))
    await inbox.receipts.failed(due.request_id, after(20))
    assert await inbox.receipts.due(after(19), 10) == []
    assert await inbox.receipts.next_due(NOW) == after(20)
    await inbox.receipts.accepted(due.request_id, after(20))
    assert await inbox.receipts.waiting() == 0


async def test_the_next_due_time_is_ahead(inbox: Inbox) -> None:
    """The dispatcher may sleep until a view falls due or past its deadline, and never spins."""
    await take(inbox, view(1), view(2, referral_id=f"{1001:032x}", deadline=after(9999)))
    assert await inbox.next_due(NOW) == after(600)
    (due,) = await claim(inbox)

    await inbox.failed(due, later(30), NOW)

    assert await inbox.next_due(NOW) == after(30)
    assert await inbox.next_due(after(30)) == after(600)


async def test_standing_counts_what_is_open(inbox: Inbox) -> None:
    """Waiting, parked and the oldest acceptance: what the metrics show."""
    await take(inbox, view(1, accepted_at=after(-50), deadline=NOW), view(2))
    await inbox.pages.new(NOW)

    standing = await inbox.standing()

    assert (standing.waiting, standing.parked, standing.oldest_at) == (2, 1, after(-50))


async def test_payload_is_sealed_and_purged(inbox: Inbox, tmp_path: Path) -> None:
    """No file ever holds the plain view; after its time the row is gone, the open one stays."""
    await take(inbox, view(1), view(2))
    done, _open = await claim(inbox)
    await inbox.delivered(done, NOW, with_receipt=False)
    assert b"payload-canary" not in everything_in(tmp_path)

    assert await inbox.purge(NOW) == 0
    assert await inbox.purge(after(1)) == 1

    assert (await inbox.standing()).waiting == 1


async def test_a_view_with_an_open_receipt_is_not_purged(inbox: Inbox) -> None:
    """What intake has not been told yet is still needed."""
    await take(inbox, view())
    (due,) = await claim(inbox)
    await inbox.delivered(due, NOW, with_receipt=True)

    assert await inbox.purge(after(1)) == 0
    await inbox.receipts.accepted(due.request_id, after(1))

    assert await inbox.purge(after(2)) == 1


async def test_a_row_that_does_not_open_stops_no_other(tmp_path: Path) -> None:
    """A damaged or foreign row comes out empty, so that it parks, and the rest goes on."""
    other = Sealer(keys={"ffffffff": bytes(32)}, current="ffffffff")
    inbox = Inbox(tmp_path / "inbox.db", other)
    await take(inbox, view(1))
    await inbox.aclose()
    inbox = Inbox(tmp_path / "inbox.db", SEALER)
    await take(inbox, view(2))

    found = [due.value for due in await claim(inbox)]
    await inbox.aclose()

    assert found == [b"", b"payload-canary"]


async def test_only_one_instance_may_have_an_inbox(inbox: Inbox, tmp_path: Path) -> None:
    """Two deliver processes of one recipient would send everything twice."""
    with pytest.raises(ConfigurationError):
        Inbox(tmp_path / "inbox.db", SEALER)
