"""
The mapping file of one site: which column goes where, of which type, with which codes.

It is written by people who know the site's export, so it is checked whole before the first message:
unknown keys, unknown targets and types that do not fit are all named at once.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import time
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from broker.codec.catalogue import Catalogue, EventSchema, load_catalogue
from broker.domain.errors import ConfigurationError
from connectors.cad_mapping.targets import Target, parse_target, resolve

Text = Annotated[str, StringConstraints(min_length=1)]
PartyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]

NULLS: Final = ("", "-", "N/A", "N/K", "NK", "NOT KNOWN", "UNKNOWN")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Model):
    """
    One column and where its value goes.

    Attributes:
        name: As in the header; JSON exports name nested members with dots.
        to: Path in the body: `subject.identity.names[0].family`, `subject.contact.phones[]`.
        type: How its text is read.
        format: Of a date or moment, as in strptime.
        codes: Text to symbol; of a code, text to code of the scheme.
        scheme: Code system of a code.
        version: Version of the code system or the code map.
        separator: Between the items of a list.
        entry: Pattern of a log entry, with groups `at` and `text`.
        northing: Column of the northing, where this is the easting.
        longitude: Column of the longitude, where this is the latitude.
        safety: Whether a value that cannot be read is a danger.
        text_to: Path where the text goes if it cannot be read; else it is kept as unmapped.
    """

    name: Text
    to: Text
    type: Literal[
        "text", "lines", "list", "integer", "number", "yes-no", "symbol", "code", "date",
        "moment", "phone", "log", "grid", "position",
    ] = "text"  # fmt: skip
    format: str = ""
    codes: dict[str, str] = {}
    scheme: str = ""
    version: str = ""
    separator: str = ";"
    entry: str = ""
    northing: str = ""
    longitude: str = ""
    safety: bool = False
    text_to: str = ""

    @property
    def target(self) -> Target:
        """Return the parsed path."""
        return parse_target(self.to)


class Urgency(_Model):
    """How the site grades urgency; a grade without a code of ours goes through as it stands."""

    column: Text
    scheme: Text
    version: str = ""
    codes: dict[str, str] = {}


class EventType(_Model):
    """Which event a row is."""

    column: Text
    codes: dict[str, str]


class Event(_Model):
    """
    What stands around the body.

    Attributes:
        type: Event of every row, unless `type_from` says it by row.
        environment: Of every row.
        reference: Column of the site's own reference.
        occurred_at: Column of the time.
        format: Of that time.
        sequence: Column of the site's own count, if it keeps one.
        key: Columns that make a repeat of a row the same row; none means reference, event type,
            sequence and time. The event id follows from them, so they hold nothing withheld.
    """

    type: str = "referral_made"
    type_from: EventType | None = None
    environment: Literal["live", "test", "exercise"]
    reference: Text
    occurred_at: Text
    format: Text
    sequence: str = ""
    urgency: Urgency | None = None
    key: tuple[Text, ...] = ()


class Rota(_Model):
    """
    An addressee set by a recorded rota.

    Attributes:
        recipient: Party id.
        purpose: Purpose code.
        reason: Which rota, for the record.
        when: Column and the values for which it applies; none means always.
        from_time: Applies from this time of day, by the site's clock.
        to_time: Until this one; earlier than `from_time` means past midnight.
    """

    recipient: PartyId
    purpose: PartyId
    reason: Text
    when: dict[str, tuple[str, ...]] = {}
    from_time: time | None = None
    to_time: time | None = None


class SiteMapping(_Model):
    """A whole mapping file."""

    mapping: Text
    version: Text
    format: Literal["csv", "json"] = "csv"
    encoding: Literal["utf-8", "windows-1252"] = "utf-8"
    delimiter: Literal[",", "|", ";", "\t"] = ","
    records: str = ""
    zone: Text = "Europe/London"
    nulls: tuple[str, ...] = NULLS
    yes: tuple[str, ...] = ("Y", "YES", "TRUE", "1")
    no: tuple[str, ...] = ("N", "NO", "FALSE", "0")
    unmapped: Literal["keep", "drop"] = "keep"
    ignore: tuple[str, ...] = ()
    event: Event
    column: tuple[Column, ...] = Field(min_length=1)
    rota: tuple[Rota, ...] = ()


_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("format",),
    "moment": ("format",),
    "code": ("scheme",),
    "symbol": ("codes",),
    "grid": ("northing",),
    "position": ("longitude",),
}

_FITS: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("string",),
    "lines": ("array",),
    "list": ("array",),
    "integer": ("int", "long"),
    "number": ("double", "float"),
    "yes-no": ("enum",),
    "symbol": ("enum",),
    "code": ("Code",),
    "date": ("BirthDate",),
    "moment": ("Moment",),
    "phone": ("Phone",),
    "log": ("array",),
    "grid": ("Position",),
    "position": ("Position",),
}

_read: dict[int, tuple[Mapping[str, Any], SiteMapping]] = {}


def read_mapping(raw: Mapping[str, Any]) -> SiteMapping:
    """
    Return the checked mapping of a parsed TOML file; the same object is checked once.

    Raises:
        ConfigurationError: Names every fault.
    """
    known = _read.get(id(raw))
    if known is not None and known[0] is raw:
        return known[1]
    try:
        found = SiteMapping.model_validate(raw)
    except ValidationError as error:
        wrong = [
            (".".join(map(str, each["loc"])), each["msg"].lower())
            for each in error.errors(include_input=False)
        ]
        raise _faults(wrong) from None
    if wrong := list(_problems(found, load_catalogue())):
        raise _faults(wrong)
    _read[id(raw)] = raw, found
    return found


def _problems(mapping: SiteMapping, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if mapping.zone.lower() != "utc" and not _is_zone(mapping.zone):
        yield "zone", "no time zone has this name"
    event_types = [mapping.event.type]
    if mapping.event.type_from is not None:
        event_types = list(mapping.event.type_from.codes.values())
    for event_type in event_types:
        if event_type not in catalogue.events:
            yield "event.type", "not an event of the catalogue"
            return
    schemas = [catalogue.event(event_type) for event_type in event_types]
    for place, column in enumerate(mapping.column):
        where = f"column.{place}"
        yield from (
            (f"{where}.{need}", f"needed for type {column.type}")
            for need in _NEEDS.get(column.type, ())
            if not getattr(column, need)
        )
        if column.entry and not _is_entry(column.entry):
            yield f"{where}.entry", "not a pattern with the groups `at` and `text`"
        rules = [_misfit(schema, column.to, column.type) for schema in schemas]
        if all(rules):
            yield f"{where}.to", rules[0]
        rules = [column.text_to and _misfit(schema, column.text_to, "text") for schema in schemas]
        if all(rules):
            yield f"{where}.text_to", rules[0]


def _misfit(event: EventSchema, path: str, type_name: str) -> str:
    try:
        kind = resolve(event, path)
    except ValueError as error:
        return str(error)
    return "" if kind in _FITS[type_name] else f"takes no {type_name}"


def _is_entry(pattern: str) -> bool:
    try:
        return {"at", "text"} <= re.compile(pattern).groupindex.keys()
    except re.error:
        return False


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _faults(problems: list[tuple[str, str]]) -> ConfigurationError:
    return ConfigurationError(
        "mapping file: " + "; ".join(f"{rule} @ {place}" for place, rule in problems)
    )
