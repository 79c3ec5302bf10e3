"""A stand-in for an agency's system, or for intake: a real HTTP server that answers as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from broker.runtime.http_server import serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the stand-in answers; header names in lower case."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Answer = Callable[[Got], Awaitable[Reply]]


async def ok(_got: Got) -> Reply:
    """Take everything."""
    return Reply()


class StandIn:
    """An ASGI app that remembers what it got; `answer` may be replaced at any time."""

    def __init__(self, answer: Answer = ok) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self.url = ""
        self._changed = asyncio.Condition()

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        got = Got(path=scope["path"], headers=headers, body=body)
        async with self._changed:
            self.got.append(got)
            self._changed.notify_all()
        reply = await self.answer(got)
        raw = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.body})

    async def has_got(self, count: int) -> list[Got]:
        """Wait until there were so many requests in all, and return them."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: len(self.got) >= count)
        return list(self.got)


@asynccontextmanager
async def stand_in(answer: Answer = ok) -> AsyncIterator[StandIn]:
    """Run a stand-in on a free port."""
    app, stop = StandIn(answer), asyncio.Event()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(app, host="127.0.0.1", port=0, tls=None, stop=stop, started=started)
    )
    try:
        app.url = f"http://127.0.0.1:{await started}/in"
        yield app
    finally:
        stop.set()
        await task
