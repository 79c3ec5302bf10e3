"""Schema ids, and the two registries that keep the same promises."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from fastapi import Body, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec import avro, wire
from broker.codec.catalogue import load_catalogue
from broker.codec.registry import SchemaRegistry, schema_id, subject_name
from broker.domain.errors import ConfigurationError, TransportError, UnknownSchemaError
from broker.runtime import registry_folder
from broker.runtime.http_server import serve
from broker.runtime.registry import DirectoryRegistry, HttpRegistry, open_registry
from broker.runtime.registry_folder import RegistryFolder
from broker.runtime.registry_server import create_app
from broker.runtime.settings import Settings
from tests.served_registry import an_accepted_referral, served_registry
from tests.strategies import schemas

ACCEPTED = load_catalogue().event("referral_accepted")
SUBJECT = subject_name("crisis.events", ACCEPTED.fullname)
TINY = {"type": "record", "name": "Tiny", "namespace": "t", "doc": "One.", "fields": []}
OTHER = {**TINY, "doc": "Another."}

Start = Callable[[FastAPI], Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Serve apps on free ports until the test ends; gives their addresses."""
    stop = asyncio.Event()
    running: list[asyncio.Task[None]] = []

    async def begin(app: FastAPI) -> str:
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        served = serve(app, host="127.0.0.1", port=0, tls=None, stop=stop, started=started)
        running.append(asyncio.create_task(served))
        return f"http://127.0.0.1:{await started}"

    yield begin
    stop.set()
    await asyncio.gather(*running)


def confluent_app() -> FastAPI:
    """A registry that registers, as Confluent documents it: ids are counted from 1."""
    app = FastAPI()
    known: list[str] = []
    subjects: dict[str, list[str]] = {}

    def missing(code: int) -> HTTPException:
        return HTTPException(404, detail={"error_code": code, "message": "not found"})

    @app.post("/subjects/{subject}/versions")
    def register(subject: str, body: Annotated[dict[str, str], Body()]) -> dict[str, int]:
        schema = body["schema"]
        if json.loads(schema).get("name") == "Forbidden":
            raise HTTPException(409, detail={"error_code": 409, "message": "incompatible"})
        if schema not in known:
            known.append(schema)
        if schema not in subjects.setdefault(subject, []):
            subjects[subject].append(schema)
        return {"id": known.index(schema) + 1}

    @app.post("/subjects/{subject}")
    def look_up(subject: str, body: Annotated[dict[str, str], Body()]) -> dict[str, Any]:
        schema = body["schema"]
        if schema not in subjects.get(subject, []):
            raise missing(40403 if subject in subjects else 40401)
        return {"subject": subject, "id": known.index(schema) + 1, "version": 1, "schema": schema}

    @app.get("/schemas/ids/{number}")
    def by_id(number: int) -> dict[str, str]:
        if not 0 < number <= len(known):
            raise missing(40403)
        return {"schema": known[number - 1]}

    return app


@pytest.fixture(params=["folder", "server"])
async def registry(
    request: pytest.FixtureRequest, tmp_path: Path, start: Start
) -> AsyncIterator[SchemaRegistry]:
    """Each registry that can register."""
    if request.param == "folder":
        yield DirectoryRegistry(tmp_path / "registry")
        return
    http = HttpRegistry(await start(confluent_app()))
    yield http
    await http.aclose()


async def test_what_is_registered_is_found_by_id_and_by_subject(registry: SchemaRegistry) -> None:
    """The schema comes back whole: docs, defaults and tags included."""
    number = await registry.register(SUBJECT, ACCEPTED.schema)

    assert await registry.schema(number) == ACCEPTED.schema
    assert await registry.id_of(SUBJECT, ACCEPTED.schema) == number


async def test_registering_again_changes_nothing(registry: SchemaRegistry) -> None:
    """Key order does not matter, and the same schema has one id in every subject."""
    number = await registry.register("a-t.Tiny", TINY)

    assert await registry.register("a-t.Tiny", dict(reversed(TINY.items()))) == number
    assert await registry.register("b-t.Tiny", TINY) == number
    assert await registry.register("a-t.Tiny", OTHER) != number


async def test_what_is_not_registered_is_unknown(registry: SchemaRegistry) -> None:
    """Neither an id nor a place in a subject is made up."""
    await registry.register("a-t.Tiny", TINY)

    with pytest.raises(UnknownSchemaError):
        await registry.schema(987_654)
    with pytest.raises(UnknownSchemaError):
        await registry.id_of("a-t.Tiny", OTHER)
    with pytest.raises(UnknownSchemaError):
        await registry.id_of("b-t.Tiny", TINY)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(schemas(), st.randoms(use_true_random=False))
def test_an_id_depends_on_the_schema_and_not_on_the_order_of_keys(schema: Any, random: Any) -> None:
    """Shuffled keys give the same id; it fits a signed 32-bit number and is not 0."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            pairs = [(key, shuffled(inner)) for key, inner in value.items()]
            random.shuffle(pairs)
            return dict(pairs)
        return [shuffled(inner) for inner in value] if isinstance(value, list) else value

    assert schema_id(shuffled(copy.deepcopy(schema))) == schema_id(schema)
    assert 0 < schema_id(schema) < 2**31


@pytest.mark.parametrize(
    "change",
    [
        {"doc": "Two."},
        {"x-leaf": True},
        {"fields": [{"name": "a", "type": "int"}]},
        {"fields": [{"name": "a", "type": "int", "default": 1}]},
        {"fields": [{"name": "a", "type": {"type": "long", "logicalType": "timestamp-micros"}}]},
        {"fields": [{"name": "a", "type": "int", "x-group": "risk"}]},
    ],
)
def test_everything_in_a_schema_counts(change: dict[str, Any]) -> None:
    """Docs, defaults, logical types and tags make another schema, which Avro's own form denies."""
    assert schema_id(TINY | change) != schema_id(TINY)


def test_the_id_of_a_schema_never_changes() -> None:
    """Records in a topic carry it for years."""
    # SHA-256 of its normal form begins with cb37c599; the top bit is cleared.
    assert schema_id(TINY) == 0x4B37C599


async def test_a_collision_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two schemas with one id would make records unreadable; the first one stays."""
    registry = DirectoryRegistry(tmp_path)
    monkeypatch.setattr(registry_folder, "schema_id", lambda _schema: 7)
    await registry.register("a-t.Tiny", TINY)

    with pytest.raises(ConfigurationError, match="same id"):
        await registry.register("a-t.Tiny", OTHER)

    assert await registry.schema(7) == TINY
    assert RegistryFolder(tmp_path).versions("a-t.Tiny") == [1]


def test_many_writers_give_each_version_once(tmp_path: Path) -> None:
    """Processes that start together do not overwrite each other's versions."""
    wanted = [{**TINY, "doc": f"Number {index}."} for index in range(12)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda s: RegistryFolder(tmp_path).register("a-t.Tiny", s), wanted * 2))

    folder = RegistryFolder(tmp_path)
    assert folder.versions("a-t.Tiny") == list(range(1, 13))
    assert {folder.registered("a-t.Tiny", v).schema["doc"] for v in range(1, 13)} == {
        schema["doc"] for schema in wanted
    }


def test_versions_are_counted_as_numbers(tmp_path: Path) -> None:
    """Version 10 comes after version 9."""
    folder = RegistryFolder(tmp_path)
    for index in range(11):
        folder.register("a-t.Tiny", {**TINY, "doc": str(index)})

    assert folder.versions("a-t.Tiny")[-1] == 11
    assert folder.find("a-t.Tiny", {**TINY, "doc": "9"}).version == 10


@pytest.mark.parametrize("subject", ["../a", "a/b", "", "ids", ".hidden", "a\0b"])
def test_a_subject_cannot_lead_out_of_the_folder(tmp_path: Path, subject: str) -> None:
    """A name with a path in it is refused, and finds nothing."""
    folder = RegistryFolder(tmp_path / "inner")
    with pytest.raises(ConfigurationError):
        folder.register(subject, TINY)

    assert folder.versions(subject) == []


async def test_the_settings_choose_the_registry(tmp_path: Path) -> None:
    """A server where one is named, else a folder below the state directory."""
    folder = open_registry(Settings(state_dir=tmp_path))
    await folder.register("a-t.Tiny", TINY)

    assert (tmp_path / "registry" / "a-t.Tiny" / "1.json").exists()
    assert isinstance(open_registry(Settings(registry_url="http://127.0.0.1:9")), HttpRegistry)


async def test_a_server_that_is_away_may_come_back() -> None:
    """No answer is not the answer that there is no schema."""
    async with asyncio.timeout(20):
        with pytest.raises(TransportError):
            await HttpRegistry("http://127.0.0.1:9", timeout_s=5).schema(1)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, {}, TransportError),
        (503, {}, TransportError),
        (401, {}, TransportError),
        (200, [], TransportError),
        (200, {"schema": "{"}, TransportError),
        (200, {"schema": '"string"'}, TransportError),
        (404, {"error_code": 40403}, UnknownSchemaError),
    ],
)
async def test_strange_answers_are_told_apart(
    start: Start, status: int, body: Any, error: type[Exception]
) -> None:
    """Only `not found` means not found."""
    app = FastAPI()
    app.get("/schemas/ids/1")(lambda: JSONResponse(body, status))
    registry = HttpRegistry(await start(app))

    with pytest.raises(error):
        await registry.schema(1)
    await registry.aclose()


async def test_a_schema_that_the_server_refuses_is_a_matter_of_configuration(start: Start) -> None:
    """Trying again would not help: somebody has to look at the registry's rules."""
    registry = HttpRegistry(await start(confluent_app()))

    with pytest.raises(ConfigurationError, match="409"):
        await registry.register("a-t.Forbidden", {**TINY, "name": "Forbidden"})
    await registry.aclose()


async def test_a_schema_is_asked_for_once(start: Start) -> None:
    """What is registered never changes, so an answer is kept."""
    asked: list[int] = []
    app = FastAPI()

    @app.get("/schemas/ids/{number}")
    def by_id(number: int) -> dict[str, str]:
        asked.append(number)
        return {"schema": json.dumps(TINY)}

    registry = HttpRegistry(await start(app))
    found = [await registry.schema(3) for _ in range(3)]
    await registry.aclose()

    assert (found, asked) == ([TINY] * 3, [3])


async def test_our_server_answers_our_client(tmp_path: Path, start: Start) -> None:
    """What the folder holds is found over HTTP under the same ids; nothing can be added."""
    number = RegistryFolder(tmp_path).register(SUBJECT, ACCEPTED.schema).id
    registry = HttpRegistry(await start(create_app(RegistryFolder(tmp_path))))

    assert await registry.schema(number) == ACCEPTED.schema
    assert await registry.id_of(SUBJECT, ACCEPTED.schema) == number
    with pytest.raises(UnknownSchemaError):
        await registry.schema(number + 1)
    with pytest.raises(UnknownSchemaError):
        await registry.id_of(SUBJECT, TINY)
    with pytest.raises(ConfigurationError, match="422"):
        await registry.register(SUBJECT, TINY)
    await registry.aclose()


def test_confluents_deserializer_reads_our_values(tmp_path: Path) -> None:
    """A value framed by us is decoded by the reference client through `registry serve`."""
    native = an_accepted_referral()
    number = RegistryFolder(tmp_path).register(SUBJECT, ACCEPTED.schema).id
    value = wire.frame(number) + avro.encode(ACCEPTED.schema, native)

    with served_registry(tmp_path) as url, SchemaRegistryClient({"url": url}) as client:
        decode = AvroDeserializer(client)
        found = decode(value, SerializationContext("crisis.events", MessageField.VALUE))

    assert found == native


def test_confluents_client_finds_its_way(tmp_path: Path) -> None:
    """Subjects, versions and look-ups answer as the reference client expects."""
    number = RegistryFolder(tmp_path).register(SUBJECT, ACCEPTED.schema).id

    with served_registry(tmp_path) as url, SchemaRegistryClient({"url": url}) as client:
        latest = client.get_latest_version(SUBJECT)
        looked_up = client.lookup_schema(SUBJECT, latest.schema)
        with pytest.raises(SchemaRegistryError) as refused:
            client.get_latest_version("none")

        assert client.get_subjects() == [SUBJECT]
        assert client.get_versions(SUBJECT) == [1]
        assert (latest.schema_id, looked_up.schema_id) == (number, number)
        assert json.loads(latest.schema.schema_str) == ACCEPTED.schema
        assert refused.value.error_code == 40401


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subjects/none/versions", 40401),
        ("/subjects/none/versions/1", 40401),
        (f"/subjects/{SUBJECT}/versions/2", 40402),
        (f"/subjects/{SUBJECT}/versions/zero", 42202),
        (f"/subjects/{SUBJECT}/versions/0", 42202),
        ("/schemas/ids/1", 40403),
        ("/schemas/ids/1/versions", 40403),
        ("/schemas/ids/1/subjects", 40403),
        ("/nothing", 404),
    ],
)
def test_error_codes_are_confluents(tmp_path: Path, path: str, code: int) -> None:
    """A client tells a missing subject from a missing version by the code."""
    folder = RegistryFolder(tmp_path)
    folder.register(SUBJECT, ACCEPTED.schema)

    answer = TestClient(create_app(folder)).get(path)

    assert answer.json()["error_code"] == code
    assert answer.status_code == int(str(code)[:3])
