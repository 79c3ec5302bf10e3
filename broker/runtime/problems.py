"""
Answers that say no: problem documents by RFC 9457, with path and rule, never a value.

Every problem an integrator can meet stands in `PROBLEMS`, with what to do about it; the `type` of
a problem document links to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

from broker.domain.errors import BrokerError

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "/v1/problems/"


class Code(StrEnum):
    """Why a request was refused; a metric label, and the last part of the problem's `type`."""

    MALFORMED = "malformed-message"
    CONFLICT = "idempotency-conflict"
    WRONG_ENVIRONMENT = "wrong-environment"
    UNKNOWN_ADDRESSEE = "unknown-addressee"
    NOT_ALL_STORED = "not-all-stored"
    TOO_LARGE = "too-large"
    WRONG_ENCODING = "wrong-encoding"
    TOO_SLOW = "too-slow"
    TOO_MANY = "too-many-requests"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    WRONG_METHOD = "wrong-method"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Kind:
    """Status, title and remedy of one kind of problem."""

    status: HTTPStatus
    title: str
    remedy: str


PROBLEMS: Final[Mapping[Code, Kind]] = {
    Code.MALFORMED: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The message does not fit its format",
        "Correct what `errors` names and send again. Nothing was stored. If it is urgent: phone.",
    ),
    Code.CONFLICT: Kind(
        HTTPStatus.CONFLICT,
        "This idempotency key came before with other content",
        "Use a new key for new content (without keys: another sequence); send the same content to"
        " see its receipt again. If it is urgent: phone.",
    ),
    Code.WRONG_ENVIRONMENT: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The message is for another environment",
        "Live messages go to the live address only, test messages to the test address only.",
    ),
    Code.UNKNOWN_ADDRESSEE: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "An addressee or purpose is not known here, or none is stated",
        "Use party ids and purposes of the agreements; `crisis-broker agreements parties` lists them.",
    ),
    Code.NOT_ALL_STORED: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Some events of this message were refused",
        "`receipts` are stored for good; correct what `errors` names and send all again, it is safe.",
    ),
    Code.TOO_LARGE: Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The message is larger than allowed",
        "Send attachments by reference. If it is urgent: phone.",
    ),
    Code.WRONG_ENCODING: Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body is not encoded as expected",
        "Send UTF-8 without Content-Encoding, and the media type that the address names.",
    ),
    Code.TOO_SLOW: Kind(
        HTTPStatus.REQUEST_TIMEOUT,
        "The body did not arrive in time",
        "Send again; the whole body must arrive within the stated seconds.",
    ),
    Code.TOO_MANY: Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "Wait as `Retry-After` says. Immediate referrals are never refused for this.",
    ),
    Code.UNAUTHENTICATED: Kind(
        HTTPStatus.UNAUTHORIZED,
        "It is not known who is calling",
        "Send an API key or a token as `Authorization: Bearer ...`, or a client certificate.",
    ),
    Code.FORBIDDEN: Kind(
        HTTPStatus.FORBIDDEN,
        "The caller is known and may not do this",
        "A party sends as itself, and answers referrals that were released to it.",
    ),
    Code.NOT_FOUND: Kind(
        HTTPStatus.NOT_FOUND,
        "There is nothing here",
        "See /docs for addresses. A receipt is shown to its own sender only.",
    ),
    Code.WRONG_METHOD: Kind(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "This address does not take this method",
        "See /docs.",
    ),
    Code.UNAVAILABLE: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "It could not be stored, and nothing was promised",
        "If it is urgent: phone now. Send the same again after `Retry-After`; it is one event.",
    ),
    Code.INTERNAL: Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "An error of ours",
        "If it is urgent: phone now. Send the same again; it is one event. We have been told.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    One refusal.

    Attributes:
        code: Which kind.
        detail: One fixed sentence more, if it helps; never a value.
        errors: (path, rule) pairs.
        retry_after_s: When to try again, where that makes sense.
        extensions: Further members of the document.
    """

    code: Code
    detail: str = ""
    errors: Sequence[tuple[str, str]] = ()
    retry_after_s: int | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """HTTP status."""
        return int(PROBLEMS[self.code].status)

    def document(self) -> dict[str, Any]:
        """Return the members of the problem document."""
        kind = PROBLEMS[self.code]
        members: dict[str, Any] = {
            "type": f"{TYPE_PREFIX}{self.code}",
            "title": kind.title,
            "status": self.status,
            "remedy": kind.remedy,
        }
        if self.detail:
            members["detail"] = self.detail
        if self.errors:
            members["errors"] = [{"path": path, "rule": rule} for path, rule in self.errors]
        return {**members, **self.extensions}

    def response(self) -> JSONResponse:
        """Return the HTTP answer."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.code is Code.UNAUTHENTICATED:
            headers["WWW-Authenticate"] = 'Bearer realm="crisis-referral-broker"'
        return JSONResponse(
            self.document(), status_code=self.status, headers=headers, media_type=MEDIA_TYPE
        )


class ProblemError(BrokerError):
    """Carries a problem to the place that answers with it."""

    code = "problem"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def refuse(
    code: Code, path: str = "", rule: str = "", *, retry_after_s: int | None = None
) -> ProblemError:
    """Return the error that answers with one problem at one place."""
    errors = [(path, rule)] if rule else []
    return ProblemError(Problem(code=code, errors=errors, retry_after_s=retry_after_s))
