"""The catalogue of events and leaves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.codec import avro
from broker.codec.catalogue import find_problems, load_catalogue
from broker.codec.normal_form import normal_form
from broker.domain.errors import ConfigurationError, UnknownSchemaError
from broker.resources import schemas_folder

Edit = Callable[[str, Callable[[dict[str, Any]], None]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the schemas that a test may break."""
    for name in ("types", "events"):
        shutil.copytree(schemas_folder() / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def edit(folder: Path) -> Edit:
    """Change one file of the copy."""

    def change(name: str, how: Callable[[dict[str, Any]], None]) -> None:
        file = folder / f"{name}.avsc"
        schema = json.loads(file.read_text("utf-8"))
        how(schema)
        file.write_text(json.dumps(schema), "utf-8")

    return change


def member(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """One field of a record."""
    return next(f for f in schema["fields"] if f["name"] == name)


def test_leaves_are_the_smallest_things_an_agreement_can_name() -> None:
    """Containers are walked into; records marked as leaves, and arrays of them, are not."""
    leaves = load_catalogue().event("referral_made").leaves

    assert {"subject.identity.names", "subject.identity.birth_date", "risk.suicide.plan"} <= set(
        leaves
    )
    assert {"subject", "subject.identity", "subject.identity.birth_date.value"}.isdisjoint(leaves)
    assert leaves["subject.contact.protected_address"].sensitivity == "S8"
    assert leaves["subject.identity.birth_date"].avro_type == "crisis.types.BirthDate"


def test_an_array_of_containers_has_a_leaf_for_its_length() -> None:
    """Its length is named apart from what is inside."""
    leaves = load_catalogue().event("referral_made").leaves

    assert leaves["safety_warnings.#"].is_length
    assert leaves["safety_warnings.#"].presence == "show"
    assert not leaves["safety_warnings.kind"].is_length
    assert [path for path, leaf in leaves.items() if leaf.is_length] == [
        "safety_warnings.#",
        "dependants.children.#",
        "third_parties.#",
        "attachments.#",
    ]


def test_the_envelope_has_leaves_of_its_own() -> None:
    """No agreement can name a field of the envelope by accident."""
    event = load_catalogue().event("referral_made")

    assert not any(path.startswith("envelope") for path in event.leaves)
    assert "correlation_id" in event.envelope_leaves


def test_leaves_stand_in_canonical_order() -> None:
    """The order of leaves is the order of the bytes."""
    leaves = list(load_catalogue().event("referral_made").leaves)

    assert leaves.index("routing.from_system") < leaves.index("subject.identity.names")
    assert leaves[-1] == "unmapped"


def test_every_schema_needs_no_other_file() -> None:
    """Each event and type is well-formed by itself, and defines each name once."""
    catalogue = load_catalogue()

    for event in catalogue.events.values():
        assert avro.is_schema(event.schema)
        assert normal_form(event.schema).count('"name":"Moment"') == 1
    assert all(avro.is_schema(catalogue.type_schema(name)) for name in catalogue.types)


def test_two_loads_give_the_same_schemas(folder: Path) -> None:
    """Schema ids depend on the files alone."""
    one, two = load_catalogue(folder), load_catalogue(folder)

    for event_type, event in one.events.items():
        assert json.dumps(event.schema) == json.dumps(two.event(event_type).schema)


@pytest.mark.parametrize("tag", ["doc", "x-group", "x-class", "x-presence"])
def test_every_untagged_leaf_is_named_at_once(folder: Path, edit: Edit, tag: str) -> None:
    """Whoever adds fields sees all that is missing, not the first of it."""
    edit("types/risk", lambda schema: member(schema, "weapon").pop(tag))
    edit("types/identity", lambda schema: member(schema, "names").pop(tag))
    edit("events/referral_made", lambda schema: member(schema, "third_parties").pop(tag))

    with pytest.raises(ConfigurationError) as refused:
        load_catalogue(folder)

    for place in ("Risk.weapon", "Identity.names", "ReferralMade.third_parties"):
        assert f"{place}" in str(refused.value)
    assert f"no {tag}" in str(refused.value)


def test_parts_of_a_leaf_need_a_doc_as_well(folder: Path, edit: Edit) -> None:
    """A field inside a leaf carries no tags, but says what it is."""
    edit("types/address", lambda schema: member(schema, "uprn").pop("doc"))

    assert ("crisis.types.Address.uprn", "no doc") in find_problems(folder)


@pytest.mark.parametrize("value", ["S9", "s1", ""])
def test_an_unknown_class_is_no_class(folder: Path, edit: Edit, value: str) -> None:
    """Only S0 to S8 exist."""
    edit("types/risk", lambda schema: member(schema, "weapon").update({"x-class": value}))

    assert ("crisis.types.Risk.weapon", "no x-class S0 to S8") in find_problems(folder)


def test_a_leaf_is_as_new_as_the_container_around_it(folder: Path, edit: Edit) -> None:
    """A type used in a new place must not slip into agreements signed before."""
    edit("types/subject", lambda schema: member(schema, "contact").update({"x-since": 3}))
    edit("types/contact", lambda schema: member(schema, "email").update({"x-since": 2}))

    leaves = load_catalogue(folder).event("referral_made").leaves

    assert leaves["subject.contact.email"].since == 3
    assert leaves["subject.identity.names"].since == 1


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (lambda schema: schema.update(name="Danger"), ("types/risk.avsc", "file is not named after its type")),
        (lambda schema: schema.pop("namespace"), ("types/risk.avsc", "not a named Avro type with name and namespace")),
        (
            lambda schema: member(schema, "weapon").update(type=["null", "crisis.types.Wepon"]),
            ("crisis.types.Risk", "refers to unknown type `crisis.types.Wepon`"),
        ),
        (
            lambda schema: member(schema, "suicide").update(type=["null", "crisis.types.Risk"]),
            ("crisis.types.Risk", "a container may not contain itself"),
        ),
    ],
)  # fmt: skip
def test_what_is_no_catalogue_is_named(
    folder: Path, edit: Edit, how: Callable[[dict[str, Any]], None], problem: tuple[str, str]
) -> None:
    """Misnamed files, dangling names and endless containers are found before anything is loaded."""
    edit("types/risk", how)

    assert problem in find_problems(folder)


def test_an_empty_folder_is_no_catalogue(tmp_path: Path) -> None:
    """A wrong path is an error, not an empty catalogue."""
    with pytest.raises(ConfigurationError, match="no schemas"):
        load_catalogue(tmp_path)


def test_a_file_that_is_no_json_is_named(folder: Path) -> None:
    """A broken file does not hide behind a parser's message."""
    (folder / "types" / "risk.avsc").write_text("{", "utf-8")

    assert find_problems(folder)[0][0] == "types/risk.avsc"


def test_unknown_names_are_unknown_schemas() -> None:
    """Neither an event nor a type is made up."""
    with pytest.raises(UnknownSchemaError):
        load_catalogue().event("referral_forgotten")
    with pytest.raises(UnknownSchemaError):
        load_catalogue().type_schema("crisis.types.Nothing")
