"""One of two routes cannot be written: the other one goes on, and nothing is lost on either."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from broker.runtime.acls import AclSpec, Operation, Resource, plan_acls
from broker.runtime.kafka_acls import create_acls, delete_acls
from broker.runtime.kafka_admin import apply
from broker.runtime.local_kafka import LocalKafka
from broker.runtime.topics import plan, release_topic
from tests.faults.accounts import Evidence, settle
from tests.faults.installation import AMBULANCE, CRISIS, PARTITIONS, Installation, installation
from tests.faults.load import ROUTES, Document, cases

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

LIMIT_BYTES = 300 * 1024
TOO_LARGE = "Yn fyr: " + "ŵŷ" * 90_000
"""A hand-over summary of 360 000 bytes: fits an event, and no lane with the limit above."""


@pytest.fixture
async def guarded(
    shared_kafka: LocalKafka, namespace: str, tmp_path: Path
) -> AsyncIterator[Installation]:
    """An installation whose release is a user with the rights of the plan and no others."""
    async with installation(tmp_path / "site", shared_kafka.bootstrap, namespace) as site:
        await create_acls(shared_kafka.bootstrap, plan_acls(namespace, site.lanes, "local"))
        await site.intake()
        await site.deliver(CRISIS)
        assert shared_kafka.sasl_bootstrap
        as_release = {
            "KAFKA_BOOTSTRAP_SERVERS": shared_kafka.sasl_bootstrap,
            "CRISIS_KAFKA__SASL_MECHANISM": "PLAIN",
            "CRISIS_KAFKA__SASL_USERNAME": "release",
            "CRISIS_KAFKA__SASL_PASSWORD": shared_kafka.sasl_password,
        }
        await site.release(environment=as_release)
        yield site


def _views(books: Evidence, recipient: str) -> int:
    return sum(view.route[0] == recipient for view in books.views)


async def test_a_revoked_right_holds_one_route_and_no_other(
    guarded: Installation, shared_kafka: LocalKafka, namespace: str
):
    """Without the right to write to one lane its views are held, and follow in order later."""
    load = guarded.load()
    found = cases(1)
    await load.send_some(found, 4)
    before = await settle(guarded, load.accepted)
    right = AclSpec(
        principal="User:release",
        resource=Resource.TOPIC,
        name=release_topic(namespace, *ROUTES[0]),
        operation=Operation.WRITE,
    )

    await delete_acls(shared_kafka.bootstrap, [right])
    await load.send_some(found, 8)
    without = await settle(guarded, load.accepted, nothing_held=False)
    await create_acls(shared_kafka.bootstrap, [right])
    after = await settle(guarded, load.accepted)

    assert load.refused == []
    assert _views(without, CRISIS) == _views(before, CRISIS) == 12
    assert sum(map(len, without.waiting.values())) == 24
    assert _views(without, AMBULANCE) == _views(before, AMBULANCE) + 24 == 36
    assert _views(after, CRISIS) == 36


async def test_an_oversize_view_holds_its_own_referral_only(site: Installation, namespace: str):
    """A view that its lane refuses is held; later referrals on the same lane get through."""
    lane = ROUTES[0]
    topic = release_topic(namespace, *lane)
    (spec,) = (each for each in plan(namespace, [lane], PARTITIONS) if each.name == topic)
    config = {**spec.config, "max.message.bytes": str(LIMIT_BYTES)}
    await apply(site.bootstrap, [replace(spec, config=config)])
    await site.intake()
    await site.release()
    await site.deliver(CRISIS)
    load = site.load()
    large, *others = islice(cases(2), 9)

    await load.see_through([_with_summary(large[0])])
    held = await settle(site, load.accepted, nothing_held=False)
    for other in others:
        await load.see_through(other)
    await settle(site, load.accepted, all_but=held.waiting)
    await load.see_through(large[1:])
    books = await settle(site, load.accepted, all_but=held.waiting)
    await apply(site.bootstrap, [spec])
    after = await settle(site, load.accepted)

    assert load.refused == []
    assert _views(held, CRISIS) == 0
    assert _views(held, AMBULANCE) == 1
    assert _views(books, CRISIS) == 24
    assert [len(waiting) for waiting in books.waiting.values()] == [3]
    assert _views(after, CRISIS) == 27
    assert "".join(site.logs().values()).count("route unwritable, holding its views") == 1


def _with_summary(document: Document) -> Document:
    return {**document, "body": {**document["body"], "handover_summary": TOO_LARGE}}
