"""
Who is calling: an API key, a token or a client certificate names a party of the agreements.

Everything else is refused, and counted by reason. Keys are compared in constant time; what exactly
was wrong is told to the operator's metrics, not to the caller.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import structlog

from broker.domain.errors import BrokerError
from broker.runtime import metrics
from broker.runtime.keys import PREFIX as KEY_PREFIX
from broker.runtime.keys import KeyRing
from broker.runtime.problems import Code, refuse

SCHEME: Final = "bearer"
MAX_CREDENTIAL_CHARS: Final = 8192
log = structlog.get_logger()


class Reason(StrEnum):
    """Why a caller was not recognised; a metric label."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown-key"
    REVOKED_KEY = "revoked-key"
    NO_TOKENS = "tokens-not-configured"
    BAD_TOKEN = "bad-token"  # noqa: S105 - a reason, no secret
    EXPIRED_TOKEN = "expired-token"  # noqa: S105
    UNKNOWN_CLIENT = "unknown-client"
    UNKNOWN_CERTIFICATE = "unknown-certificate"
    DISAGREE = "credentials-disagree"
    NO_PARTY = "no-party"


class UnauthenticatedError(BrokerError):
    """It is not known who is calling."""

    code = "unauthenticated"

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenVerifier(Protocol):
    """Reads tokens; `broker.runtime.jwt.JwtVerifier` is one."""

    async def party_of(self, token: str) -> str:
        """
        Return the party a token was issued to.

        Raises:
            UnauthenticatedError: It is not one of ours, or not valid now.
            TransportError: The issuer's keys cannot be read, so nobody can say.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """
    Names the party behind a request.

    Attributes:
        parties: Parties of the agreements; nobody else is let in.
        keys: API keys.
        tokens: None where no issuer is configured.
        certificates: Party by name of a client certificate.
    """

    parties: Container[str]
    keys: KeyRing
    tokens: TokenVerifier | None
    certificates: Mapping[str, str]

    async def identify(self, authorization: str | None, peer_names: frozenset[str]) -> str:
        """
        Return the party id of the caller.

        Args:
            authorization: The Authorization header.
            peer_names: Names in the verified client certificate; empty without one.

        Raises:
            ProblemError: 401, without saying what exactly was wrong.
            TransportError: It cannot be found out now.
        """
        try:
            return await self._identify(authorization, peer_names)
        except UnauthenticatedError as error:
            metrics.UNAUTHENTICATED.labels(error.reason).inc()
            log.warning("caller not recognised", reason=error.reason)
            raise refuse(Code.UNAUTHENTICATED) from None

    async def _identify(self, authorization: str | None, peer_names: frozenset[str]) -> str:
        claimed = set()
        if authorization is not None:
            claimed.add(await self._bearer(authorization))
        if peer_names:
            claimed |= self._of_certificate(peer_names, is_only=not claimed)
        if not claimed:
            raise UnauthenticatedError(Reason.MISSING)
        if len(claimed) > 1:
            raise UnauthenticatedError(Reason.DISAGREE)
        (party,) = claimed
        if party not in self.parties:
            raise UnauthenticatedError(Reason.NO_PARTY)
        return party

    async def _bearer(self, authorization: str) -> str:
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != SCHEME or not 0 < len(credential) <= MAX_CREDENTIAL_CHARS:
            raise UnauthenticatedError(Reason.MALFORMED)
        if credential.startswith(KEY_PREFIX):
            return self._of_key(credential)
        if self.tokens is None:
            raise UnauthenticatedError(Reason.NO_TOKENS)
        return await self.tokens.party_of(credential)

    def _of_key(self, credential: str) -> str:
        key = self.keys.find(credential)
        if key is None:
            raise UnauthenticatedError(Reason.UNKNOWN_KEY)
        if key.revoked_at is not None:
            raise UnauthenticatedError(Reason.REVOKED_KEY)
        return key.party

    def _of_certificate(self, peer_names: frozenset[str], *, is_only: bool) -> set[str]:
        named = {self.certificates[name] for name in peer_names if name in self.certificates}
        if not named and is_only:
            raise UnauthenticatedError(Reason.UNKNOWN_CERTIFICATE)
        return named
