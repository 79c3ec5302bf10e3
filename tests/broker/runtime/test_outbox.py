"""The outbox: same again, conflict, order, receipts and forgetting."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.domain.errors import TransportError
from broker.domain.findings import Finding, Severity
from broker.runtime.outbox import Conflict, Entry, Outbox, Receipt, State
from broker.runtime.sqlite import Connection

NOW = datetime(2026, 11, 22, 14, 2, 11, 5, tzinfo=UTC)
FINDING = Finding(
    code="nhs-number-check-failed", path="$.body.subject", severity=Severity.WARNING, kept="kept"
)


def entry(number: int = 1, **changes: object) -> Entry:
    """Return one entry; every number is another event of another referral."""
    usual = Entry(
        event_id=f"{number:032x}",
        event_type="referral_made",
        referral_id=f"{1000 + number:032x}",
        party="midshire-police",
        digest=bytes([number]) * 32,
        topic="crisis.events",
        partition=number % 12,
        priority=0,
        key=b"key",
        value=b"\0\0\0\0\1payload-canary",
        accepted_at=NOW,
        findings=(FINDING,),
        routes=(("northvale-crisis", "crisis-response"),),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    """One open outbox."""
    outbox = Outbox(tmp_path / "outbox.db")
    yield outbox
    await outbox.aclose()


async def test_an_accepted_event_has_a_receipt_with_what_was_noticed(outbox: Outbox) -> None:
    """The receipt names event, referral, state, time and findings."""
    (receipt,) = await outbox.accept([entry()])

    assert receipt == Receipt(
        event_id=f"{1:032x}",
        event_type="referral_made",
        referral_id=f"{1001:032x}",
        state=State.STORED_HERE,
        accepted_at=NOW,
        findings=(FINDING,),
    )


async def test_the_same_again_finds_its_receipt_and_is_one_event(outbox: Outbox) -> None:
    """A repeat gets the first receipt, marked as repeated, and nothing is stored twice."""
    (first,) = await outbox.accept([entry()])
    (second,) = await outbox.accept([entry(accepted_at=NOW + timedelta(hours=1), value=b"later")])

    assert second == replace(first, repeated=True)
    assert len(await outbox.waiting()) == 1


async def test_other_content_under_the_same_key_is_a_conflict(outbox: Outbox) -> None:
    """The first content stands; the second one is refused."""
    await outbox.accept([entry()])
    (answer,) = await outbox.accept([entry(digest=b"?" * 32, value=b"other")])

    assert answer == Conflict(event_id=f"{1:032x}")
    assert (await outbox.payload(1)).value == entry().value


async def test_what_waits_is_given_in_the_order_accepted(outbox: Outbox) -> None:
    """Waiting entries come in order, and only those behind a place when asked so."""
    await outbox.accept([entry(3), entry(1)])
    await outbox.accept([entry(2)])
    everything = await outbox.waiting()
    rest = await outbox.waiting(after=everything[0].place)

    assert [each.event_id for each in everything] == [f"{n:032x}" for n in (3, 1, 2)]
    assert rest == everything[1:]


async def test_handed_over_waits_no_more_and_says_so(outbox: Outbox) -> None:
    """After the hand-over the receipt says so, also to a repeat."""
    await outbox.accept([entry(1), entry(2)])
    await outbox.hand_over(f"{1:032x}", NOW)
    (again,) = await outbox.accept([entry(1)])

    assert [each.event_id for each in await outbox.waiting()] == [f"{2:032x}"]
    assert isinstance(again, Receipt)
    assert again.state is State.HANDED_OVER


async def test_what_waits_survives_a_restart(tmp_path: Path) -> None:
    """A new process finds the entries, the receipts and the payload of the old one."""
    first = Outbox(tmp_path / "outbox.db")
    await first.accept([entry(1), entry(2)])
    await first.hand_over(f"{1:032x}", NOW)
    await first.aclose()
    second = Outbox(tmp_path / "outbox.db")
    (waiting,) = await second.waiting()
    payload = await second.payload(waiting.place)
    await second.aclose()

    assert (waiting.event_id, payload.value) == (f"{2:032x}", entry().value)


async def test_a_receipt_is_shown_to_its_sender_only(outbox: Outbox) -> None:
    """Another party learns nothing, not even that the event exists."""
    await outbox.accept([entry()])

    assert await outbox.receipt("midshire-police", f"{1:032x}") is not None
    assert await outbox.receipt("northvale-crisis", f"{1:032x}") is None


async def test_the_addressees_of_a_referral_are_remembered(outbox: Outbox) -> None:
    """What the sender addressed is known for what it sends later; answers do not mix in."""
    await outbox.accept([entry(1)])
    answer = entry(
        2,
        referral_id=f"{1001:032x}",
        party="northvale-crisis",
        event_type="referral_accepted",
        routes=(("midshire-police", "police-outcome-feedback"),),
    )
    await outbox.accept([answer])

    assert await outbox.sender_of(f"{1001:032x}") == "midshire-police"
    assert await outbox.routes_of(f"{1001:032x}", "midshire-police") == {
        ("northvale-crisis", "crisis-response")
    }


async def test_payload_is_overwritten_a_while_after_the_hand_over(
    outbox: Outbox, tmp_path: Path
) -> None:
    """Purging leaves no byte of the payload in any file; the receipt stays until its own time."""
    await outbox.accept([entry(1)])
    await outbox.hand_over(f"{1:032x}", NOW)
    await outbox.purge(payload_before=NOW, receipts_before=NOW)
    kept = stored_bytes(tmp_path).count(b"payload-canary")
    await outbox.purge(payload_before=NOW + timedelta(seconds=1), receipts_before=NOW)

    assert kept > 0
    assert b"payload-canary" not in stored_bytes(tmp_path)
    assert await outbox.receipt("midshire-police", f"{1:032x}") is not None


async def test_nothing_is_forgotten_before_kafka_has_it(outbox: Outbox) -> None:
    """However old it is, an entry that was not handed over stays."""
    await outbox.accept([entry(1)])
    late = NOW + timedelta(days=400)
    await outbox.purge(payload_before=late, receipts_before=late)

    assert len(await outbox.waiting()) == 1
    assert await outbox.receipt("midshire-police", f"{1:032x}") is not None


async def test_receipts_and_addressees_are_forgotten_at_last(outbox: Outbox) -> None:
    """When the receipt's time has come, nothing of the referral is left."""
    await outbox.accept([entry(1)])
    await outbox.hand_over(f"{1:032x}", NOW)
    late = NOW + timedelta(days=31)
    await outbox.purge(payload_before=late, receipts_before=late)

    assert await outbox.receipt("midshire-police", f"{1:032x}") is None
    assert await outbox.routes_of(f"{1001:032x}", "midshire-police") == set()


async def test_purging_in_small_steps_leaves_nothing_behind(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are due, all are purged."""
    monkeypatch.setattr("broker.runtime.outbox.PURGE_AT_ONCE", 3)
    await outbox.accept([entry(number) for number in range(1, 11)])
    for number in range(1, 11):
        await outbox.hand_over(f"{number:032x}", NOW)
    late = NOW + timedelta(days=31)

    assert await outbox.purge(payload_before=late, receipts_before=late) == 10
    assert await outbox.receipt("midshire-police", f"{10:032x}") is None


async def test_the_disk_can_be_tried(outbox: Outbox) -> None:
    """What is wrong with the disk is named before a referral meets it, and so is its recovery."""

    def shrink(connection: Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        connection.execute("CREATE TABLE large AS SELECT zeroblob(100000) AS blob")

    healthy = await outbox.check(NOW)
    with pytest.raises(TransportError):
        await outbox.store.write(shrink)
    again = await outbox.check(NOW)
    await outbox.aclose()

    assert (healthy, again) == (None, None)
    assert "closed" in str(await outbox.check(NOW))


async def test_what_kafka_may_have_lost_waits_again_in_its_order(outbox: Outbox) -> None:
    """Only what was handed over since then, with its payload, and receipts say what is known."""
    entries = [entry(number) for number in (1, 2, 3)]
    await outbox.accept(entries)
    for minutes, each in enumerate(entries):
        await outbox.hand_over(each.event_id, NOW + timedelta(minutes=minutes))

    count = await outbox.hand_over_again(NOW + timedelta(minutes=1))

    assert count == 2
    assert [each.event_id for each in await outbox.waiting()] == [e.event_id for e in entries[1:]]
    assert (await outbox.payload(2)).value == entries[1].value
    states = [await outbox.receipt(each.party, each.event_id) for each in entries]
    assert [receipt and receipt.state for receipt in states] == [
        State.HANDED_OVER,
        State.STORED_HERE,
        State.STORED_HERE,
    ]


async def test_what_is_purged_cannot_be_handed_over_again(outbox: Outbox) -> None:
    """Without its payload an event stays handed over: nothing is promised that cannot be kept."""
    await outbox.accept([entry()])
    await outbox.hand_over(entry().event_id, NOW)
    await outbox.purge(payload_before=NOW + timedelta(seconds=1), receipts_before=NOW)

    assert await outbox.hand_over_again(NOW) == 0
    receipt = await outbox.receipt(entry().party, entry().event_id)
    assert receipt is not None
    assert receipt.state is State.HANDED_OVER


def stored_bytes(folder: Path) -> bytes:
    """Return everything that stands in the store's files."""
    return b"".join(file.read_bytes() for file in folder.iterdir())
