"""
Bytes to rows: CSV and JSON exports, in the encodings that control rooms send.

A row is a mapping of column to text, list or nothing; nested JSON members are named with dots.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from broker.domain.errors import MalformedMessageError
from broker.domain.json_text import parse_json
from connectors.cad_mapping.mapping import SiteMapping

MAX_ROWS: Final = 500
MAX_COLUMNS: Final = 500
MAX_CELL_CHARS: Final = 4_000_000

Value = Any
"""Text, a list (JSON only), or None."""


class Row(NamedTuple):
    """One row and how it is called in findings."""

    place: str
    cells: Mapping[str, Value]


def read_rows(message: bytes, mapping: SiteMapping) -> Sequence[Row]:
    """
    Return the rows of an export.

    Raises:
        MalformedMessageError: Not this format or encoding, no rows, or too many.
    """
    rows = list(_json(message, mapping) if mapping.format == "json" else _csv(message, mapping))
    if not rows:
        raise _malformed("$", "no rows")
    return rows


def _csv(message: bytes, mapping: SiteMapping) -> Iterator[Row]:
    text = _decode(message, mapping.encoding)
    if "\0" in text:
        raise _malformed("$", "contains a NUL character")
    # The default of 128 KB is less than a long night's log.
    csv.field_size_limit(MAX_CELL_CHARS)
    # newline="" leaves the line breaks inside quoted cells as they are.
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        _check_header(header)
        for number, cells in enumerate(filter(None, lines), start=1):
            place = f"row {number}"
            if number > MAX_ROWS:
                raise _malformed("$", f"more than {MAX_ROWS} rows")
            if len(cells) != len(header):
                raise _malformed(place, "number of cells differs from the header")
            yield Row(place, dict(zip(header, cells, strict=True)))
    except csv.Error:
        raise _malformed(f"line {lines.line_num}", "not CSV: quoting is broken") from None


def _json(message: bytes, mapping: SiteMapping) -> Iterator[Row]:
    value = parse_json(message)
    for name in filter(None, mapping.records.split(".")):
        value = value.get(name) if isinstance(value, dict) else None
    place = f"$.{mapping.records}" if mapping.records else "$"
    records = value if isinstance(value, list) else [value]
    if len(records) > MAX_ROWS:
        raise _malformed(place, f"more than {MAX_ROWS} records")
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise _malformed(f"{place}[{number}]", "not an object")
        cells = dict(_flat(record, ""))
        if len(cells) > MAX_COLUMNS:
            raise _malformed(f"{place}[{number}]", f"more than {MAX_COLUMNS} members")
        yield Row(f"record {number + 1}", cells)


def _flat(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Value]]:
    for name, value in record.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{path}.")
        elif isinstance(value, bool):
            yield path, "true" if value else "false"
        elif value is None or isinstance(value, (str, list)):
            yield path, value
        else:
            yield path, str(value)


def _decode(message: bytes, encoding: str) -> str:
    if message.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _malformed("$", "UTF-16 is not read; export as UTF-8 or Windows-1252")
    # A byte-order mark says more about the file than the mapping does.
    if message.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    try:
        return message.decode(encoding)
    except UnicodeDecodeError as error:
        raise _malformed("$", f"not {encoding} at byte {error.start}") from None


def _check_header(header: Sequence[str]) -> None:
    if not any(header):
        raise _malformed("header", "no header")
    if len(header) > MAX_COLUMNS:
        raise _malformed("header", f"more than {MAX_COLUMNS} columns")
    if len(set(header)) != len(header):
        raise _malformed("header", "a column is there twice")


def _malformed(path: str, rule: str) -> MalformedMessageError:
    return MalformedMessageError([(path, rule)])
