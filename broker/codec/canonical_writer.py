"""Writes native values as canonical JSON."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from broker.codec.moments import write_moment

Json = Any


def to_json(native: Any) -> Json:
    """
    Return the canonical JSON of a native value, whatever its schema; absent fields are left out.

    A moment is known by its two fields, so that this serves events, views and manifests alike.
    """
    if isinstance(native, Mapping):
        if native.keys() == {"utc", "offset"}:
            return write_moment(native)
        return {name: to_json(value) for name, value in native.items() if value is not None}
    if isinstance(native, (list, tuple)):
        return [to_json(item) for item in native]
    if isinstance(native, bytes):
        return base64.b64encode(native).decode()
    return native.isoformat() if isinstance(native, datetime) else native
