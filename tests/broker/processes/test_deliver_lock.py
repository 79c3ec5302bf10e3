"""The second lock: a field too many, a wrong lane or an unknown agreement never gets through."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.codec.views import schema_of_view
from broker.domain.agreements import Agreement, AgreementBook
from broker.domain.clauses import Suspension
from broker.domain.decisions import Plan, Reduction
from broker.processes.deliver_lock import (
    OverSharedError,
    SecondLock,
    SuspendedAgreementError,
    UnknownAgreementError,
    fields,
)
from broker.resources import deploy_folder
from broker.runtime import metrics
from tests.support.agency import stand_in
from tests.support.deliver import CRISIS, POLICE, PURPOSE, bench, example

CATALOGUE = load_catalogue()
BOOK = load_book(None, CATALOGUE)
MADE = CATALOGUE.event("referral_made")
PLANS = list(BOOK.plans(POLICE, CRISIS, PURPOSE, MADE))
DAY = date(2026, 11, 22)


def lock(*agreements: Agreement) -> SecondLock:
    """A lock with these versions in its hands."""
    return SecondLock(
        catalogue=CATALOGUE, agreements=agreements, recipient=CRISIS, today=lambda: DAY
    )


LOCK = lock(*BOOK.agreements)
NUMBERS = count(1)
BRIDGE = "referral_made.unknown_man_on_bridge"
LOG = "incident.log"
SUSPENSION = Suspension(signed_by="Head of nothing", at=date(2026, 11, 22), reason="a test")


def native(**manifest: object) -> dict[str, dict[str, object]]:
    """What the lock reads of a decoded view."""
    return {
        "envelope": {"sender": POLICE, "event_type": "referral_made"},
        "manifest": {**PLANS[0].manifest, **manifest},
    }


def cut(released: Mapping[str, Reduction | None]) -> dict[str, Any]:
    """The schema of a view of what is released."""
    found: dict[str, Any] = schema_of_view(MADE, released, recipient=CRISIS, purpose=PURPOSE)
    return found


GRANTED = [set(fields(cut(plan.released))) for plan in PLANS]


@settings(deadline=None)
@given(st.sampled_from(PLANS), st.sampled_from(sorted(MADE.leaves)))
def test_one_leaf_more_than_any_plan_grants_is_one_too_many(plan: Plan, path: str) -> None:
    """Whatever leaf is added to whatever plan: it does not pass under that plan's manifest."""
    lengths = {leaf for leaf in MADE.leaves if leaf.endswith(".#") and path.startswith(leaf[:-1])}
    schema = cut({**plan.released, path: None, **dict.fromkeys(lengths)})
    view = {**native(), "manifest": plan.manifest}

    if set(fields(schema)) == set(fields(cut(plan.released))):
        LOCK.check(schema, next(NUMBERS), view, PURPOSE)
    else:
        with pytest.raises(OverSharedError):
            LOCK.check(schema, next(NUMBERS), view, PURPOSE)


@settings(deadline=None)
@given(st.sampled_from(PLANS), st.booleans())
def test_what_a_plan_grants_passes(plan: Plan, complete: bool) -> None:  # noqa: FBT001 - drawn
    """The lock never stops a lane for a view that was cut as agreed, be it the envelope alone."""
    view = {**native(), "manifest": {**plan.manifest, "complete": complete}}

    LOCK.check(cut(plan.released), next(NUMBERS), view, PURPOSE)


@settings(deadline=None)
@given(st.sampled_from(PLANS), st.sampled_from(PLANS))
def test_the_manifest_speaks_of_the_fields_it_came_with(fields_of: Plan, said_by: Plan) -> None:
    """Fields of one plan under the manifest of another pass only where the two agree."""
    view = {**native(), "manifest": said_by.manifest}
    schema = cut(fields_of.released)
    agreeing = any(
        plan.manifest == said_by.manifest and plan.released == fields_of.released for plan in PLANS
    )

    if agreeing:
        LOCK.check(schema, next(NUMBERS), view, PURPOSE)
    else:
        with pytest.raises(OverSharedError, match="@ manifest"):
            LOCK.check(schema, next(NUMBERS), view, PURPOSE)


def test_a_schema_that_passed_is_not_believed_whatever_its_manifest_says() -> None:
    """The manifest is looked at in every view, not only in the first of its schema."""
    schema, number = cut(PLANS[0].released), next(NUMBERS)
    LOCK.check(schema, number, native(), PURPOSE)

    with pytest.raises(OverSharedError, match="@ manifest"):
        LOCK.check(schema, number, native(entries=[]), PURPOSE)


def versions(**youngest: Any) -> tuple[Agreement, Agreement]:
    """The agreement of our lane, and a next version of it that grants nothing new."""
    found = BOOK.find(POLICE, CRISIS, PURPOSE)
    assert found is not None
    return found, replace(found, version=found.version + 1, **youngest)


def test_a_view_on_its_way_is_not_stranded_by_the_next_version() -> None:
    """It is held against the version it names, the younger one against its own."""
    both = versions(valid_from=DAY)
    (plan, *_) = AgreementBook(both[1:]).plans(POLICE, CRISIS, PURPOSE, MADE)

    lock(*both).check(cut(PLANS[0].released), next(NUMBERS), native(), PURPOSE)
    lock(*both).check(
        cut(plan.released), next(NUMBERS), {**native(), "manifest": plan.manifest}, PURPOSE
    )


def test_a_version_that_has_not_begun_is_not_held_yet() -> None:
    """Nobody may release by what counts from tomorrow."""
    both = versions(valid_from=DAY + timedelta(days=1))

    with pytest.raises(UnknownAgreementError):
        lock(*both).check(
            cut(PLANS[0].released),
            next(NUMBERS),
            native(agreement_version=both[1].version),
            PURPOSE,
        )


@pytest.mark.parametrize("which", [0, 1])
def test_a_suspension_stops_what_is_on_its_way_and_no_lane(which: int) -> None:
    """Signed in the version of the view or in the next: it waits for a person."""
    both = list(versions(valid_from=DAY))
    both[which] = replace(both[which], suspension=SUSPENSION)

    with pytest.raises(SuspendedAgreementError):
        lock(*both).check(cut(PLANS[0].released), next(NUMBERS), native(), PURPOSE)


def test_internal_fields_of_the_envelope_are_too_many() -> None:
    """What stands behind `correlation_id` never leaves the broker, whatever the body holds."""
    schema = cut(PLANS[0].released)
    envelope, *rest = schema["fields"]
    facts = {"name": "facts", "type": {"type": "array", "items": "string"}}
    wider = {**envelope["type"], "fields": [*envelope["type"]["fields"], facts]}

    with pytest.raises(OverSharedError, match=r"envelope\.facts"):
        LOCK.check(
            {**schema, "fields": [{**envelope, "type": wider}, *rest]},
            next(NUMBERS),
            native(),
            PURPOSE,
        )


def test_a_view_cut_for_another_purpose_is_on_the_wrong_lane() -> None:
    """What may be known for one purpose may not be read for another."""
    schema = cut(PLANS[0].released)

    with pytest.raises(OverSharedError, match=r"manifest\.purpose"):
        LOCK.check(schema, next(NUMBERS), native(purpose="care-coordination"), PURPOSE)


async def test_a_field_too_many_closes_the_lane_before_anything_leaves(tmp_path: Path) -> None:
    """Nothing goes out any more: neither that view, nor those before it, nor those after it."""
    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        good = await made.maker.view(example(BRIDGE), number=1)
        leaking = await made.maker.view(example(BRIDGE), number=2, more={LOG: None})
        other = await made.maker.view(example(BRIDGE), number=3)
        await made.take(good, leaking, other)
        await made.step()

        closed = await made.inbox.lanes.all()

    assert agency.got == []
    assert closed == {PURPOSE: "over-shared"}
    assert [page.reason for page in made.pages] == ["lane-closed"] * 3
    assert metrics.LANE_CLOSED.labels(CRISIS)._value.get() == 1


async def test_a_closed_lane_stays_closed_until_a_person_reopens_it(tmp_path: Path) -> None:
    """A restart changes nothing; reopening sends what was cut as agreed and nothing else."""
    async with stand_in() as agency:
        async with bench(tmp_path, agency.url) as made:
            leaking = await made.maker.view(example(BRIDGE), number=2, more={LOG: None})
            await made.take(await made.maker.view(example(BRIDGE), number=1), leaking)
        async with bench(tmp_path, agency.url) as made:
            await made.step()
            assert agency.got == []

            await made.inbox.lanes.reopen(PURPOSE)
            await made.step()
            await made.step()

            closed = await made.inbox.lanes.all()

    assert len(agency.got) == 1
    assert b"Drop of 14 m" in agency.got[0].body
    assert closed == {PURPOSE: "over-shared"}


async def test_a_view_of_an_agreement_we_do_not_hold_waits_for_a_person(tmp_path: Path) -> None:
    """It may be right, but we cannot tell: it is parked and paged, and the lane goes on."""
    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        newer = await made.maker.view(example(BRIDGE), number=1, manifest={"agreement_version": 99})
        await made.take(newer, await made.maker.view(example(BRIDGE), number=2))
        await made.step()

    assert len(agency.got) == 1
    assert [page.reason for page in made.pages] == ["agreement-unknown"]


async def test_the_file_of_the_version_before_keeps_its_views_moving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files of one agreement in the folder: a view of the older version is delivered."""
    folder = tmp_path / "agreements"
    shutil.copytree(deploy_folder() / "agreements", folder)
    (found,) = [file for file in folder.glob("*.toml") if f'"{CRISIS}"' in file.read_text("utf-8")
                and f'"{POLICE}"' in file.read_text("utf-8")]  # fmt: skip
    text = found.read_text("utf-8")
    version = PLANS[0].agreement_version
    assert f"\nversion = {version}\n" in text
    younger = text.replace(f"\nversion = {version}\n", f"\nversion = {version + 1}\n")
    (folder / "next.toml").write_text(younger, "utf-8")
    monkeypatch.setenv("CRISIS_AGREEMENTS_DIR", str(folder))

    async with stand_in() as agency, bench(tmp_path, agency.url) as made:
        await made.take(await made.maker.view(example(BRIDGE)))
        await made.step()

    assert len(agency.got) == 1
    assert made.pages == []
