"""What documents point to is there: links, paths, dependencies, and the changelog's open end."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.command_lines import ROOT, documents

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(r"`([\w.-]+(?:/[\w.<>*{},-]*)+|[\w-]+\.(?:md|toml|py|avsc|xml|lock))`")
TOP = {path.name for path in ROOT.iterdir()}
MADE_BY_PEOPLE = {"crisis-broker.toml", "parties.toml"}
"""Files of an installation, not of the project."""


def linked(text: str) -> Iterator[str]:
    """Targets of links that are files of ours."""
    return (target for target in LINK.findall(text) if "://" not in target)


def named(text: str, folder: Path) -> Iterator[str]:
    """Paths in backticks that can only be files of ours: they begin with what is there."""
    for found in PATH.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        first = found.split("/")[0]
        near = any(path.name == first for path in folder.iterdir())
        if (first in TOP or near or "/" not in found) and found not in MADE_BY_PEOPLE:
            yield found


def is_there(target: str, folder: Path) -> bool:
    """Whether something is named so: `<x>` is any name, a module needs no ending."""
    pattern = re.sub(r"<[^>]*>", "*", target).rstrip("/")
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    bases = (folder, ROOT, ROOT / "broker", ROOT / "deploy")
    return any(
        any(True for _ in base.glob(each)) for base in bases for each in (pattern, f"{pattern}.py")
    )


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(path: Path) -> None:
    """Whoever follows a path in a document finds the file."""
    text = path.read_text("utf-8")
    targets = [*linked(text), *named(text, path.parent)]

    assert [each for each in targets if not is_there(each, path.parent)] == []


def test_paths_are_found_at_all() -> None:
    """A search that finds nothing would prove nothing."""
    text = (ROOT / "README.md").read_text("utf-8")

    assert {"broker/README.md", "deploy/agreements/", "deploy/kafka/pom.xml"} <= set(
        named(text, ROOT)
    )
    assert not is_there("broker/nowhere.py", ROOT)


def test_the_changelog_has_an_open_end() -> None:
    """The next change has a place to be told in, and it is the first."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert headings[0] == "Unreleased"


def test_every_dependency_has_its_reason() -> None:
    """Nothing is installed of which nobody can say why."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.match(r"[\w.-]+", each)[0] for each in wanted}  # type: ignore[index]
    reasons = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("## Dependencies")[1]

    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", reasons)} == set()
