"""
What every request passes before it is read: who calls, how much, how fast, in which encoding.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import ClientDisconnect, Request

from broker.domain.clauses import Party
from broker.runtime.identity import Authenticator
from broker.runtime.limits import RateLimits, read_body
from broker.runtime.mtls import peer_names
from broker.runtime.problems import Code, refuse

MAX_KEY_CHARS: Final = 200
UTF_8: Final = frozenset({"utf-8", "utf8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """
    Lets requests in.

    Attributes:
        authenticator: Names the caller.
        parties: Parties of the agreements by id.
        max_body_bytes: Larger bodies are refused.
        receive_timeout_s: Slower bodies are refused.
        rates: How many events each party may send.
    """

    authenticator: Authenticator
    parties: Mapping[str, Party]
    max_body_bytes: int
    receive_timeout_s: float
    rates: RateLimits = field(default_factory=lambda: RateLimits(600, time.monotonic))

    async def caller(self, request: Request) -> Party:
        """Return the party that calls; raises ProblemError (401)."""
        name = await self.authenticator.identify(
            request.headers.get("authorization"), peer_names(request.scope)
        )
        return self.parties[name]

    async def body(self, request: Request, *, must_be_json: bool) -> bytes:
        """Return the whole body; raises ProblemError (408, 413, 415)."""
        _check_encoding(request, must_be_json=must_be_json)
        try:
            return await read_body(
                request.stream(),
                max_bytes=self.max_body_bytes,
                timeout_s=self.receive_timeout_s,
                stated=request.headers.get("content-length"),
            )
        except ClientDisconnect:
            raise refuse(Code.TOO_SLOW, "$", "connection closed before the end") from None


def idempotency_key(request: Request) -> str:
    """Return the Idempotency-Key header, empty if there is none; raises ProblemError."""
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_KEY_CHARS or not key.isprintable():
        rule = f"not 1 to {MAX_KEY_CHARS} printable characters"
        raise refuse(Code.MALFORMED, "header Idempotency-Key", rule)
    return key


def _check_encoding(request: Request, *, must_be_json: bool) -> None:
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise refuse(Code.WRONG_ENCODING, "header Content-Encoding", "only identity is read")
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    if not must_be_json or not media_type:
        return
    if media_type.strip() != "application/json" and not media_type.strip().endswith("+json"):
        raise refuse(Code.WRONG_ENCODING, "header Content-Type", "application/json is expected")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip('"') not in UTF_8:
            raise refuse(Code.WRONG_ENCODING, "header Content-Type", "UTF-8 is expected")
