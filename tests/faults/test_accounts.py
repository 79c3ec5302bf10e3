"""The books can be in order, and every way of cooking them is found out."""

from dataclasses import replace

import pytest

from tests.faults.accounts import Evidence, faults, settle
from tests.faults.installation import CRISIS, Installation
from tests.faults.load import cases

pytestmark = [pytest.mark.kafka, pytest.mark.crash]


def _without_a_view(good: Evidence) -> Evidence:
    return replace(good, views=good.views[1:])


def _with_a_view_twice(good: Evidence) -> Evidence:
    return replace(good, views=(*good.views, good.views[0]))


def _with_another_view(good: Evidence) -> Evidence:
    other = replace(good.views[0], value=good.views[0].value + b" ")
    return replace(good, views=(other, *good.views[1:]))


def _without_a_disclosure(good: Evidence) -> Evidence:
    return replace(good, disclosures=good.disclosures[1:])


def _with_a_disclosure_twice(good: Evidence) -> Evidence:
    return replace(good, disclosures=(*good.disclosures, good.disclosures[0]))


def _without_an_event(good: Evidence) -> Evidence:
    return replace(good, events=good.events[1:])


def _with_views_swapped(good: Evidence) -> Evidence:
    one = good.views[0]
    other = next(
        view for view in good.views[1:]
        if (view.referral_id, view.route) == (one.referral_id, one.route)
    )  # fmt: skip
    swapped = {one: replace(one, place=other.place), other: replace(other, place=one.place)}
    return replace(good, views=tuple(swapped.get(view, view) for view in good.views))


def _with_a_gap_in_the_chain(good: Evidence) -> Evidence:
    number = next(number for number, values in good.chains.items() if len(values) > 2)
    values = good.chains[number]
    return replace(good, chains={**good.chains, number: (*values[:1], *values[2:])})


def _without_a_delivery(good: Evidence) -> Evidence:
    return replace(good, delivered={**good.delivered, CRISIS: good.delivered[CRISIS][1:]})


def _with_a_delivery_under_another_id(good: Evidence) -> Evidence:
    (_, body), *rest = good.delivered[CRISIS]
    return replace(good, delivered={**good.delivered, CRISIS: (("another", body), *rest)})


def _with_a_delivery_changed(good: Evidence) -> Evidence:
    request_id, body = good.delivered[CRISIS][0]
    more = (*good.delivered[CRISIS], (request_id, body + b" "))
    return replace(good, delivered={**good.delivered, CRISIS: more})


def _with_deliveries_reversed(good: Evidence) -> Evidence:
    return replace(good, delivered={**good.delivered, CRISIS: good.delivered[CRISIS][::-1]})


def _with_something_held(good: Evidence) -> Evidence:
    record = good.disclosures[0]
    held = {
        **{name: record[name] for name in ("referral_id", "recipient", "purpose", "release_id")},
        "kind": "held",
    }
    return replace(good, held=(held,))


def _with_a_receipt_missing(good: Evidence) -> Evidence:
    none = tuple(replace(event, receipt_for="") for event in good.events)
    return replace(good, events=none)


def _accepted_and_lost(good: Evidence) -> Evidence:
    return replace(good, accepted=(*good.accepted, "0" * 32))


TRICKS = (
    _without_a_view,
    _with_a_view_twice,
    _with_another_view,
    _without_a_disclosure,
    _with_a_disclosure_twice,
    _without_an_event,
    _with_views_swapped,
    _with_a_gap_in_the_chain,
    _without_a_delivery,
    _with_a_delivery_under_another_id,
    _with_a_delivery_changed,
    _with_deliveries_reversed,
    _with_something_held,
    _with_a_receipt_missing,
    _accepted_and_lost,
)


async def test_good_books_are_in_order_and_cooked_ones_are_not(site: Installation):
    """Without any fault everything adds up; with any single trick played on it, it does not."""
    await site.start_all()
    load = site.load()

    await load.send_some(cases(1), 10)
    good = await settle(site, load.accepted)

    assert load.refused == []
    assert len(good.accepted) == 30
    assert len(good.views) >= 60
    assert [trick.__name__ for trick in TRICKS if not faults(trick(good))] == []
