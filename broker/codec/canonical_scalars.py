"""Reads JSON's numbers, truth values and base64 strictly; errors say the rule, never the value."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

from broker.codec.avro_numbers import Misfit

Json = Any


def _whole(bits: int) -> Callable[[Json], int]:
    def read(value: Json) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Misfit("not a whole number")
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise Misfit(f"does not fit {bits} bits")
        return value

    return read


def _real(value: Json) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Misfit("not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Misfit("not a finite number")
    return number


def _boolean(value: Json) -> bool:
    if not isinstance(value, bool):
        raise Misfit("not true or false")
    return value


def _bytes(value: Json) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Misfit("not base64") from None


SCALARS: Mapping[str, Callable[[Json], Any]] = {
    "boolean": _boolean,
    "int": _whole(32),
    "long": _whole(64),
    "float": _real,
    "double": _real,
    "bytes": _bytes,
    "fixed": _bytes,
}
"""By Avro type; each raises Misfit."""
