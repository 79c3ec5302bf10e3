"""The description of the interface is true: schemathesis tries to find where it is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from broker.processes.intake_models import ProblemModel, ReceiptModel, ReceiptsModel
from tests.broker.processes.intake_site import IntakeSite, intake_site, referral

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def described(tmp_path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """The description of an open intake, and the headers of a caller."""
    import asyncio

    with asyncio.Runner() as runner:
        context = intake_site(tmp_path)
        site = runner.run(context.__aenter__())
        schema = schemathesis.openapi.from_asgi("/openapi.json", site.app)
        yield schema, site.headers("midshire-police")
        runner.run(context.__aexit__(None, None, None))


OPERATIONS = [
    ("/v1/referrals", "POST"),
    ("/v1/referrals/{referral_id}/events", "POST"),
    ("/v1/referrals/{format}", "POST"),
    ("/v1/preview", "POST"),
    ("/v1/receipts/{event_id}", "GET"),
    ("/v1/problems/{code}", "GET"),
]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_every_answer_is_as_described(
    described: tuple[Any, dict[str, str]], path: str, method: str, data: st.DataObject
) -> None:
    """Status, media type and body of every answer stand in the description; none is a defect."""
    schema, headers = described
    case = data.draw(schema[path][method].as_strategy())

    case.call_and_validate(headers=headers, checks=CHECKS)


async def test_every_operation_is_tried(tmp_path: Path) -> None:
    """An operation that is added must be added above."""
    async with intake_site(tmp_path) as site:
        paths = (await site.client.get("/openapi.json")).json()["paths"]

    found = {(path, method.upper()) for path, methods in paths.items() for method in methods}
    assert found == set(OPERATIONS)


async def test_the_answers_fit_their_models(tmp_path: Path) -> None:
    """Receipts and problems have exactly the described members."""
    async with intake_site(tmp_path) as site:
        receipt = await site.send(referral())
        problem = await site.send({})
        path, headers = "/v1/referrals/canonical_json", site.headers("midshire-police")
        receipts = await site.client.post(path, json=[referral()], headers=headers)
        partly = await site.client.post(path, json=[referral(), {}], headers=headers)

        ReceiptModel.model_validate(receipt.json())
        ProblemModel.model_validate(problem.json())
        ReceiptsModel.model_validate(receipts.json())
        ProblemModel.model_validate(partly.json())
        assert (await site.client.get("/docs")).status_code == 200


async def test_refusals_are_described_without_touching_what_fastapi_keeps(tmp_path: Path) -> None:
    """Ours is a copy, made once: FastAPI's own description stays as it made it."""
    async with intake_site(tmp_path) as site:
        ours, kept = site.app.openapi(), site.app.openapi_schema
        again = site.app.openapi()

    assert media_types(ours) == {"application/problem+json"}
    assert media_types(kept) == {"application/json"}
    assert again is ours


def media_types(document: Any) -> set[str]:
    """Return the media types of every described refusal."""
    return {
        media_type
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
        for media_type in answer.get("content", {})
    }


async def test_every_path_shows_an_example_that_works(tmp_path: Path) -> None:
    """What integrators copy from the page is accepted."""
    async with intake_site(tmp_path) as site:
        paths = (await site.client.get("/openapi.json")).json()["paths"]
        example = paths["/v1/referrals"]["post"]["requestBody"]["content"]["application/json"]

        assert (await sent(site, example["example"])) == 202


async def sent(site: IntakeSite, document: Any) -> int:
    """Send a document and return the status."""
    return (await site.send(document)).status_code
