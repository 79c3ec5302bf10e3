"""The examples beside the schemas: good ones must be accepted, ``.invalid`` ones refused."""

from collections.abc import Iterator
from pathlib import Path

from broker.codec.canonical_json import read_document, write_body
from broker.codec.catalogue import Catalogue
from broker.codec.catalogue_files import Problem
from broker.domain.errors import MalformedMessageError
from broker.domain.json_text import parse_json

_INVALID = ".invalid"
_AT_LEAST = 2


def find_example_problems(catalogue: Catalogue, folder: Path) -> list[Problem]:
    """List every (file or event, rule) that the examples in *folder* break."""
    problems = list(_missing(catalogue, folder))
    for file in sorted(folder.glob("*.json")):
        problems += _problems_of(catalogue, file)
    return problems


def examples_of(event_type: str, folder: Path, *, invalid: bool = False) -> list[Path]:
    """Return the good or the invalid examples of one event, sorted."""
    files = sorted(folder.glob(f"{event_type}.*.json"))
    return [file for file in files if file.stem.endswith(_INVALID) == invalid]


def _missing(catalogue: Catalogue, folder: Path) -> Iterator[Problem]:
    for event_type in catalogue.events:
        for invalid in (False, True):
            if len(examples_of(event_type, folder, invalid=invalid)) < _AT_LEAST:
                kind = "invalid" if invalid else "good"
                yield event_type, f"fewer than {_AT_LEAST} {kind} examples"


def _problems_of(catalogue: Catalogue, file: Path) -> Iterator[Problem]:
    invalid = file.stem.endswith(_INVALID)
    try:
        document = parse_json(file.read_bytes())
        parsed = read_document(catalogue, document)
    except MalformedMessageError as error:
        if not invalid:
            yield from ((file.name, f"{rule} at {path}") for path, rule in error.problems)
        return
    event = catalogue.event(parsed.event_type)
    if invalid:
        yield file.name, "is accepted, though it must be refused"
    elif parsed.event_type != file.name.split(".")[0]:
        yield file.name, "is not named after its event"
    elif not write_body(event, parsed.body):
        yield file.name, "says nothing"
