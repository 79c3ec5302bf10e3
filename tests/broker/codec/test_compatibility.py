"""What a change of the schemas would break."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.codec.catalogue import Catalogue, load_catalogue
from broker.codec.compatibility import find_breaks
from broker.codec.compatibility_opinion import find_disagreements
from broker.resources import schemas_folder

OPTIONAL = {
    "name": "pulse", "type": ["null", "int"], "doc": "Beats a minute.", "default": None,
    "x-group": "risk", "x-class": "S3", "x-presence": "conceal", "x-since": 2,
}  # fmt: skip


def changed(folder: Path, name: str, how: Callable[[dict[str, Any]], Any]) -> Catalogue:
    """The catalogue with one file changed."""
    for part in ("types", "events"):
        shutil.copytree(schemas_folder() / part, folder / part)
    file = folder / f"{name}.avsc"
    schema = json.loads(file.read_text("utf-8"))
    how(schema)
    file.write_text(json.dumps(schema), "utf-8")
    return load_catalogue(folder)


def member(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """One field of a record."""
    return next(f for f in schema["fields"] if f["name"] == name)


def test_a_new_nullable_field_breaks_nothing(tmp_path: Path) -> None:
    """The one way to grow; Apache's implementation agrees."""
    current = changed(tmp_path, "types/risk", lambda risk: risk["fields"].insert(3, OPTIONAL))

    assert find_breaks(load_catalogue(), current) == []
    assert find_disagreements(load_catalogue(), current) == []


def test_an_enum_may_grow(tmp_path: Path) -> None:
    """A new symbol at the end becomes `unknown` for an old reader."""
    current = changed(tmp_path, "types/legal_power", lambda e: e["symbols"].append("s5_2"))

    assert find_breaks(load_catalogue(), current) == []
    assert find_disagreements(load_catalogue(), current) == []


@pytest.mark.parametrize(
    ("name", "how", "problem"),
    [
        ("types/risk", lambda s: member(s, "weapon").update(name="arms"),
         ("crisis.types.Risk.weapon", "field was removed or renamed")),
        ("types/risk", lambda s: s["fields"].pop(0),
         ("crisis.types.Risk.self_harm", "field was removed or renamed")),
        ("types/risk", lambda s: s["fields"].reverse(),
         ("crisis.types.Risk", "fields were moved")),
        ("types/risk", lambda s: member(s, "weapon").update(type=["null", "string"]),
         ("crisis.types.Risk.weapon", "type was changed")),
        ("types/risk", lambda s: s["fields"].append(OPTIONAL | {"type": "int", "default": 0}),
         ("crisis.types.Risk.pulse", "a new field is nullable with default null")),
        ("types/risk", lambda s: s["fields"].append({k: v for k, v in OPTIONAL.items() if k != "x-since"}),
         ("referral_made: risk.pulse", "a new leaf needs x-since 2 or later")),
        ("types/risk", lambda s: member(s, "weapon").update({"x-group": "routing"}),
         ("referral_made: risk.weapon", "group, class, presence or since of a leaf never change")),
        ("types/risk", lambda s: member(s, "weapon").update({"x-presence": "conceal"}),
         ("referral_made: risk.weapon", "group, class, presence or since of a leaf never change")),
        ("types/informant", lambda s: member(s, "name").update({"x-class": "S0"}),
         ("referral_made: informant.name", "group, class, presence or since of a leaf never change")),
        ("types/legal_power", lambda s: s["symbols"].remove("mca"),
         ("crisis.types.LegalPower", "symbols may only be added at the end")),
        ("types/legal_power", lambda s: s["symbols"].insert(1, "s5_2"),
         ("crisis.types.LegalPower", "symbols may only be added at the end")),
        ("types/address", lambda s: s.pop("x-leaf") and [f.update({"x-group": "g", "x-class": "S2", "x-presence": "show"}) for f in s["fields"]],
         ("crisis.types.Address", "x-leaf was changed")),
        ("types/envelope", lambda s: member(s, "content_digest")["type"].update(size=16),
         ("crisis.types.Digest", "size was changed")),
        ("types/envelope", lambda s: member(s, "recorded_at")["type"].update(logicalType="timestamp-millis"),
         ("crisis.types.Envelope.recorded_at", "type was changed")),
        ("types/envelope", lambda s: member(s, "supersedes").pop("default"),
         ("crisis.types.Envelope.supersedes", "default was changed")),
        ("events/referral_made", lambda s: s.update({"x-event-type": "referral_begun"}),
         ("crisis.events.ReferralMade", "x-event-type was changed")),
    ],
)  # fmt: skip
def test_every_other_change_is_named(
    tmp_path: Path, name: str, how: Callable[[dict[str, Any]], Any], problem: tuple[str, str]
) -> None:
    """Whatever would mislead an old reader or an old agreement is found with its place."""
    assert problem in find_breaks(load_catalogue(), changed(tmp_path, name, how))


def test_a_removed_event_is_named(tmp_path: Path) -> None:
    """Records that stand in a topic must stay readable."""
    for part in ("types", "events"):
        shutil.copytree(schemas_folder() / part, tmp_path / part)
    (tmp_path / "events" / "referral_taken_back.avsc").unlink()

    problems = find_breaks(load_catalogue(), load_catalogue(tmp_path))

    assert ("crisis.events.ReferralTakenBack", "type was removed or renamed") in problems


def test_apaches_implementation_sees_a_broken_type(tmp_path: Path) -> None:
    """The second opinion is one that can say no."""
    current = changed(
        tmp_path, "types/risk", lambda risk: member(risk, "weapon").update(type=["null", "string"])
    )

    assert any(
        "referral_made" in place for place, _ in find_disagreements(load_catalogue(), current)
    )
