"""
View to signed JSON.

The body is the same for every attempt; time and signature are headers of the attempt.

Source: Standard Webhooks specification 1.0.0, https://www.standardwebhooks.com
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connectors.contract import Request, Target, View
from connectors.moments import moment_text
from connectors.webhook.signature import sign

MEDIA_TYPE: Final = "application/json"


def translate_out(view: View, target: Target, *, now: datetime, request_id: str) -> Request:
    """
    Write a view as JSON with sorted keys, signed where the target has a secret.

    A field that was not granted does not exist; one that is absent is null. Instants keep the
    offset that the sender stated.
    """
    body = json.dumps(
        {
            "event_type": view.event_type,
            "late": view.late,
            "envelope": to_json(view.envelope),
            "manifest": to_json(view.manifest),
            "body": to_json(view.body),
        },
        ensure_ascii=False,
        allow_nan=False,
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    headers = {"Content-Type": MEDIA_TYPE, "Webhook-Id": request_id}
    if target.secret:
        headers |= sign(
            body,
            message_id=request_id,
            at_s=int(now.timestamp()),
            secret=target.secret,
            key_id=target.key_id,
        )
    return Request(path="", body=body, headers=headers)


def to_json(value: Any) -> Any:
    """Return a decoded Avro value as JSON; an instant becomes one ISO 8601 text with its offset."""
    if isinstance(value, Mapping):
        if value.keys() == {"utc", "offset"}:
            return moment_text(value)
        return {name: to_json(inner) for name, inner in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(inner) for inner in value]
    return value
