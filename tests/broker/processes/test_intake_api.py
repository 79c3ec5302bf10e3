"""The HTTP interface: a yes means stored, a no names path and rule."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from broker.codec import wire
from broker.domain import ids
from broker.processes.intake_api import _on_validation
from broker.runtime.limits import RateLimits
from tests.broker.processes.intake_site import (
    IDS,
    SECRET,
    IntakeSite,
    answer,
    intake_site,
    referral,
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[IntakeSite]:
    """One open intake."""
    async with intake_site(tmp_path) as site:
        yield site


async def test_a_referral_is_stored_before_the_receipt(site: IntakeSite) -> None:
    """The receipt names event and referral by derived ids, and the event is in the outbox."""
    response = await site.send(referral())

    assert response.status_code == 202
    receipt = response.json()
    assert receipt["referral_id"] == ids.referral_id(SECRET, "midshire-police", "MP-20261122-0412")
    assert (receipt["state"], receipt["repeated"]) == ("stored here", False)
    assert response.headers["Location"] == f"/v1/receipts/{receipt['event_id']}"
    (event,) = await site.stored()
    assert event["envelope"]["event_id"] == receipt["event_id"]
    assert event["envelope"]["sender"] == "midshire-police"
    assert event["subject"]["identity"]["names"][0]["family"] == "Testperson"


async def test_a_stored_event_reaches_the_log_framed(site: IntakeSite) -> None:
    """What Kafka gets starts with the id of its schema."""
    await site.send(referral())
    (value,) = await site.forwarded(1)

    assert wire.unframe(value)[0] == IDS["referral_made"]
    receipt = await site.send(referral())
    assert receipt.json()["state"] == "handed over"


async def test_the_same_again_is_one_event(site: IntakeSite) -> None:
    """A repeat gets the same receipt, also when its members stand in another order."""
    first = await site.send(referral())
    reordered = dict(reversed(referral().items()))
    second = await site.send(reordered)

    assert second.json() == {**first.json(), "repeated": True}
    assert len(await site.stored()) == 1


async def test_a_key_with_other_content_is_a_conflict(site: IntakeSite) -> None:
    """An idempotency key belongs to its first content."""
    headers = {"Idempotency-Key": "k-1"}
    await site.send(referral(), **headers)
    response = await site.send(referral(sequence=2), **headers)

    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "/v1/problems/idempotency-conflict"
    assert len(await site.stored()) == 1


async def test_without_a_key_other_content_is_a_conflict_that_says_what_to_do(
    site: IntakeSite,
) -> None:
    """The derived key holds no content, so changed content needs a key or a sequence of its own."""
    await site.send(referral())
    changed = referral(body={"handover_summary": "She has left the bridge."})
    response = await site.send(changed)

    assert response.status_code == 409
    (error,) = response.json()["errors"]
    assert error["path"] == "$"
    assert error["rule"].endswith("state an Idempotency-Key or another sequence")
    assert (await site.send({**changed, "sequence": 2})).status_code == 202
    assert (await site.send(changed, **{"Idempotency-Key": "k-2"})).status_code == 202
    assert len(await site.stored()) == 3


async def test_many_at_once_with_one_key_are_one_event(site: IntakeSite) -> None:
    """Even requests that run at the same time make one event."""
    responses = await asyncio.gather(*(site.send(referral()) for _ in range(20)))

    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["event_id"] for response in responses}) == 1
    assert len(await site.stored()) == 1


async def test_doubtful_values_are_flagged_not_refused(site: IntakeSite) -> None:
    """A bad NHS number, a swapped position and an unknown code are findings on event and receipt."""
    body = referral()["body"]
    body["subject"]["identity"]["nhs_number"] = {"value": "9990000019"}
    body["subject"]["location_now"]["position"] = {
        "latitude": -1.47,
        "longitude": 53.38,
        "swap_suspected": False,
    }
    body["risk"]["weapon"] = "maybe"
    response = await site.send(referral(body=body))

    assert response.status_code == 202
    codes = {finding["code"] for finding in response.json()["findings"]}
    assert {"nhs-number-check-failed", "position-swap-suspected", "unknown-symbol"} <= codes
    (event,) = await site.stored()
    assert codes == {finding["code"] for finding in event["envelope"]["findings"]}


async def test_a_route_without_agreement_is_accepted_and_flagged(site: IntakeSite) -> None:
    """It will be held by release; nothing is dropped."""
    routes = [{"recipient": "midshire-council", "purpose": "crisis-response"}]
    response = await site.send(referral(routes=routes))

    assert response.status_code == 202
    assert "no-agreement" in {finding["code"] for finding in response.json()["findings"]}


@pytest.mark.parametrize(
    ("body", "status", "path", "rule"),
    [
        (b"{", 422, "$", "not JSON at line 1 column 2"),
        (b'{"a": 1, "a": 2}', 422, "$.a", "key is there twice"),
        (b'{"a": NaN}', 422, "$", "NaN and infinity are not JSON"),
        (b'{"a": 1e999}', 422, "$", "a number is too large"),
        (b'{"a": "\xff"}', 422, "$", "not UTF-8 at byte 7"),
        (b'{"a": "\\ud800"}', 422, "$.a", "not valid Unicode"),
        (b"[" * 40 + b"]" * 40, 422, "$" + "[0]" * 33, "nested deeper than 32"),
        (b"[" * 100_000, 422, "$", "nested deeper than 32"),
        (b"[]", 422, "$", "not 1 to 500 events"),
        (b"7", 422, "$", "not an object"),
        (b"{}", 422, "$.event_type", "missing or not an event of the catalogue"),
        (b"x" * 2_000_000, 413, "$", "body is larger than 1048576 bytes"),
    ],
)
async def test_broken_bodies_are_named_by_path_and_rule(
    site: IntakeSite, body: bytes, status: int, path: str, rule: str
) -> None:
    """Syntax, encoding, depth and size are refused; nothing is stored."""
    headers = site.headers("midshire-police", **{"Content-Type": "application/json"})
    response = await site.client.post("/v1/referrals", content=body, headers=headers)

    assert response.status_code == status
    assert response.json()["errors"] == [{"path": path, "rule": rule}]
    assert await site.stored() == []


async def test_no_refusal_repeats_a_value(site: IntakeSite) -> None:
    """Whatever is wrong, the answer holds no value of the message."""
    canary = "CANARY-7f3a"
    wrong = [
        referral(occurred_at=canary),
        referral(event_type=canary),
        referral(environment=canary),
        referral(sequence=canary),
        referral(routes=[{"recipient": canary, "purpose": canary}]),
        referral(routes=[{"recipient": canary.lower(), "purpose": "crisis-response"}]),
        referral(body=canary),
        referral(body={"subject": canary}),
        {canary: {canary: canary}},
    ]
    responses = [await site.send(document) for document in wrong]
    responses.append(
        await site.client.get(f"/v1/receipts/{canary}", headers=site.headers("midshire-police"))
    )
    responses.append(await site.client.get(f"/v1/{canary}"))

    assert all(400 <= response.status_code < 500 for response in responses)
    assert all(canary.lower() not in response.text.lower() for response in responses)


@pytest.mark.parametrize("environment", ["live", "exercise", "canary"])
async def test_another_environment_is_refused(site: IntakeSite, environment: str) -> None:
    """Live never gets into test, nor the other way round."""
    response = await site.send(referral(environment=environment))

    assert response.status_code == 422
    assert response.json()["type"] == "/v1/problems/wrong-environment"


async def test_an_unknown_addressee_or_purpose_is_refused(site: IntakeSite) -> None:
    """A typing error in an addressee must come back to the sender, not end in silence."""
    routes = [{"recipient": "northvale-crisi", "purpose": "crisis-respons"}]
    response = await site.send(referral(routes=routes))

    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == [
        "$.routes[0].recipient",
        "$.routes[0].purpose",
    ]


async def test_a_referral_to_nobody_is_refused(site: IntakeSite) -> None:
    """Without an addressee nobody would ever read it."""
    response = await site.send(referral(routes=[]))

    assert response.status_code == 422
    assert response.json()["type"] == "/v1/problems/unknown-addressee"


async def test_every_missing_essential_is_named_at_once(site: IntakeSite) -> None:
    """The sender gets all problems in one answer."""
    response = await site.send({"event_type": "referral_made"})

    paths = {error["path"] for error in response.json()["errors"]}
    assert {"$.reference", "$.occurred_at", "$.environment", "$.body"} <= paths


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 202),
        ({"Content-Type": "application/vnd.crisis+json"}, 202),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Idempotency-Key": "k" * 201}, 422),
    ],
)
async def test_headers_that_would_change_the_meaning_are_refused(
    site: IntakeSite, headers: dict[str, str], status: int
) -> None:
    """Only UTF-8 JSON without compression is read."""
    response = await site.client.post(
        "/v1/referrals",
        content=json.dumps(referral()),
        headers=site.headers("midshire-police", **headers),
    )

    assert response.status_code == status


async def test_a_full_disk_is_said_and_no_receipt_is_given(site: IntakeSite) -> None:
    """The answer is 503 with Retry-After and the advice to phone; afterwards it works again."""

    def shrink(connection: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()  # type: ignore[attr-defined]
        connection.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    await site.outbox.store.write(shrink)
    long = referral(body={"handover_summary": "x" * 200_000})
    response = await site.send(long)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "phone" in response.json()["remedy"]
    assert (await site.send(long)).status_code == 202


async def test_a_defect_answers_with_a_problem_and_no_text(
    site: IntakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error shows nothing of itself to the caller."""

    async def fail(*_args: object) -> None:
        raise ValueError("CANARY-7f3a")

    monkeypatch.setattr(site.outbox, "accept", fail)
    with structlog.testing.capture_logs() as logs:
        response = await site.send(referral())

    assert response.status_code == 500
    assert [entry["event"] for entry in logs] == ["request failed by a defect"]
    assert "CANARY" not in response.text
    assert response.json()["type"] == "/v1/problems/internal"


async def test_problems_are_explained(site: IntakeSite) -> None:
    """The type of a problem document leads to its meaning and remedy."""
    response = await site.send(referral(routes=[]))
    explained = await site.client.get(response.json()["type"])

    assert explained.status_code == 200
    assert explained.json()["remedy"]
    assert (await site.client.get("/v1/problems/none")).status_code == 404


async def test_a_receipt_can_be_asked_for_by_its_sender_only(site: IntakeSite) -> None:
    """Another party gets the same answer as for an event that does not exist."""
    event_id = (await site.send(referral())).json()["event_id"]
    path = f"/v1/receipts/{event_id}"
    mine = await site.client.get(path, headers=site.headers("midshire-police"))
    theirs = await site.client.get(path, headers=site.headers("northvale-crisis"))

    assert mine.json()["event_id"] == event_id
    assert theirs.status_code == 404


async def test_the_message_may_hold_several_events_and_none_is_lost_for_another(
    site: IntakeSite,
) -> None:
    """Good events of a message are stored, bad ones are named, and the answer is no yes."""
    message = [referral(), referral(environment="live"), referral(reference="MP-2")]
    response = await site.client.post(
        "/v1/referrals/canonical_json", json=message, headers=site.headers("midshire-police")
    )

    assert response.status_code == 422
    assert response.json()["type"] == "/v1/problems/not-all-stored"
    assert len(response.json()["receipts"]) == 2
    assert response.json()["errors"][0]["path"] == "event 2: $.environment"
    assert len(await site.stored()) == 2


async def test_an_unknown_format_is_not_found(site: IntakeSite) -> None:
    """A format without a connector has no address."""
    response = await site.client.post(
        "/v1/referrals/fax", content=b"x", headers=site.headers("midshire-police")
    )

    assert response.status_code == 404


async def test_addressees_may_be_stated_in_the_address(site: IntakeSite) -> None:
    """`?to=` adds addressees to a message whose format has none."""
    response = await site.client.post(
        "/v1/referrals/canonical_json?to=northvale-crisis:crisis-response",
        json=referral(routes=[]),
        headers=site.headers("midshire-police"),
    )

    assert response.status_code == 202
    (event,) = await site.stored()
    assert event["envelope"]["routes"] == [
        {
            "recipient": "northvale-crisis",
            "purpose": "crisis-response",
            "source": "sender",
            "reason": None,
        }
    ]


async def test_a_new_referral_cannot_be_sent_to_an_id(site: IntakeSite) -> None:
    """The id of a referral is derived, never chosen."""
    response = await site.send(referral(), to="0" * 32)

    assert response.status_code == 422


async def test_answers_are_not_sent_like_referrals(site: IntakeSite) -> None:
    """An answer needs the id of the referral it answers."""
    response = await site.send(answer(reference="MP-1"), party="northvale-crisis")

    assert response.status_code == 422
    assert "/events" in response.json()["errors"][0]["rule"]


async def test_a_flood_of_routine_referrals_is_slowed_an_immediate_one_is_not(
    tmp_path: Path,
) -> None:
    """429 says when to come back; the immediate referral of the same party goes through."""
    async with intake_site(tmp_path, rates=RateLimits(3, lambda: 0.0)) as site:
        routine = {"scheme": "ukmhts", "version": "1", "code": "F"}
        answers = [
            await site.send(referral(reference=f"R-{number}", urgency=routine))
            for number in range(4)
        ]
        immediate = {"scheme": "ukmhts", "version": "1", "code": "A"}
        urgent = await site.send(referral(reference="I-1", urgency=immediate))

    assert [response.status_code for response in answers] == [202, 202, 202, 429]
    assert answers[3].headers["Retry-After"] == "20"
    assert urgent.status_code == 202


async def test_without_a_known_caller_nothing_is_read(site: IntakeSite) -> None:
    """Every address but the explanations asks who is calling."""
    for path in ("/v1/referrals", "/v1/preview", "/v1/referrals/cad_mapping"):
        response = await site.client.post(path, content=b"{")
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await site.client.get("/v1/receipts/x")).status_code == 401


async def test_what_the_framework_finds_wrong_is_named_without_its_value() -> None:
    """Its own text would repeat the value."""
    error = RequestValidationError(
        [{"loc": ("query", "to"), "type": "list_type", "msg": "CANARY", "input": "CANARY"}]
    )
    response = await _on_validation(Request({"type": "http"}), error)

    assert b"CANARY" not in response.body
    assert b'"query.to"' in response.body


async def test_a_large_referral_is_read_beside_the_loop(
    site: IntakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Translating, reading and encoding a long log go to a thread; a small referral does not."""
    threads: list[str] = []

    async def to_thread(work: Any, *args: Any, **kwargs: Any) -> Any:
        threads.append(work.__name__)
        return work(*args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    small = await site.send(referral())
    after_small = list(threads)
    body = {**referral()["body"], "incident": {"log": [{"text": "x" * 1000}] * 100}}
    large = await site.send(referral(reference="MP-2", body=body))

    assert (small.status_code, large.status_code) == (202, 202)
    assert after_small == []
    assert threads == ["translate", "read_document", "entry"]
