"""
OAuth2 tokens: signed JWTs of one issuer, for one audience, of clients we know.

The issuer's keys are fetched over HTTP and cached. A new key id leads to one new look, not to one
for every request; while the issuer is away, the keys we have go on for a day.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from broker.domain.errors import ConfigurationError, TransportError
from broker.runtime.http_client import HttpAnswer, HttpClient
from broker.runtime.identity import Reason, UnauthenticatedError
from broker.runtime.settings import OauthSettings

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""Asymmetric ones only: with a shared secret whoever verifies could also issue."""

LEEWAY_S: Final = 30
FRESH_S: Final = 600.0
STALE_S: Final = 86_400.0
LOOK_AGAIN_S: Final = 30.0
_OK: Final = 200


class Fetcher(Protocol):
    """Gets the issuer's keys; `HttpClient` is one."""

    async def exchange(self, method: str, path: str) -> HttpAnswer:
        """Send one request."""
        ...

    async def aclose(self) -> None:
        """Let go."""
        ...


class JwtVerifier:
    """
    Verify tokens as the settings say.

    Args:
        settings: Issuer, audience, where its keys are, and which client is which party.
        fetcher: Gets the keys; None makes an HTTP client.
        clock: Monotonic seconds, for the cache; expiry goes by the time of day.
    """

    def __init__(
        self,
        settings: OauthSettings,
        *,
        fetcher: Fetcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        base, self._path = _split(settings.jwks_url)
        self._fetcher: Fetcher = fetcher or HttpClient(
            base, timeout_s=5.0, max_connections=2, place="intake.oauth.jwks_url"
        )
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = -STALE_S
        self._looked_at = -STALE_S
        self._looking = asyncio.Lock()

    async def party_of(self, token: str) -> str:
        """
        Return the party a token was issued to.

        Raises:
            UnauthenticatedError: It is not one of ours, or not valid now.
            TransportError: The issuer's keys cannot be read.
        """
        key = await self._key(_key_id(token))
        claims = self._claims(token, key)
        for name in ("client_id", "azp", "sub"):
            client = claims.get(name)
            if isinstance(client, str) and client in self._settings.clients:
                return self._settings.clients[client]
        raise UnauthenticatedError(Reason.UNKNOWN_CLIENT)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._fetcher.aclose()

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        try:
            # A PyJWK carries its own algorithm: a token cannot choose another one for the key.
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=[key.algorithm_name],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud"]},
            )
        except ExpiredSignatureError:
            raise UnauthenticatedError(Reason.EXPIRED_TOKEN) from None
        except (PyJWTError, ValueError, TypeError):
            raise UnauthenticatedError(Reason.BAD_TOKEN) from None
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        async with self._looking:
            is_old = self._clock() - self._fetched_at > FRESH_S
            may_look = self._clock() - self._looked_at > LOOK_AGAIN_S
            if (is_old or key_id not in self._keys) and may_look:
                await self._look()
        if self._clock() - self._fetched_at > STALE_S:
            raise TransportError("keys of the issuer cannot be read")
        if key_id not in self._keys:
            raise UnauthenticatedError(Reason.BAD_TOKEN)
        return self._keys[key_id]

    async def _look(self) -> None:
        self._looked_at = self._clock()
        try:
            answer = await self._fetcher.exchange("GET", self._path)
        except TransportError:
            return
        keys = _usable(answer.body) if answer.status == _OK else {}
        if keys:
            self._keys, self._fetched_at = keys, self._clock()


def _usable(body: bytes) -> dict[str, jwt.PyJWK]:
    try:
        listed = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {raw["kid"]: key for raw in listed if (key := _read(raw)) is not None}


def _read(raw: Any) -> jwt.PyJWK | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("kid"), str):
        return None
    if raw.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(raw)
    except PyJWTError:
        return None
    return key if key.algorithm_name in ALGORITHMS else None


def _key_id(token: str) -> str:
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
    except (PyJWTError, ValueError, TypeError):
        raise UnauthenticatedError(Reason.BAD_TOKEN) from None
    if not isinstance(key_id, str):
        raise UnauthenticatedError(Reason.BAD_TOKEN)
    return key_id


def _split(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigurationError(
            "the address of the issuer's keys is no URL @ intake.oauth.jwks_url"
        )
    path = parts.path or "/"
    return f"{parts.scheme}://{parts.netloc}", f"{path}?{parts.query}" if parts.query else path
