"""
The system of a stand-in control room: sends referrals, and gets answers by signed webhook.

An answer whose signature is not genuine is refused and counted; one that comes again is taken once.
"""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.domain.errors import TransportError
from broker.runtime.clock import Clock
from broker.runtime.http_client import HttpClient
from broker.simulation.mailbox import Item, Mailbox
from connectors.webhook.signature import verify

FORMAT: Final = "webhook"


class ControlRoom:
    """Sends for one force, and receives its webhook."""

    def __init__(
        self, mailbox: Mailbox, intake: HttpClient, *, key: str, secret: bytes, clock: Clock
    ) -> None:
        self._mailbox = mailbox
        self._intake = intake
        self._key = key
        self._secret = secret
        self._clock = clock

    async def receive(self, request: Request) -> Response:
        """Take one signed answer."""
        body = await request.body()
        if not verify(body, request.headers, self._secret, now_s=self._clock().timestamp()):
            self._mailbox.forged += 1
            return Response(status_code=401)
        try:
            item = self._item(request, json.loads(body))
        except (ValueError, KeyError, TypeError):
            self._mailbox.malformed += 1
            return Response(status_code=400)
        return Response(status_code=204 if self._mailbox.take(item) else 409)

    async def send(self, request: Request) -> Response:
        """Send what an operator typed to intake, and show the operator the receipt."""
        asked = await request.json()
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": asked["content_type"],
        }
        began = time.monotonic()
        try:
            answer = await self._intake.exchange(
                "POST", asked["path"], headers=headers, body=base64.b64decode(asked["body"])
            )
        except TransportError as error:
            return JSONResponse({"status": 0, "answer": {"code": error.code}, "seconds": 0.0})
        seconds = time.monotonic() - began
        found = json.loads(answer.body) if answer.body else {}
        return JSONResponse({"status": answer.status, "answer": found, "seconds": seconds})

    def _item(self, request: Request, message: Mapping[str, Any]) -> Item:
        return Item(
            party=request.path_params["party"],
            at=self._clock().isoformat(),
            format=FORMAT,
            request_id=request.headers["webhook-id"],
            referral_id=message["envelope"]["referral_id"],
            event_type=message["event_type"],
            body=json.dumps(message, ensure_ascii=False),
            verified=True,
        )
