"""In equals out, and whoever loses, doubles or invents something is found out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from broker.simulation.chronicle import Chronicle, Event, ViewSeen
from broker.simulation.reconcile import reconcile

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
TEAM = ("northvale-crisis", "crisis-response")
COUNCIL = ("midshire-council", "safeguarding-adult")


def event(number: int, *routes: tuple[str, str]) -> Event:
    """Return one made event with these routes."""
    envelope = {
        "event_id": f"e{number}",
        "referral_id": f"{number:032x}",
        "event_type": "referral_made",
        "sender": "midshire-police",
        "recorded_at": NOW,
        "urgency": {"rank": "urgent"},
        "routes": [{"recipient": recipient, "purpose": purpose} for recipient, purpose in routes],
    }
    return Event(place=(0, number), native={"envelope": envelope}, size_bytes=1, seen_at_ms=0)


def disclosure(number: int, route: tuple[str, str], outcome: str, supersedes: str = "") -> Any:
    """Return one disclosure of an event on a route."""
    return {
        "event_id": f"e{number}",
        "referral_id": f"{number:032x}",
        "recipient": route[0],
        "purpose": route[1],
        "outcome": outcome,
        "supersedes": supersedes,
    }


def view(number: int, route: tuple[str, str]) -> ViewSeen:
    """Return one view of an event on a route."""
    envelope = {"event_id": f"e{number}", "referral_id": f"{number:032x}", "event_type": "x"}
    return ViewSeen(
        recipient=route[0],
        purpose=route[1],
        release_id=f"r{number}-{route[0]}",
        native={"envelope": envelope},
        schema={},
        value=b"",
        seen_at_ms=0,
    )


def held(number: int, route: tuple[str, str], kind: str = "held") -> Any:
    """Return one record of `held`."""
    return {"kind": kind, "release_id": f"r{number}-{route[0]}"}


@pytest.fixture
def whole() -> Chronicle:
    """Return a run in which everything adds up: two released, one held, one without a route."""
    chronicle = Chronicle()
    for each in (event(1, TEAM, COUNCIL), event(2, TEAM), event(3)):
        chronicle.add_event(each)
    chronicle.disclosures += [
        disclosure(1, TEAM, "released"),
        disclosure(1, COUNCIL, "held"),
        disclosure(2, TEAM, "released"),
        disclosure(3, ("", ""), "no_route"),
    ]
    chronicle.views += [view(1, TEAM), view(2, TEAM)]
    chronicle.held.append(held(1, COUNCIL))
    return chronicle


def test_a_whole_run_adds_up(whole: Chronicle) -> None:
    """Accepted is released and held and without a route, each once."""
    counts = reconcile(whole, ["e1", "e2", "e3"])

    assert counts.faults == ()
    assert (counts.accepted, counts.due) == (3, 4)
    assert counts.outcomes == {"released": 2, "held": 1, "no_route": 1}


def test_what_was_held_and_is_resolved_counts_once(whole: Chronicle) -> None:
    """A redriven route is released, no longer held, and not disclosed twice."""
    whole.disclosures.append(disclosure(1, COUNCIL, "released", supersedes="r1"))
    whole.views.append(view(1, COUNCIL))
    whole.held.append(held(1, COUNCIL, "resolved"))

    assert reconcile(whole).faults == ()


def test_an_event_with_a_receipt_that_never_arrived_is_found(whole: Chronicle) -> None:
    """A receipt is a promise: whatever has one must be in the log."""
    assert reconcile(whole, ["e9"]).faults == ("accepted and not in the log: e9",)


def test_a_lost_view_is_found(whole: Chronicle) -> None:
    """A record of a release without the release is a fault."""
    whole.views.pop()

    assert reconcile(whole).faults == ("recorded but not released: e2",)


def test_a_view_without_its_record_is_found(whole: Chronicle) -> None:
    """A release that nobody recorded is a fault, and the route is missing as well."""
    whole.disclosures.pop(0)

    assert set(reconcile(whole).faults) == {
        "released without a record: e1",
        "accepted, neither released nor held nor dead: e1",
    }


def test_a_view_that_came_twice_is_found(whole: Chronicle) -> None:
    """A recipient that sees the same referral twice would answer it twice."""
    whole.views.append(view(2, TEAM))

    assert reconcile(whole).faults == ("released twice: e2",)


def test_a_record_that_came_twice_is_found(whole: Chronicle) -> None:
    """One release has one record."""
    whole.disclosures.append(disclosure(2, TEAM, "released"))

    assert reconcile(whole).faults == ("disclosed twice: e2",)


def test_a_disclosure_of_nothing_is_found(whole: Chronicle) -> None:
    """Nothing may be recorded of an event that never was."""
    whole.disclosures.append(disclosure(7, TEAM, "held"))
    whole.held.append(held(7, TEAM))

    assert reconcile(whole).faults == ("disclosed, but never accepted: e7",)


def dead(offset: int) -> dict[str, bytes]:
    """Return the headers of a dead letter by where it stood in `events`."""
    return {"source-partition": b"0", "source-offset": str(offset).encode()}


def test_a_dead_letter_accounts_for_the_event_at_its_place_only(whole: Chronicle) -> None:
    """Two events without a record and one dead letter: the one that it stands for is found."""
    whole.add_event(event(4, TEAM))
    whole.dead.append(dead(4))

    assert reconcile(whole).faults == ()

    whole.add_event(event(5, TEAM))

    assert reconcile(whole).faults == ("accepted, neither released nor held nor dead: e5",)


def test_a_dead_letter_of_another_place_excuses_nothing(whole: Chronicle) -> None:
    """As many dead letters as lost events prove nothing."""
    whole.add_event(event(4, TEAM))
    whole.dead += [dead(9), {"stage": b"release"}]

    assert reconcile(whole).faults == (
        "accepted, neither released nor held nor dead: e4",
        "dead letter of nothing that was accepted: partition 0, offset 9",
        "dead letter of nothing that was accepted: no place in its headers",
    )


def test_what_is_dead_is_not_released_as_well_nor_dead_twice(whole: Chronicle) -> None:
    """Each event has one end."""
    whole.dead += [dead(2), dead(2)]

    assert reconcile(whole).faults == (
        "dead, and on record as well: e2",
        "dead twice: partition 0, offset 2",
    )


def test_a_reused_id_is_dead_at_its_second_place_only(whole: Chronicle) -> None:
    """The first event of an id is released; other content under it is set aside."""
    again = event(2, TEAM)
    whole.add_event(Event(place=(0, 8), native=again.native, size_bytes=1, seen_at_ms=0))
    whole.dead.append(dead(8))

    assert reconcile(whole).faults == ()


def test_something_held_that_is_not_waiting_is_found(whole: Chronicle) -> None:
    """A held route that stands nowhere would be forgotten."""
    whole.held.clear()

    assert reconcile(whole).faults == ("held: 1 on record, 0 waiting",)
