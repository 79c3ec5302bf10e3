"""
Reads JSON by an Avro schema, and goes on after a fault: the sender gets every problem at once.

What is not understood is kept, not refused: unknown fields and symbols, and codes, positions, NHS
numbers and birth dates that cannot be read, go to `unmapped` with a finding.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from broker.codec.avro_numbers import Misfit
from broker.codec.canonical_notes import Notes
from broker.codec.canonical_scalars import SCALARS
from broker.codec.catalogue_files import Schema
from broker.codec.moments import ASSUMED, read_moment
from broker.domain.findings import Severity

Json = Any

MOMENT = "crisis.types.Moment"
BIRTH_DATE = "crisis.types.BirthDate"

FORGIVEN: Mapping[str, tuple[str, Severity]] = {
    "crisis.types.Code": ("code-unreadable", Severity.WARNING),
    "crisis.types.Position": ("position-unreadable", Severity.SAFETY),
    "crisis.types.NhsNumber": ("nhs-number-unreadable", Severity.WARNING),
    BIRTH_DATE: ("birth-date-unreadable", Severity.WARNING),
}
"""Types that are never a reason to refuse, and the finding if they cannot be read."""

_ABSENT_IS_TRUE = frozenset({"do_not_disclose_purpose"})
"""Where nobody said, the careful answer."""

_BIRTH_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", re.ASCII)
_UNREADABLE = object()
_NESTED: Mapping[str, tuple[type[Any], str]] = {
    "record": (dict, "not an object"),
    "map": (dict, "not an object"),
    "array": (list, "not an array"),
}


class Reader(Notes):
    """One reading of one document."""

    __slots__ = ()

    def read(self, schema: Schema, value: Json, path: str) -> Any:
        """Read one value; after a problem the result is of no use."""
        if isinstance(schema, list):
            return self._nullable(schema, value, path)
        name = schema if isinstance(schema, str) else schema.get("name", schema["type"])
        if isinstance(schema, dict) and "namespace" in schema:
            name = f"{schema['namespace']}.{name}"
        if name in FORGIVEN:
            return self._forgiving(name, value, path)
        return self._named(name, schema, value, path)

    def record(self, schema: Schema, value: Mapping[str, Json], path: str) -> dict[str, Any]:
        """Read the fields of an object; unknown ones are kept in `unmapped`."""
        members = {member["name"]: member for member in schema["fields"]}
        for key in value:
            if key not in members:
                self.keep_unknown(key, value[key], path)
        return {
            name: self._member(member, value, f"{path}.{name}") for name, member in members.items()
        }

    def moment(self, value: Json, path: str) -> dict[str, Any]:
        """Read an ISO 8601 text."""
        try:
            native, codes = read_moment(value) if isinstance(value, str) else _no_text()
        except ValueError as error:
            self.problem(path, str(error))
            return {}
        for code in codes:
            severity = Severity.INFO if code == ASSUMED else Severity.WARNING
            self.find(code, path, kept=path, severity=severity)
        return native

    def symbol(self, symbols: Iterable[str], value: Json, path: str) -> str:
        """Read an enum; an unknown symbol is kept in `unmapped`."""
        if self.text(value, path) in symbols or not isinstance(value, str):
            return str(value)
        self.keep("unknown-symbol", value, path)
        return "unknown"

    def _member(self, member: Mapping[str, Any], value: Mapping[str, Json], path: str) -> Any:
        name, schema = member["name"], member["type"]
        given = value.get(name)
        if given is None and not (isinstance(schema, list) and "null" in schema):
            return self._absent(name, schema, path)
        outer = self.severity
        if member.get("x-presence") == "show":
            self.severity = Severity.SAFETY
        native = self.read(schema, given, path)
        self.severity = outer
        return None if native is _UNREADABLE else native

    def _absent(self, name: str, schema: Schema, path: str) -> Any:
        schema = self.types.get(schema, schema) if isinstance(schema, str) else schema
        if schema == "boolean":
            return name in _ABSENT_IS_TRUE
        if isinstance(schema, dict) and schema["type"] == "enum":
            return "unknown"
        if isinstance(schema, dict) and schema["type"] == "array":
            return []
        self.problem(path, "required field is missing")
        return None

    def _nullable(self, union: list[Schema], value: Json, path: str) -> Any:
        if value is None:
            return None
        branch = next(branch for branch in union if branch != "null")
        native = self.read(branch, value, path)
        return None if native is _UNREADABLE else native

    def _forgiving(self, name: str, value: Json, path: str) -> Any:
        attempt = Reader(self.types, self.limits)
        attempt.severity = self.severity
        native = attempt._named(name, name, value, path)
        if attempt.problems:
            code, severity = FORGIVEN[name]
            self.keep(code, value, path, severity=severity)
            return _UNREADABLE
        self.findings += attempt.findings
        self.unmapped += attempt.unmapped
        return native

    def _named(self, name: str, schema: Schema, value: Json, path: str) -> Any:
        if name == MOMENT:
            return self.moment(value, path)
        if name == BIRTH_DATE:
            value = self._birth_date(value, path)
        schema = self.types.get(name, schema)
        kind = schema if isinstance(schema, str) else schema["type"]
        if kind in _NESTED:
            return self._nested(kind, schema, value, path)
        if kind == "enum":
            return self.symbol(schema["symbols"], value, path)
        return self.text(value, path) if kind == "string" else self._scalar(kind, value, path)

    def _nested(self, kind: str, schema: Schema, value: Json, path: str) -> Any:
        json_type, rule = _NESTED[kind]
        if not isinstance(value, json_type):
            return self.problem(path, rule)
        if kind == "record":
            return self.record(schema, value, path)
        if kind == "array":
            return self._array(schema["items"], value, path)
        return self._map(schema["values"], value, path)

    def _array(self, items: Schema, value: list[Json], path: str) -> list[Any]:
        if len(value) > self.limits.max_items:
            self.problem(path, f"more than {self.limits.max_items} items")
            return []
        natives = [self.read(items, item, f"{path}[{index}]") for index, item in enumerate(value)]
        return [native for native in natives if native is not _UNREADABLE]

    def _map(self, values: Schema, value: Mapping[str, Json], path: str) -> dict[str, Any]:
        place = f"{path}.*"
        return {
            self.text(key, place): self.read(values, item, place) for key, item in value.items()
        }

    def _scalar(self, kind: str, value: Json, path: str) -> Any:
        try:
            return SCALARS[kind](value)
        except Misfit as misfit:
            self.problem(path, misfit.rule)
            return None

    def _birth_date(self, value: Json, path: str) -> Json:
        value = {"value": value, "estimated": False} if isinstance(value, str) else value
        text = value.get("value") if isinstance(value, dict) else None
        if isinstance(text, str) and not _BIRTH_DATE.fullmatch(text):
            self.problem(path, "not a date as in yyyy-mm-dd, yyyy-mm or yyyy")
        return value


def _no_text() -> tuple[dict[str, Any], list[str]]:
    raise ValueError("not a text")
