"""One suite for every connector in the list; connectors/README.md states the rules."""

import importlib
import inspect
import json
import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec.catalogue import load_catalogue
from broker.domain.errors import MalformedMessageError
from broker.resources import deploy_folder
from connectors.contract import ConnectorSpec, Response, Verdict
from connectors.registry import ALL, BY_NAME
from tests.connectors.views import NOW, REQUEST_ID, TARGET, full_view, texts, views

FOLDER = Path(__file__).parents[2] / "connectors"
HEADINGS = ["What", "When", "How", "Gotchas", "Security", "Operations"]
MAPPINGS = {
    "cad_mapping": tomllib.loads(
        (deploy_folder() / "mappings" / "midshire_cad.toml").read_text("utf-8")
    )
}
READERS = [spec for spec in ALL if spec.translate_in]
WRITERS = [spec for spec in ALL if spec.translate_out]

every = pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
every_reader = pytest.mark.parametrize("spec", READERS, ids=lambda spec: spec.name)
every_writer = pytest.mark.parametrize("spec", WRITERS, ids=lambda spec: spec.name)
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def table() -> str:
    """The table of connectors/README.md as it ought to be."""
    rows = ["| name | reads | writes | what it does |", "|---|---|---|---|"]
    for spec in ALL:
        reads, writes = (
            "yes" if each else "no" for each in (spec.translate_in, spec.translate_out)
        )
        rows.append(f"| `{spec.name}` | {reads} | {writes} | {spec.summary} |")
    return "\n".join(rows)


@every
def test_a_connector_is_a_folder_with_one_spec(spec: ConnectorSpec) -> None:
    """The folder has the name; it exports SPEC; it reads or writes something."""
    module = importlib.import_module(f"connectors.{spec.name}")

    assert module.SPEC is spec is BY_NAME[spec.name]
    assert (FOLDER / spec.name / "__init__.py").is_file()
    assert spec.translate_in or spec.translate_out
    assert bool(spec.translate_out) == bool(spec.read_response)
    assert re.fullmatch(r"[A-Z][^.]*(\.\w[^.]*)*\.", spec.summary)
    assert "/" in spec.media_type


@every
def test_a_connector_explains_itself(spec: ConnectorSpec) -> None:
    """Its README has the six headings, in order."""
    text = (FOLDER / spec.name / "README.md").read_text("utf-8")
    found = re.findall(r"^(?:## |\*\*)(\w+)", text, re.MULTILINE)

    assert [heading for heading in found if heading in HEADINGS] == HEADINGS


def test_every_folder_is_in_the_list() -> None:
    """No connector stands beside the list, and none is in it twice."""
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}

    assert folders == set(BY_NAME)
    assert len(ALL) == len(BY_NAME)


def test_the_table_in_the_readme_is_made_from_the_specs() -> None:
    """Whoever adds a connector pastes this table."""
    assert table() in (FOLDER / "README.md").read_text("utf-8")


@every_reader
@given(message=st.binary())
def test_no_bytes_break_a_reader(spec: ConnectorSpec, message: bytes) -> None:
    """Whatever an agency sends: events, or one kind of error."""
    assert spec.translate_in is not None
    try:
        found = spec.translate_in(message, MAPPINGS.get(spec.name, {}))
    except MalformedMessageError:
        return

    assert isinstance(list(found), list)


@every_writer
@patient
@given(view=views())
def test_every_view_can_be_written_and_a_repeat_is_the_same(
    spec: ConnectorSpec, view: object
) -> None:
    """No view of any agreement fails, and the hour of the attempt changes no byte of the body."""
    assert spec.translate_out is not None

    first = spec.translate_out(view, TARGET, now=NOW, request_id=REQUEST_ID)
    second = spec.translate_out(view, TARGET, now=NOW + timedelta(hours=5), request_id=REQUEST_ID)

    assert (first.method, first.path, first.body) == (second.method, second.path, second.body)
    json.loads(first.body)


@every_writer
@pytest.mark.parametrize("event_type", load_catalogue().events)
def test_nothing_that_a_view_holds_is_dropped(spec: ConnectorSpec, event_type: str) -> None:
    """Every text of a full body stands in the request, if not in a place of its own, in words."""
    assert spec.translate_out is not None
    view = full_view(event_type)

    body = spec.translate_out(view, TARGET, now=NOW, request_id=REQUEST_ID).body.decode()

    canaries = [text for text in texts(view.body) if text.startswith("canary")]
    assert canaries
    assert [text for text in canaries if text not in body] == []


@every_writer
def test_who_withholds_and_whom_to_ask_always_stands_in_it(spec: ConnectorSpec) -> None:
    """The reader learns which groups were cut, and the desk that may know more (P3)."""
    assert spec.translate_out is not None
    entry = {"group": "informant", "reason": "withheld_by_rule", "clause": "x", "held": False}
    view = full_view("referral_made", entries=[entry], ask="duty desk, 01632 960123")

    body = spec.translate_out(view, TARGET, now=NOW, request_id=REQUEST_ID).body.decode()

    assert "informant" in body
    assert "duty desk, 01632 960123" in body


@every_writer
def test_headers_name_nobody(spec: ConnectorSpec) -> None:
    """Nothing of the body ever stands in a header or a path (P9)."""
    assert spec.translate_out is not None
    view = full_view("referral_made")

    request = spec.translate_out(view, TARGET, now=NOW, request_id=REQUEST_ID)

    outside = request.path + json.dumps(dict(request.headers))
    canaries = [text for text in texts(view.body) if text.startswith("canary")]
    assert [text for text in canaries if text in outside] == []


@every_writer
@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["x-request-id", "X-Correlation-ID", "retry-after", "content-type"]),
        st.text(max_size=20),
    ),
    body=st.binary(max_size=200) | st.just(b'{"resourceType":"OperationOutcome","issue":7}'),
)
def test_every_answer_has_a_verdict(
    spec: ConnectorSpec, status: int, headers: dict[str, str], body: bytes
) -> None:
    """An agency, or a proxy before it, may answer anything at all."""
    assert spec.read_response is not None
    response = Response(status=status, headers=headers, body=body)

    assert spec.read_response(response, request_id=REQUEST_ID) in Verdict


@every_writer
@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429, 301])
def test_what_may_pass_is_tried_again(spec: ConnectorSpec, status: int) -> None:
    """Trouble of the moment is never taken for a refusal, nor for success."""
    assert spec.read_response is not None
    response = Response(status=status, headers={}, body=b"")

    assert spec.read_response(response, request_id=REQUEST_ID) is Verdict.RETRY


@every
def test_the_translators_fit_the_contract(spec: ConnectorSpec) -> None:
    """Parameters have the names that the processes use."""
    if spec.translate_in:
        assert list(inspect.signature(spec.translate_in).parameters) == ["message", "mapping"]
    if spec.translate_out:
        parameters = list(inspect.signature(spec.translate_out).parameters)
        assert parameters == ["view", "target", "now", "request_id"]
