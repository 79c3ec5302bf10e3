"""
The HTTP interface of intake.

A 2xx is sent only after the event is on our own disk. What is wrong with a message is named by path
and rule, never by value. Bodies are read by hand, not by FastAPI: they are limited in size, time
and depth before anything looks at them.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from broker import __version__
from broker.domain.clauses import Party
from broker.domain.errors import MalformedMessageError, TransportError
from broker.processes.intake_answers import (
    answer_many,
    answer_one,
    answer_problem,
    write_findings,
    write_receipt,
)
from broker.processes.intake_door import Door, idempotency_key
from broker.processes.intake_formats import Formats
from broker.processes.intake_models import (
    ANSWER_EXAMPLE,
    EXAMPLE,
    PreviewModel,
    ProblemModel,
    ReceiptModel,
    ReceiptsModel,
)
from broker.processes.intake_preview import Preview
from broker.processes.intake_reading import Intent
from broker.processes.intake_service import Answer, Intake, most_urgent
from broker.runtime.offload import compute
from broker.runtime.problems import MEDIA_TYPE, PROBLEMS, Code, Problem, ProblemError, refuse
from connectors.contract import Inbound

RETRY_AFTER_S: Final = 5
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_BY_STATUS: Final = {404: Code.NOT_FOUND, 405: Code.WRONG_METHOD}
log = structlog.get_logger()


def _body_of(example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _refusals(*codes: Code) -> dict[int | str, dict[str, Any]]:
    # One status may have several kinds; each is described by its title.
    found: dict[int | str, dict[str, Any]] = {}
    for code in (Code.UNAUTHENTICATED, Code.INTERNAL, *codes):
        kind = PROBLEMS[code]
        entry = found.setdefault(int(kind.status), {"model": ProblemModel, "description": ""})
        entry["description"] = "; ".join(filter(None, (entry["description"], kind.title)))
    return found


_BODY_REFUSALS: Final = (
    Code.MALFORMED,
    Code.WRONG_ENVIRONMENT,
    Code.UNKNOWN_ADDRESSEE,
    Code.CONFLICT,
    Code.TOO_LARGE,
    Code.WRONG_ENCODING,
    Code.TOO_SLOW,
    Code.TOO_MANY,
    Code.FORBIDDEN,
    Code.UNAVAILABLE,
)
_ANY_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything the interface works with."""

    intake: Intake
    door: Door
    formats: Formats
    preview: Preview


def create_app(site: Site) -> FastAPI:
    """Return the app; it starts and stops nothing of its own."""
    app = _Interface(
        title="Crisis-referral broker: intake",
        version=__version__,
        summary="Send referrals and answers; get a receipt once they cannot be lost.",
        description=(
            "**Immediate risk to life: phone first, then send.** A receipt says that an event is on"
            " disk here. It does not say that anybody has read it: that comes back as an event."
        ),
    )
    app.add_middleware(_Guard)
    app.include_router(_sending(site), dependencies=[_bearer()])
    app.include_router(_looking(site), dependencies=[_bearer()])
    app.include_router(_explaining())
    _answer_errors(app)
    # Made now: it takes a while, and later a referral would wait for it.
    app.openapi()
    return app


class _Interface(FastAPI):
    """Describes refusals as application/problem+json, where FastAPI would say application/json."""

    _described: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the description, made once."""
        if self._described is None:
            self._described = _describe_problems(super().openapi())
        return self._described


def _describe_problems(document: Mapping[str, Any]) -> dict[str, Any]:
    described = deepcopy(dict(document))
    for path in described["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {})
                if status >= "400" and "application/json" in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return described


def _answer_errors(app: FastAPI) -> None:
    app.exception_handler(ProblemError)(_on_problem)
    app.exception_handler(MalformedMessageError)(_on_malformed)
    app.exception_handler(TransportError)(_on_transport)
    app.exception_handler(RequestValidationError)(_on_validation)
    app.exception_handler(HTTPException)(_on_http)


def _sending(site: Site) -> APIRouter:
    router = APIRouter(tags=["sending"])

    @router.post(
        "/v1/referrals",
        status_code=202,
        response_model=ReceiptModel,
        responses=_refusals(*_BODY_REFUSALS),
        openapi_extra=_body_of(EXAMPLE),
    )
    async def make_referral(request: Request) -> Response:
        """Send a referral, or its sender's update, withdrawal or taking back, by reference."""
        caller = await site.door.caller(request)
        body = await site.door.body(request, must_be_json=True)
        inbounds = _one(await _translate(site, "canonical_json", body, caller))
        intent = Intent(party=caller, key=idempotency_key(request), size=len(body))
        return answer_one(await _take(site, inbounds, intent))

    @router.post(
        "/v1/referrals/{referral_id}/events",
        status_code=202,
        response_model=ReceiptModel,
        responses=_refusals(*_BODY_REFUSALS),
        openapi_extra=_body_of(ANSWER_EXAMPLE),
    )
    async def add_event(request: Request, referral_id: str) -> Response:
        """Answer a referral that was released to you, or change one that you made."""
        caller = await site.door.caller(request)
        body = await site.door.body(request, must_be_json=True)
        if not _ID.fullmatch(referral_id):
            raise refuse(Code.FORBIDDEN, "path", "not a referral that is yours to answer")
        inbounds = _one(await _translate(site, "canonical_json", body, caller))
        intent = Intent(
            party=caller,
            key=idempotency_key(request),
            referral_id=referral_id,
            size=len(body),
        )
        return answer_one(await _take(site, inbounds, intent))

    @router.post(
        "/v1/referrals/{format}",
        status_code=202,
        response_model=ReceiptsModel,
        responses=_refusals(*_BODY_REFUSALS, Code.NOT_ALL_STORED, Code.NOT_FOUND),
        openapi_extra=_ANY_BODY,
    )
    async def send_message(
        request: Request,
        format: str,  # noqa: A002 - the name in the address
        to: Annotated[
            list[str], Query(description="Addressees, each as `recipient:purpose`.")
        ] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Send a message in an agency's own format; it may hold several events."""
        caller = await site.door.caller(request)
        body = await site.door.body(request, must_be_json=False)
        inbounds = await _translate(site, format, body, caller, to)
        intent = Intent(party=caller, key=idempotency_key(request), size=len(body))
        return answer_many(await _take(site, inbounds, intent))

    return router


def _looking(site: Site) -> APIRouter:
    router = APIRouter(tags=["looking"])

    @router.post(
        "/v1/preview",
        response_model=PreviewModel,
        responses=_refusals(*_BODY_REFUSALS),
        openapi_extra=_body_of(EXAMPLE),
    )
    async def preview(request: Request) -> Response:
        """See what every addressee would see; nothing is stored or sent."""
        caller = await site.door.caller(request)
        body = await site.door.body(request, must_be_json=True)
        (inbound,) = _one(await _translate(site, "canonical_json", body, caller))
        site.door.rates.admit(caller.id, "routine")
        intent = Intent(party=caller, size=len(body))
        draft = await site.intake.reader.read(inbound, intent)
        if isinstance(draft, Problem):
            return answer_problem(draft)
        # Compiling a view takes tens of milliseconds: not while a referral waits to be stored.
        routes = await asyncio.to_thread(site.preview.routes, draft)
        return JSONResponse({"routes": routes, "findings": write_findings(draft.findings)})

    @router.get(
        "/v1/receipts/{event_id}",
        response_model=ReceiptModel,
        responses=_refusals(Code.NOT_FOUND, Code.UNAVAILABLE),
    )
    async def show_receipt(request: Request, event_id: str) -> Response:
        """See how far an event of yours has come."""
        caller = await site.door.caller(request)
        receipt = await site.intake.outbox.receipt(caller.id, event_id)
        if receipt is None:
            raise refuse(Code.NOT_FOUND)
        return JSONResponse(write_receipt(receipt))

    return router


def _explaining() -> APIRouter:
    router = APIRouter(tags=["problems"])

    @router.get("/v1/problems/{code}", responses={**_refusals(Code.NOT_FOUND)})
    async def explain_problem(code: str) -> Response:
        """Read what a kind of problem means and what to do."""
        if code not in list(Code):
            raise refuse(Code.NOT_FOUND)
        return JSONResponse(Problem(code=Code(code)).document())

    return router


async def _translate(
    site: Site, name: str, body: bytes, caller: Party, to: Sequence[str] = ()
) -> list[Inbound]:
    return await compute(site.formats.translate, len(body), name, body, caller, to)


async def _take(site: Site, inbounds: Sequence[Inbound], intent: Intent) -> Answer:
    drafts = await site.intake.read(inbounds, intent)
    site.door.rates.admit(intent.party.id, most_urgent(drafts), len(drafts))
    return await site.intake.store(drafts)


def _one(inbounds: Sequence[Inbound]) -> Sequence[Inbound]:
    if len(inbounds) != 1:
        raise refuse(Code.MALFORMED, "$", "one event is expected here")
    return inbounds


def _bearer() -> Any:
    from fastapi import Depends

    # For /docs only: the caller is named by `Door.caller`, which also knows certificates.
    return Depends(HTTPBearer(auto_error=False, description="API key (`crk_...`) or OAuth2 token"))


async def _on_problem(_request: Request, error: ProblemError) -> Response:
    return answer_problem(error.problem)


async def _on_malformed(_request: Request, error: MalformedMessageError) -> Response:
    return answer_problem(Problem(code=Code.MALFORMED, errors=error.problems))


async def _on_transport(_request: Request, error: TransportError) -> Response:
    log.error("request could not be served", code=error.code, rule=str(error))
    return answer_problem(Problem(code=Code.UNAVAILABLE, retry_after_s=RETRY_AFTER_S))


async def _on_validation(_request: Request, error: RequestValidationError) -> Response:
    # FastAPI's own text repeats the value; only place and kind are kept.
    errors = [(".".join(map(str, each["loc"])), str(each["type"])) for each in error.errors()]
    return answer_problem(Problem(code=Code.MALFORMED, errors=errors))


async def _on_http(_request: Request, error: HTTPException) -> Response:
    return answer_problem(Problem(code=_BY_STATUS.get(error.status_code, Code.MALFORMED)))


class _Guard:
    """Answers with a problem document whatever goes wrong, and keeps the text of errors at home."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        begun = False

        async def watch(message: Any) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            log.critical("request failed by a defect", exc_info=error)
            if scope["type"] == "http" and not begun:
                await answer_problem(Problem(code=Code.INTERNAL))(scope, receive, send)
