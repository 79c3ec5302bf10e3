"""
Agreement files to an agreement book: TOML, one file for each pair of organisations.

A file is refused as a whole, with every fault in it; so is a folder. What a file may say, and how,
is described in deploy/agreements/README.md.
"""

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from broker.codec.agreement_compile import Compiler, check_terms
from broker.codec.agreement_models import AgreementFile
from broker.codec.agreement_problems import Problems
from broker.codec.agreement_vocabulary import Vocabulary
from broker.codec.catalogue import Catalogue
from broker.domain.agreements import Agreement, AgreementBook, in_force
from broker.domain.errors import AgreementError
from broker.resources import deploy_folder


def load_book(
    folder: Path | None, catalogue: Catalogue, *, today: date | None = None
) -> AgreementBook:
    """
    Read every agreement of a folder and return those in force.

    Of several versions of one agreement the youngest that has begun counts. One that is past its
    end goes on and is marked overdue.

    Args:
        folder: Holds ``*.toml``; None means the agreements of this installation.
        catalogue: Leaves, groups and events that the files may name.
        today: None means this day, UTC.

    Raises:
        AgreementError: Names every fault of every file.
    """
    today = today or datetime.now(UTC).date()
    agreements = load_agreements(folder, catalogue, today=today)
    return AgreementBook(in_force(agreements, today), today=today)


def load_agreements(
    folder: Path | None, catalogue: Catalogue, *, today: date
) -> tuple[Agreement, ...]:
    """
    Read every agreement of a folder, also those that have not begun.

    Raises:
        AgreementError: Names every fault of every file.
    """
    folder = folder or deploy_folder() / "agreements"
    files = sorted(folder.glob("*.toml"))
    found: list[tuple[str, str]] = [] if files else [(folder.name, "holds no agreement")]
    vocabulary = Vocabulary(catalogue)
    agreements: list[Agreement] = []
    for file in files:
        problems = Problems(file.name, found=found)
        agreement = _read(file, vocabulary, problems, today)
        agreements += [agreement] if agreement else []
    found += _same_version(agreements)
    if found:
        raise AgreementError(found)
    return tuple(agreements)


def _read(file: Path, vocabulary: Vocabulary, problems: Problems, today: date) -> Agreement | None:
    content = _content(file, problems)
    raw = _parse(content, problems) if content is not None else None
    if content is None or raw is None:
        return None
    try:
        tables = AgreementFile.model_validate(raw)
    except ValidationError as error:
        problems.add_shape(error, raw)
        return None
    check_terms(tables, problems, today)
    digest = sha256(content).hexdigest()
    return Compiler(tables, vocabulary, problems, digest).compile()


def _content(file: Path, problems: Problems) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        problems.add("cannot be read")
        return None


def _parse(content: bytes, problems: Problems) -> dict[str, Any] | None:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        problems.add("is not UTF-8")
    except tomllib.TOMLDecodeError as error:
        problems.add(f"is not TOML: {error}")
    return None


def _same_version(agreements: Sequence[Agreement]) -> list[tuple[str, str]]:
    names = [(agreement.id, agreement.version) for agreement in agreements]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [(name, f"two files hold version {version}") for name, version in twice]
