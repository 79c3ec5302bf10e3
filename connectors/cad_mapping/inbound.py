"""
Rows of an export to events, one for each row, by the site's mapping.

Nothing is lost on the way: a value that cannot be read, and a column that the mapping does not
know, go to `unmapped` as text, and a finding says so. Where it is a matter of safety, the finding
has that severity and the text may be given a place that people see (`text_to`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from broker.codec.catalogue import EventSchema, load_catalogue
from broker.domain.findings import Finding, Severity
from broker.domain.json_text import shown
from connectors.cad_mapping.mapping import Column, SiteMapping, read_mapping
from connectors.cad_mapping.rota import routes_of
from connectors.cad_mapping.rows import Row, read_rows
from connectors.cad_mapping.targets import is_shown, parse_target, put
from connectors.cad_mapping.values import Context, read_moment, read_value
from connectors.contract import Inbound

MEDIA_TYPE: Final = "text/csv"
ANSWERS: Final = frozenset({"yes-no", "symbol"})
UNKNOWN: Final = "unknown"
_KEY_SEPARATOR: Final = "\x1f"


def translate_in(message: bytes, mapping: Mapping[str, Any]) -> Sequence[Inbound]:
    """
    Translate an export by the site's mapping file.

    Raises:
        ConfigurationError: The mapping file has faults; the message plays no part in that.
        MalformedMessageError: The bytes are no such export.
    """
    site = read_mapping(mapping)
    return [_Translation(site, row).inbound() for row in read_rows(message, site)]


class _Translation:
    """One row on its way."""

    def __init__(self, site: SiteMapping, row: Row) -> None:
        self._site = site
        self._row = row
        self._cells = {name: _present(value, site) for name, value in row.cells.items()}
        self._findings: list[Finding] = []
        self._unmapped: list[dict[str, str]] = []
        self._body: dict[str, Any] = {}
        self._event_type = self._find_event_type()
        self._occurred_at = self._find_occurred_at()

    def inbound(self) -> Inbound:
        """Return the event of the row."""
        site, catalogue = self._site, load_catalogue()
        event = catalogue.events.get(self._event_type)
        context = Context(site, self._cells, self._occurred_at)
        for column in site.column:
            self._place(column, context, event)
        for name in self._unknown_columns():
            self._keep_unknown(name)
        if self._unmapped:
            self._body["unmapped"] = self._unmapped
        return Inbound(
            document=self._document(),
            idempotency_key=self._key(),
            findings=tuple(self._findings),
        )

    def _document(self) -> dict[str, Any]:
        event = self._site.event
        document = {
            "event_type": self._event_type,
            "reference": self._text(event.reference),
            "environment": event.environment,
            "occurred_at": self._occurred_at.isoformat() if self._occurred_at else None,
            "urgency": self._urgency(),
            "sequence": self._sequence(),
            "routes": routes_of(self._site, self._cells, self._occurred_at),
            "body": self._body,
        }
        return {name: value for name, value in document.items() if value is not None}

    def _find_event_type(self) -> str:
        source = self._site.event.type_from
        if source is None:
            return self._site.event.type
        return source.codes.get(self._text(source.column) or "", self._site.event.type)

    def _find_occurred_at(self) -> datetime | None:
        # Without a readable time the document has none, and intake names what is missing.
        event = self._site.event
        text = self._text(event.occurred_at)
        if text is None:
            return None
        try:
            found, noticed = read_moment(text, event.format, self._site.zone)
        except (ValueError, OverflowError):
            self._find("moment-unreadable", event.occurred_at, "dropped", Severity.WARNING)
            return None
        for code in noticed:
            self._find(code, event.occurred_at, "envelope.occurred_at", Severity.WARNING)
        return found

    def _urgency(self) -> dict[str, str] | None:
        urgency = self._site.event.urgency
        code = self._text(urgency.column) if urgency else None
        if urgency is None or code is None:
            return None
        code = urgency.codes.get(code, code)
        return {"scheme": urgency.scheme, "version": urgency.version, "code": code}

    def _sequence(self) -> int | None:
        name = self._site.event.sequence
        text = self._text(name) if name else None
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        self._find("sequence-unreadable", name, "dropped", Severity.WARNING)
        return None

    def _key(self) -> str:
        names = self._site.event.key
        parts = [self._text(name) or "" for name in names]
        return _KEY_SEPARATOR.join((self._event_type, *parts)) if any(parts) else ""

    def _place(self, column: Column, context: Context, event: EventSchema | None) -> None:
        is_safety = column.safety or (event is not None and is_shown(event, column.to))
        severity = Severity.SAFETY if is_safety else Severity.WARNING
        if column.name not in self._cells:
            # JSON leaves out what is empty; in CSV the export itself has changed.
            if is_safety or self._site.format == "csv":
                self._find("column-missing", column.name, "dropped", severity)
            return
        value = self._cells[column.name]
        if value is None:
            # "Not known" is an answer, an empty cell is none.
            if column.type in ANSWERS and self._row.cells[column.name]:
                put(self._body, parse_target(column.to), UNKNOWN)
            return
        try:
            read = read_value(value, column, context)
        except (ValueError, OverflowError):
            self._keep_unread(column, self._with_partner(column, value), severity)
            return
        put(self._body, parse_target(column.to), read.value)
        for code in read.noticed:
            self._find(code, column.name, f"body.{column.to}", severity)

    def _keep_unread(self, column: Column, value: Any, severity: Severity) -> None:
        if column.type in ANSWERS:
            put(self._body, parse_target(column.to), UNKNOWN)
        if column.text_to:
            put(self._body, parse_target(column.text_to), f"{column.name}: {_as_text(value)}")
            self._find("value-not-mapped", column.name, f"body.{column.text_to}", severity)
            return
        self._unmapped.append({"path": column.name, "text": _as_text(value)})
        self._find("value-not-mapped", column.name, "unmapped", severity)

    def _with_partner(self, column: Column, value: Any) -> Any:
        partner = self._cells.get(column.northing or column.longitude)
        return value if partner is None else [value, partner]

    def _unknown_columns(self) -> Iterator[str]:
        event = self._site.event
        known = {column.name for column in self._site.column} | set(self._site.ignore)
        known |= {column.northing for column in self._site.column}
        known |= {column.longitude for column in self._site.column}
        known |= {event.reference, event.occurred_at, event.sequence, *event.key}
        known |= {source.column for source in (event.urgency, event.type_from) if source}
        return (name for name in self._cells if name not in known)

    def _keep_unknown(self, name: str) -> None:
        value = self._cells[name]
        if value is None:
            return
        if self._site.unmapped == "keep":
            self._unmapped.append({"path": name, "text": _as_text(value)})
        kept = "unmapped" if self._site.unmapped == "keep" else "dropped"
        self._find("column-not-mapped", name, kept, Severity.INFO)

    def _text(self, name: str) -> str | None:
        value = self._cells.get(name)
        return value.strip() if isinstance(value, str) else None

    def _find(self, code: str, name: str, kept: str, severity: Severity) -> None:
        column = ".".join(shown(part) for part in name.split("."))
        path = f"{self._row.place}: {column}"
        self._findings.append(Finding(code=code, path=path, severity=severity, kept=kept))


def _present(value: Any, site: SiteMapping) -> Any:
    if isinstance(value, str):
        return None if value.strip().upper() in site.nulls else value
    return value or None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else "; ".join(str(item) for item in value)
