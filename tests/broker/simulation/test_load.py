"""Posting is open loop, and every answer is counted once."""

import asyncio
from itertools import islice

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.runtime.http_client import HttpClient
from broker.runtime.http_server import serve
from broker.simulation.load import UNREACHED, Tally, as_json, percentile, post_all
from broker.simulation.traffic import referrals


def quiet(_tally: Tally) -> None:
    """Say nothing."""


async def post_to(app: Starlette, count: int) -> Tally:
    """Post *count* referrals to *app* and return the tally."""
    stop = asyncio.Event()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(
        serve(app, host="127.0.0.1", port=0, tls=None, stop=stop, started=started)
    )
    try:
        async with HttpClient(f"http://127.0.0.1:{await started}") as client:
            some = map(as_json, islice(referrals(1), count))
            return await post_all(client, "crk_invented", some, rate=1000, told=quiet)
    finally:
        stop.set()
        await server


async def test_a_slow_answer_delays_no_later_referral() -> None:
    """All are posted before the first is answered."""
    waiting = asyncio.Barrier(5)

    async def slow(_request: Request) -> Response:
        await waiting.wait()
        return JSONResponse({"event_id": "e"}, status_code=202)

    tally = await post_to(Starlette(routes=[Route("/v1/referrals", slow, methods=["POST"])]), 5)

    assert (tally.posted, tally.accepted) == (5, 5)


async def test_every_answer_is_counted_once() -> None:
    """Accepted and refused together are what was posted."""
    seen: list[str | None] = []

    async def moody(request: Request) -> Response:
        seen.append(request.headers.get("authorization"))
        return JSONResponse({"event_id": "e"}, status_code=429 if len(seen) % 2 else 202)

    tally = await post_to(Starlette(routes=[Route("/v1/referrals", moody, methods=["POST"])]), 6)

    assert (tally.accepted, dict(tally.refused)) == (3, {"429": 3})
    assert set(seen) == {"Bearer crk_invented"}


async def test_an_intake_that_is_away_is_counted_too() -> None:
    """Nothing ends because a server is not there."""
    async with HttpClient("http://127.0.0.1:9") as client:
        tally = await post_all(
            client, "crk_x", map(as_json, islice(referrals(1), 3)), rate=1000, told=quiet
        )

    assert dict(tally.refused) == {UNREACHED: 3}


def test_percentiles_of_nothing_are_nothing() -> None:
    """A table never shows a latency that was not measured."""
    assert percentile([], 0.99) is None
    assert percentile([0.001 * n for n in range(1, 101)], 0.99) == 100.0
