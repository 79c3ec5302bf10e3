"""What one reading of a document notes down: problems, findings, and what had no place."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.codec.catalogue_files import Schema
from broker.domain.findings import Finding, Severity
from broker.domain.json_text import shown

Json = Any

UNMAPPED = "unmapped"

_BODY = "$.body."
_INDEX = re.compile(r"\[\d+\]")
_MAX_REPEATS = 20
"""Findings of one kind within one array; after that, one more stands for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How large a document may be.

    Attributes:
        max_depth: Objects and arrays within each other.
        max_string_chars: Characters of one text; raw logs of 100 KB happen.
        max_items: Items of one array.
        max_unmapped: Values that had no place; each makes the event longer than the document.
        max_problems: After so many problems the rest is not listed.
    """

    max_depth: int = 32
    max_string_chars: int = 262_144
    max_items: int = 10_000
    max_unmapped: int = 1_000
    max_problems: int = 100


@dataclass(slots=True)
class Notes:
    """
    Notes of one reading.

    Attributes:
        types: Named types of the schema, by full name.
        limits: How large the document may be.
        problems: (path, rule), in document order.
        findings: In document order.
        unmapped: What had no place: ``{"path", "text"}``.
        severity: Of findings where the reading stands now.
    """

    types: Mapping[str, Schema]
    limits: Limits
    problems: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unmapped: list[dict[str, str]] = field(default_factory=list)
    severity: Severity = Severity.WARNING
    _repeats: Counter[tuple[str, str]] = field(default_factory=Counter)

    def problem(self, path: str, rule: str) -> None:
        """Note a problem."""
        if len(self.problems) < self.limits.max_problems:
            self.problems.append((path, rule))

    def find(
        self, code: str, path: str, *, kept: str = UNMAPPED, severity: Severity | None = None
    ) -> None:
        """Note a finding; a long array does not get one for each of its items."""
        everywhere = _INDEX.sub("[*]", path)
        self._repeats[code, everywhere] += 1
        repeats = self._repeats[code, everywhere]
        if repeats > _MAX_REPEATS + 1:
            return
        path, kept = (
            (everywhere, _INDEX.sub("[*]", kept)) if repeats > _MAX_REPEATS else (path, kept)
        )
        kept = kept.removeprefix(_BODY)
        severity = severity or self.severity
        self.findings.append(Finding(code=code, path=path, severity=severity, kept=kept))

    def text(self, value: Json, path: str) -> str:
        """Read a text."""
        if not isinstance(value, str):
            self.problem(path, "not a text")
            return ""
        if len(value) > self.limits.max_string_chars:
            self.problem(path, f"text is longer than {self.limits.max_string_chars} characters")
        elif not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            self.problem(path, "not valid Unicode")
        return value

    def keep(self, code: str, value: Json, path: str, *, severity: Severity | None = None) -> None:
        """Keep a value that cannot stand at its place, and note the finding."""
        self._keep(value, path, path)
        self.find(code, path, severity=severity)

    def keep_unknown(self, key: str, value: Json, path: str) -> None:
        """Keep a field that the schema does not have."""
        # A key may be a person's name or number; findings travel further than the payload does.
        place = f"{path}.{shown(key)}"
        self.text(key, place)
        self._keep(value, f"{path}.{key}", place)
        self.find("unknown-field", place)

    def _keep(self, value: Json, path: str, place: str) -> None:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        self.text(text, place)
        if len(self.unmapped) == self.limits.max_unmapped:
            self.problem(place, f"more than {self.limits.max_unmapped} values without a place")
        else:
            self.unmapped.append({"path": path, "text": text})
