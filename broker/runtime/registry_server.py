"""
The read API of a schema registry over a folder, so that any Kafka tool can decode our records.

Registering is a deployment step (`crisis-broker topics apply`), so this server changes nothing.

Source: Confluent Schema Registry documentation, "API reference": paths, answers and error codes.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as RoutingException

from broker.codec.normal_form import normal_form
from broker.domain.errors import UnknownSchemaError
from broker.runtime.registry import MEDIA_TYPE
from broker.runtime.registry_folder import Registered, RegistryFolder

SUBJECT_NOT_FOUND = 40401
VERSION_NOT_FOUND = 40402
SCHEMA_NOT_FOUND = 40403
INVALID_SCHEMA = 42201
INVALID_VERSION = 42202
READ_ONLY = 42205

_LATEST = frozenset({"latest", "-1"})


class _Answer(JSONResponse):
    media_type = MEDIA_TYPE


class _RefusalError(HTTPException):
    """An answer with one of Confluent's error codes; the first three digits are the status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(status_code=code // 100, detail=message)
        self.code = code


def create_app(folder: RegistryFolder) -> FastAPI:
    """Return the app that serves one folder."""
    app = FastAPI(
        title="Schemas of the crisis-referral broker",
        default_response_class=_Answer,
        openapi_url=None,
    )
    app.include_router(_subjects(folder))
    app.include_router(_schemas(folder))
    app.include_router(_configuration())
    app.exception_handler(RoutingException)(_refuse)
    app.exception_handler(RequestValidationError)(_refuse_body)
    return app


def _subjects(folder: RegistryFolder) -> APIRouter:
    router = APIRouter(prefix="/subjects")

    @router.get("")
    def subjects(subjectPrefix: str = "") -> list[str]:  # noqa: N803 - Confluent's name
        return [name for name in folder.subjects() if name.startswith(subjectPrefix)]

    @router.get("/{subject}/versions")
    def versions(subject: str) -> list[int]:
        return _versions(folder, subject)

    @router.get("/{subject}/versions/{version}")
    def version(subject: str, version: str) -> dict[str, Any]:
        return _described(_registered(folder, subject, version))

    @router.get("/{subject}/versions/{version}/schema")
    def schema(subject: str, version: str) -> dict[str, Any]:
        return _registered(folder, subject, version).schema

    @router.post("/{subject}")
    def look_up(subject: str, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        _versions(folder, subject)
        try:
            return _described(folder.find(subject, _schema_in(body)))
        except UnknownSchemaError:
            raise _RefusalError(SCHEMA_NOT_FOUND, "Schema not found") from None

    @router.post("/{subject}/versions")
    def register(subject: str) -> None:  # noqa: ARG001 - the path has it
        raise _RefusalError(
            READ_ONLY, "This registry is read-only; registering is a deployment step"
        )

    return router


def _schemas(folder: RegistryFolder) -> APIRouter:
    router = APIRouter(prefix="/schemas")

    @router.get("/types")
    def types() -> list[str]:
        return ["AVRO"]

    @router.get("/ids/{number}")
    def by_id(number: int) -> dict[str, str]:
        # Clients add `?subject=`, a guess by their own naming strategy. As in Confluent's server
        # it could only select a context, of which there is one: it does not narrow the search.
        return {"schema": normal_form(_schema(folder, number))}

    @router.get("/ids/{number}/schema")
    def schema_by_id(number: int) -> dict[str, Any]:
        return _schema(folder, number)

    @router.get("/ids/{number}/versions")
    def uses(number: int) -> list[dict[str, Any]]:
        _schema(folder, number)
        return [{"subject": u.subject, "version": u.version} for u in folder.uses(number)]

    @router.get("/ids/{number}/subjects")
    def subjects_of(number: int) -> list[str]:
        _schema(folder, number)
        return sorted({use.subject for use in folder.uses(number)})

    return router


def _configuration() -> APIRouter:
    router = APIRouter()

    @router.get("/config")
    def config() -> dict[str, str]:
        # Compatibility is checked where schemas are made (`crisis-broker schemas check`).
        return {"compatibilityLevel": "NONE"}

    @router.get("/mode")
    def mode() -> dict[str, str]:
        return {"mode": "READONLY"}

    @router.get("/")
    def root() -> dict[str, str]:
        return {}

    return router


def _versions(folder: RegistryFolder, subject: str) -> list[int]:
    versions = folder.versions(subject)
    if not versions:
        raise _RefusalError(SUBJECT_NOT_FOUND, "Subject not found")
    return versions


def _registered(folder: RegistryFolder, subject: str, version: str) -> Registered:
    versions = _versions(folder, subject)
    if version in _LATEST:
        return folder.registered(subject, versions[-1])
    if not (version.isascii() and version.isdigit() and int(version) > 0):
        raise _RefusalError(INVALID_VERSION, "The specified version is not a valid version id")
    try:
        return folder.registered(subject, int(version))
    except UnknownSchemaError:
        raise _RefusalError(VERSION_NOT_FOUND, "Version not found") from None


def _schema(folder: RegistryFolder, number: int) -> dict[str, Any]:
    try:
        return folder.schema(number)
    except UnknownSchemaError:
        raise _RefusalError(SCHEMA_NOT_FOUND, "Schema not found") from None


def _schema_in(body: dict[str, Any]) -> Any:
    try:
        return json.loads(body["schema"])
    except (KeyError, TypeError, ValueError):
        raise _RefusalError(INVALID_SCHEMA, "Invalid schema") from None


def _described(registered: Registered) -> dict[str, Any]:
    return {
        "subject": registered.subject,
        "version": registered.version,
        "id": registered.id,
        "schema": normal_form(registered.schema),
    }


def _refuse(_request: Request, refusal: RoutingException) -> _Answer:
    code = refusal.code if isinstance(refusal, _RefusalError) else refusal.status_code
    content = {"error_code": code, "message": refusal.detail}
    return _Answer(content, status_code=refusal.status_code)


def _refuse_body(_request: Request, _error: RequestValidationError) -> _Answer:
    content = {"error_code": 422, "message": "The request does not fit the API"}
    return _Answer(content, status_code=422)
