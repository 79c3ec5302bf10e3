"""
Avro bytes to native values and back; the only user of fastavro.

Strict both ways: `avro_bytes` and `avro_values` check first, so that an error names path and rule
and never repeats what it read.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro

from broker.codec.avro_bytes import Check as BytesCheck
from broker.codec.avro_bytes import compile_check
from broker.codec.avro_numbers import Misfit
from broker.codec.avro_values import Check as ValueCheck
from broker.codec.avro_values import compile_value_check
from broker.codec.catalogue_files import Schema
from broker.domain.errors import MalformedMessageError

Native = Any
"""What fastavro reads: dicts, lists, str, bytes, numbers, None, aware datetimes."""

_MAX_COMPILED = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """A schema in the forms needed; it holds the schema, so that its identity stays taken."""

    schema: Schema
    parsed: Schema
    check_bytes: BytesCheck
    check_value: ValueCheck


_compiled: dict[int, _Compiled] = {}


def encode(schema: Schema, native: Native) -> bytes:
    """
    Write one value; times must know their zone.

    Raises:
        MalformedMessageError: The value does not fit the schema.
    """
    compiled = _compile(schema)
    buffer = BytesIO()
    try:
        compiled.check_value(native)
        fastavro.schemaless_writer(buffer, compiled.parsed, native, strict_allow_default=True)
    except Misfit as misfit:
        raise MalformedMessageError([(misfit.place, misfit.rule)]) from None
    except (ValueError, TypeError, OverflowError, KeyError):
        # INVARIANT: never chained, since fastavro's messages quote the value.
        raise MalformedMessageError([("$", "does not fit the schema")]) from None
    return buffer.getvalue()


def decode(schema: Schema, data: bytes, start: int = 0) -> Native:
    """
    Read the value that fills *data* from *start* to its end.

    Raises:
        MalformedMessageError: The bytes do not fit the schema, or something follows them.
    """
    native, end = decode_first(schema, data, start)
    if end != len(data):
        raise MalformedMessageError([("$", "bytes follow the end of the value")])
    return native


def decode_first(schema: Schema, data: bytes, start: int = 0) -> tuple[Native, int]:
    """
    Read one value from *start* and return it with the position after it.

    Raises:
        MalformedMessageError: The bytes do not fit the schema.
    """
    compiled = _compile(schema)
    buffer = BytesIO(data)
    buffer.seek(start)
    try:
        end = compiled.check_bytes(data, start, 0)
        native = fastavro.schemaless_reader(buffer, compiled.parsed, None)
    except Misfit as misfit:
        raise MalformedMessageError([(misfit.place, misfit.rule)]) from None
    except (ValueError, TypeError, OverflowError, EOFError, IndexError):
        raise MalformedMessageError([("$", "does not fit the schema")]) from None
    return native, end


def peek(schema: Schema, data: bytes, start: int) -> Native:
    """
    Read one value from *start* without the strict check: an eighth of the time.

    Only for bytes that a strict reader passes over as well before anything is done with them.

    Raises:
        MalformedMessageError: The bytes cannot be read at all.
    """
    buffer = BytesIO(data)
    buffer.seek(start)
    try:
        return fastavro.schemaless_reader(buffer, _compile(schema).parsed, None)
    except (ValueError, TypeError, OverflowError, EOFError, IndexError, KeyError):
        raise MalformedMessageError([("$", "does not fit the schema")]) from None


def read_as(writer: Schema, reader: Schema, data: bytes, start: int = 0) -> Native:
    """
    Read bytes of one schema as a reader of another version sees them.

    Raises:
        MalformedMessageError: The bytes do not fit the writer's schema, or the two do not match.
    """
    decode(writer, data, start)
    buffer = BytesIO(data)
    buffer.seek(start)
    try:
        return fastavro.schemaless_reader(buffer, _compile(writer).parsed, _compile(reader).parsed)
    except (ValueError, TypeError, KeyError, fastavro.read.SchemaResolutionError):
        raise MalformedMessageError([("$", "reader's schema does not match")]) from None


def is_schema(schema: Schema) -> bool:
    """Tell whether this is a well-formed, self-contained Avro schema."""
    try:
        fastavro.parse_schema(schema)
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, KeyError, TypeError):
        return False
    return True


def _compile(schema: Schema) -> _Compiled:
    compiled = _compiled.get(id(schema))
    if compiled is None or compiled.schema is not schema:
        compiled = _Compiled(
            schema=schema,
            parsed=fastavro.parse_schema(schema),
            check_bytes=compile_check(schema),
            check_value=compile_value_check(schema),
        )
        if len(_compiled) >= _MAX_COMPILED:
            del _compiled[next(iter(_compiled))]
        _compiled[id(schema)] = compiled
    return compiled
