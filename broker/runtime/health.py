"""
What every process says about itself: /metrics, /healthz, /readyz.

/healthz answers while the loop runs and asks nobody else. /readyz names each condition that does
not hold: a name and a reason, never data.
"""

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker import __version__
from broker.runtime import metrics
from broker.runtime.http_server import serve
from broker.runtime.settings import TlsSettings

Condition = Callable[[], str | None]
"""Returns None while it holds, else the reason in a few words."""


class Health:
    """The conditions of one process; each part adds its own."""

    def __init__(self, process: str) -> None:
        self.process = process
        self._conditions: dict[str, Condition] = {}
        metrics.BUILD_INFO.labels(__version__, process).set(1)

    def add(self, name: str, condition: Condition) -> None:
        """Count *condition* among what must hold for this process to be ready."""
        self._conditions[name] = condition

    def failing(self) -> dict[str, str]:
        """Return name and reason of every condition that does not hold."""
        found = {name: condition() for name, condition in self._conditions.items()}
        return {name: reason for name, reason in found.items() if reason is not None}

    def app(self) -> Starlette:
        """Return the ASGI app of the ops port."""

        async def healthz(_request: Request) -> Response:
            return JSONResponse({"process": self.process, "alive": True})

        async def readyz(_request: Request) -> Response:
            failing = self.failing()
            return JSONResponse(
                {"process": self.process, "ready": not failing, "failing": failing},
                status_code=503 if failing else 200,
            )

        async def scrape(_request: Request) -> Response:
            body, content_type = metrics.exposition()
            return Response(body, headers={"Content-Type": content_type})

        return Starlette(
            routes=[
                Route("/healthz", healthz),
                Route("/readyz", readyz),
                Route("/metrics", scrape),
            ]
        )

    async def serve(
        self,
        host: str,
        port: int,
        stop: asyncio.Event,
        started: asyncio.Future[int] | None = None,
        *,
        tls: TlsSettings | None = None,
    ) -> None:
        """Answer on the ops port until *stop*; without *tls* on loopback only."""
        await serve(self.app(), host=host, port=port, tls=tls, stop=stop, started=started)
