"""The stand-in agencies keep the rules of the formats they speak, and their people answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.runtime.http_client import HttpAnswer, HttpClient
from broker.runtime.http_server import serve
from broker.simulation.mailbox import Mailbox
from broker.simulation.staff import Desk, Staff, answer_document
from broker.simulation.standin_control_room import ControlRoom
from broker.simulation.standin_crisis_team import CrisisTeam, event_of, referral_of, urgency_of
from broker.simulation.standin_page import page
from connectors.webhook.signature import sign

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
REFERRAL = "3f0f8d0c5b5f0d4d9f6f1f0c6f0f3c11"
IDS = {"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"}
SECRET = b"a secret of the demo"


def clock() -> datetime:
    """Return the time of every test."""
    return NOW


def bundle(reason: str = "new", *lines: str) -> dict[str, Any]:
    """Return the parts of a BaRS message that a stand-in looks at."""
    urgency = {"system": "https://x/CodeSystem/ukmhts", "version": "1", "code": "B"}
    resources = [
        {"resourceType": "MessageHeader", "reason": {"coding": [{"code": reason}]}},
        {
            "resourceType": "ServiceRequest",
            "identifier": [{"system": "https://x/referral", "value": REFERRAL}],
        },
        {
            "resourceType": "CarePlan",
            "activity": [{"outcomeCodeableConcept": [{"coding": [urgency]}]}],
        },
        {
            "resourceType": "Communication",
            "payload": [{"contentString": line} for line in lines],
        },
    ]
    entries = [{"resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "message", "entry": entries}


def desk(**more: Any) -> Desk:
    """Return the desk of a team that thinks fast."""
    return Desk(
        party="northvale-crisis",
        team="Crisis Team North",
        role="shift lead",
        call_back="01632 960201",
        key="crk_invented",
        think_s=0.0,
        **more,
    )


@asynccontextmanager
async def running(*routes: Route) -> AsyncIterator[HttpClient]:
    """Serve *routes* and connect to them."""
    stop = asyncio.Event()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = Starlette(routes=list(routes))
    server = asyncio.create_task(
        serve(app, host="127.0.0.1", port=0, tls=None, stop=stop, started=started)
    )
    try:
        async with HttpClient(f"http://127.0.0.1:{await started}") as client:
            yield client
    finally:
        stop.set()
        await server


class Intake:
    """An intake that writes down what it is told; answers as told, then 202."""

    def __init__(self, *statuses: int, expected: int) -> None:
        self.got: list[tuple[str, str, dict[str, Any]]] = []
        self.complete = asyncio.Event()
        self._statuses = list(statuses)
        self._expected = expected
        self.route = Route("/v1/referrals/{referral_id}/events", self._take, methods=["POST"])

    async def _take(self, request: Request) -> Response:
        headers = request.headers
        self.got.append(
            (headers["authorization"], headers["idempotency-key"], await request.json())
        )
        if len(self.got) == self._expected:
            self.complete.set()
        return JSONResponse({}, status_code=self._statuses.pop(0) if self._statuses else 202)


@asynccontextmanager
async def crisis_team(mailbox: Mailbox, staff: Staff) -> AsyncIterator[HttpClient]:
    """Serve a crisis team's system."""
    team = CrisisTeam(mailbox, staff, clock)
    route = Route("/{party}/bars/{rest:path}", team.receive, methods=["POST"])
    async with running(route) as client:
        yield client


async def post(client: HttpClient, message: Any, headers: dict[str, str]) -> HttpAnswer:
    """Post a message to the crisis team."""
    return await client.exchange(
        "POST",
        "/northvale-crisis/bars/$process-message",
        headers=headers,
        body=json.dumps(message).encode(),
    )


@pytest.fixture
async def nobody() -> AsyncIterator[Staff]:
    """Return a stand-in without people."""
    async with HttpClient("http://127.0.0.1:9") as client:
        yield Staff([], client, clock)


async def test_a_message_is_taken_and_answered_with_its_ids(nobody: Staff) -> None:
    """Both ids come back, so that the sender knows that the receiver itself has answered."""
    mailbox = Mailbox()
    async with crisis_team(mailbox, nobody) as client:
        answer = await post(client, bundle(), IDS)

    assert (answer.status, answer.headers["x-request-id"]) == (200, "r-1")
    assert json.loads(answer.body)["resourceType"] == "OperationOutcome"
    assert (mailbox.items[0].referral_id, mailbox.items[0].event_type) == (
        REFERRAL,
        "referral_made",
    )


async def test_a_repeated_request_id_is_a_duplicate(nobody: Staff) -> None:
    """The second is 409 with the code that is reserved for it, and is kept once."""
    mailbox = Mailbox()
    async with crisis_team(mailbox, nobody) as client:
        await post(client, bundle(), IDS)
        answer = await post(client, bundle(), IDS)

    assert answer.status == 409
    assert json.loads(answer.body)["issue"][0]["code"] == "duplicate"
    assert (len(mailbox.items), mailbox.repeats) == (1, {"r-1": 1})


@pytest.mark.parametrize("missing", IDS)
async def test_without_both_ids_nothing_is_taken(nobody: Staff, missing: str) -> None:
    """A receiver of BaRS refuses what it could not tell from a repeat."""
    mailbox = Mailbox()
    async with crisis_team(mailbox, nobody) as client:
        answer = await post(client, bundle(), {k: v for k, v in IDS.items() if k != missing})

    assert (answer.status, mailbox.items, mailbox.malformed) == (400, [], 1)


def test_what_a_message_is_about_is_read_from_it() -> None:
    """Referral, event and urgency stand in the message itself."""
    assert referral_of(bundle()) == REFERRAL
    assert urgency_of(bundle()) == {"scheme": "ukmhts", "version": "1", "code": "B"}
    assert event_of(bundle("update", "Event: referral_taken_back")) == "referral_taken_back"
    assert event_of(bundle("update")) == "referral_updated"


async def test_the_team_answers_in_its_order_under_its_own_key(nobody: Staff) -> None:
    """Seen and accepted, each once, each with a key that makes a repeat the same event."""
    intake = Intake(expected=2)
    usual = [{"event": "referral_acknowledged"}, {"event": "referral_accepted"}]
    async with running(intake.route) as to_intake:
        staff = Staff([desk(usual=usual)], to_intake, clock)
        async with crisis_team(Mailbox(), staff) as client:
            await post(client, bundle(), IDS)
            await intake.complete.wait()

    assert [body["event_type"] for _, _, body in intake.got] == [
        "referral_acknowledged",
        "referral_accepted",
    ]
    assert {key for _, key, _ in intake.got} == {f"{REFERRAL}-1", f"{REFERRAL}-2"}
    assert {key for key, _, _ in intake.got} == {"Bearer crk_invented"}
    assert intake.got[1][2]["urgency"]["code"] == "B"


async def test_an_update_is_no_second_referral(nobody: Staff) -> None:
    """Only a new referral asks for an answer."""
    intake = Intake(expected=1)
    async with running(intake.route) as to_intake:
        staff = Staff([desk(usual=[{"event": "referral_accepted"}])], to_intake, clock)
        async with crisis_team(Mailbox(), staff) as client:
            await post(client, bundle("update"), IDS | {"X-Request-ID": "r-0"})
            await post(client, bundle(), IDS)
            await intake.complete.wait()

    assert len(intake.got) == 1


async def test_an_answer_is_given_again_until_intake_has_it() -> None:
    """An intake that is away, or has not heard of the release yet, is asked again."""
    intake = Intake(503, 403, expected=3)
    async with running(intake.route) as client:
        staff = Staff([desk()], client, clock, pauses_s=(0.0,) * 5)
        staff.tell("northvale-crisis", REFERRAL, [{"event": "referral_accepted"}])
        staff.react("northvale-crisis", REFERRAL, None)
        await intake.complete.wait()

    assert len({json.dumps(body) for _, _, body in intake.got}) == 1


def test_an_answer_says_who_gives_it_unless_told_otherwise() -> None:
    """Team, role and number are filled in; what the scenario says stands."""
    told = {
        "event": "referral_accepted",
        "body": {"acceptance": {"seen_by": "@+1h", "role": "SpR"}},
    }

    body = answer_document(desk(), told, 1, None, NOW)["body"]["acceptance"]

    assert (body["team"], body["role"], body["call_back_number"]) == (
        "Crisis Team North",
        "SpR",
        "01632 960201",
    )
    assert body["seen_by"] == "2026-11-22T15:02:00+00:00"


def webhook(secret: bytes = SECRET) -> tuple[bytes, dict[str, str]]:
    """Return a signed webhook."""
    message = {"event_type": "referral_accepted", "envelope": {"referral_id": REFERRAL}}
    body = json.dumps(message).encode()
    headers = sign(body, message_id="w-1", at_s=int(NOW.timestamp()), secret=secret)
    return body, {"Webhook-Id": "w-1", **headers}


async def test_the_control_room_takes_a_genuine_answer_once() -> None:
    """Taken, then known; the sender counts both as delivered."""
    mailbox = Mailbox()
    body, headers = webhook()
    async with HttpClient("http://127.0.0.1:9") as intake:
        room = ControlRoom(mailbox, intake, key="k", secret=SECRET, clock=clock)
        async with running(Route("/{party}/webhook", room.receive, methods=["POST"])) as client:
            first = await client.exchange("POST", "/p/webhook", headers=headers, body=body)
            again = await client.exchange("POST", "/p/webhook", headers=headers, body=body)

    assert (first.status, again.status) == (204, 409)
    assert [item.verified for item in mailbox.items] == [True]


async def test_the_control_room_refuses_a_forged_answer() -> None:
    """A signature under another secret is refused and counted, and nothing is kept."""
    mailbox = Mailbox()
    body, headers = webhook(b"another secret")
    async with HttpClient("http://127.0.0.1:9") as intake:
        room = ControlRoom(mailbox, intake, key="k", secret=SECRET, clock=clock)
        async with running(Route("/{party}/webhook", room.receive, methods=["POST"])) as client:
            answer = await client.exchange("POST", "/p/webhook", headers=headers, body=body)

    assert (answer.status, mailbox.items, mailbox.forged) == (401, [], 1)


async def test_the_page_of_a_stand_in_shows_text_as_text(nobody: Staff) -> None:
    """What arrives is shown to a browser, and never run by it."""
    mailbox = Mailbox()
    async with crisis_team(mailbox, nobody) as client:
        await post(client, bundle("update", "<script>alert(1)</script>"), IDS)

    assert "<script>" not in page("Northvale", mailbox)
    assert "&lt;script&gt;" in page("Northvale", mailbox)
