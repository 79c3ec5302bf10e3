"""Deliver, whole: from the release topic to a real HTTP server, and the receipt to intake."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.domain.errors import ConfigurationError
from broker.processes.deliver_agency import Agency, open_agency
from broker.runtime.inbox import Inbox
from broker.runtime.parties import DeliverTo
from connectors.contract import ConnectorSpec
from connectors.registry import BY_NAME
from connectors.webhook.signature import verify
from tests.support.agency import Got, Reply, stand_in
from tests.support.deliver import CRISIS, NOW, SEALER, Bench, bench, example


@asynccontextmanager
async def running(made: Bench) -> AsyncIterator[None]:
    """Run all parts of a deliver; a defect in one of them fails the test."""
    stop = asyncio.Event()
    task = asyncio.create_task(made.deliver.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Let the loop run until something holds."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - what is waited for is on disk
            await asyncio.sleep(0)


async def test_a_view_reaches_the_agency_and_its_receipt_reaches_intake(tmp_path: Path) -> None:
    """Read, checked, signed, posted, closed; intake is told with the recipient's own key."""
    async with (
        stand_in() as agency,
        stand_in() as intake,
        bench(tmp_path, agency.url, intake_url=intake.url) as made,
        running(made),
    ):
        await made.put(await made.maker.view(example("referral_made.unknown_man_on_bridge")))

        (got,) = await agency.has_got(1)
        (receipt,) = await intake.has_got(1)
        await until(lambda: _is_through(made))

    document = json.loads(got.body)
    told = json.loads(receipt.body)
    assert document["event_type"] == "referral_made"
    assert verify(got.body, got.headers, b"signing key of nobody", now_s=NOW.timestamp())
    assert told["event_type"] == "referral_received"
    assert told["body"]["receipt"]["request_id"] == got.headers["webhook-id"]
    assert receipt.path.endswith(f"/v1/referrals/{document['envelope']['referral_id']}/events")
    assert receipt.headers["authorization"] == "Bearer crk_of_nobody"
    assert receipt.headers["idempotency-key"] == f"received-{got.headers['webhook-id']}"


async def test_the_agency_gets_a_valid_bars_message(tmp_path: Path) -> None:
    """The same way with the NHS format: its ids, its path, a bundle."""

    async def bars(got: Got) -> Reply:
        return Reply(
            headers={
                "x-request-id": got.headers["x-request-id"],
                "x-correlation-id": got.headers["x-correlation-id"],
            }
        )

    async with (
        stand_in(bars) as agency,
        bench(tmp_path, agency.url, connector="fhir_r4_bars") as made,
        running(made),
    ):
        await made.put(await made.maker.view(example("referral_made.detained_at_seventeen")))

        (got,) = await agency.has_got(1)
        await until(lambda: _is_empty(made))

    bundle = json.loads(got.body)
    assert got.path == "/in/$process-message"
    assert bundle["type"] == "message"
    assert bundle["id"] == got.headers["x-correlation-id"]


async def test_a_second_instance_of_the_same_recipient_does_not_start(tmp_path: Path) -> None:
    """Two instances would send everything twice and out of order."""
    async with bench(tmp_path, "http://127.0.0.1:9/in"):
        with pytest.raises(ConfigurationError, match="another process"):
            Inbox(tmp_path / "inbox.db", SEALER)


async def test_after_a_restart_reading_goes_on_where_it_stood(tmp_path: Path) -> None:
    """What was taken is not taken again, and what came meanwhile is not missed."""
    async with stand_in() as agency:
        document = example("referral_made.unknown_man_on_bridge")
        async with bench(tmp_path, agency.url) as made:
            views = [await made.maker.view(document, number=n) for n in (1, 2)]
            log = made.log
            async with running(made):
                await made.put(views[0])
                await agency.has_got(1)
                await until(lambda: _is_empty(made))
        async with bench(tmp_path, agency.url) as made:
            made.log._store = log._store
            async with running(made):
                await made.put(views[1])
                got = await agency.has_got(2)
                await until(lambda: _is_empty(made))

    references = [json.loads(each.body)["envelope"]["referral_id"] for each in got]
    assert len(set(references)) == 2


async def test_readiness_says_that_a_lane_is_closed(tmp_path: Path) -> None:
    """Whoever looks at the process sees which lane stopped."""
    from broker.runtime.health import Health

    async with bench(tmp_path, "http://127.0.0.1:9/in") as made:
        health = Health("deliver")
        made.deliver.report_to(health)
        await made.inbox.lanes.close("crisis-response", "over-shared", NOW)
        await made.step()

        failing = health.failing()

    assert failing["lanes"] == "closed: crisis-response"
    assert CRISIS not in failing


async def _is_empty(made: Bench) -> bool:
    return (await made.inbox.standing()).waiting == 0


async def _is_through(made: Bench) -> bool:
    return await _is_empty(made) and await made.inbox.receipts.waiting() == 0


SPEC = BY_NAME["webhook"]


def agency_of(spec: ConnectorSpec = SPEC, **stated: object) -> Agency:
    """Open the connection to an agency that is configured so."""
    to = DeliverTo.model_validate(
        {"connector": spec.name, "url": "https://crisis.example.org/in", **stated}
    )
    return open_agency(CRISIS, to, spec, timeout_s=5.0, connections=2)


def test_a_connector_that_signs_does_not_start_without_a_secret() -> None:
    """An unsigned view is one that anybody could have sent."""
    with pytest.raises(
        ConfigurationError, match=rf"needs a secret @ {CRISIS}\.deliver\.secret_file"
    ):
        agency_of()


def test_an_agency_beyond_this_machine_is_not_called_in_the_clear() -> None:
    """The message names the recipient's setting."""
    fhir = BY_NAME["fhir_r4_bars"]

    with pytest.raises(ConfigurationError, match=rf"TLS is needed .+ @ {CRISIS}\.deliver\.url"):
        agency_of(fhir, url="http://crisis.example.org/in")


def test_a_client_certificate_needs_its_key(tmp_path: Path) -> None:
    """Half an identity is a mistake, not no identity; files that are no certificate are one too."""
    fhir, file = BY_NAME["fhir_r4_bars"], tmp_path / "no.pem"
    file.write_text("no certificate")

    with pytest.raises(ConfigurationError, match="a certificate needs its key"):
        agency_of(fhir, certificate_file=file)
    with pytest.raises(ConfigurationError, match="TLS files"):
        agency_of(fhir, certificate_file=file, key_file=file)


async def test_every_request_carries_our_token_where_one_is_stated(tmp_path: Path) -> None:
    """The agency knows who calls, whatever the connector writes."""
    (tmp_path / "token").write_bytes(b"token-of-nobody\n")
    lines = f'bearer_file = "{tmp_path / "token"}"'
    async with stand_in() as agency, bench(tmp_path, agency.url, more=lines) as made:
        await made.take(await made.maker.view(example("referral_made.unknown_man_on_bridge")))
        await made.step()

    (got,) = agency.got
    assert got.headers["authorization"] == "Bearer token-of-nobody"
