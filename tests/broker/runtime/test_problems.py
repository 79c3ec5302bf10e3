"""Problem documents: every kind is described, none repeats a value."""

import json

import pytest

from broker.runtime.problems import MEDIA_TYPE, PROBLEMS, Code, Problem, refuse


@pytest.mark.parametrize("code", list(Code))
def test_every_kind_of_problem_says_what_to_do(code: Code) -> None:
    """Status, title and remedy stand in the document, and its type leads to them."""
    response = Problem(code=code).response()
    document = json.loads(response.body)

    assert response.media_type == MEDIA_TYPE
    assert document["type"] == f"/v1/problems/{code}"
    assert document["status"] == response.status_code == PROBLEMS[code].status
    assert 400 <= response.status_code < 600
    assert document["title"]
    assert document["remedy"].endswith(".")


def test_places_and_rules_are_listed() -> None:
    """Errors are pairs of path and rule."""
    problem = refuse(Code.MALFORMED, "$.a", "missing").problem

    assert problem.document()["errors"] == [{"path": "$.a", "rule": "missing"}]
    assert "errors" not in Problem(code=Code.MALFORMED).document()


def test_waiting_and_identifying_use_the_headers_made_for_it() -> None:
    """`Retry-After` and `WWW-Authenticate` are sent where they mean something."""
    wait = Problem(code=Code.TOO_MANY, retry_after_s=7).response()
    who = Problem(code=Code.UNAUTHENTICATED).response()

    assert wait.headers["Retry-After"] == "7"
    assert who.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_error_says_its_kind_only() -> None:
    """Its text could end in a log."""
    assert str(refuse(Code.CONFLICT, "$.a", "b")) == "idempotency-conflict"
