"""
Signing webhooks, and checking them at the receiver.

This module imports the standard library only, so that a receiver may copy it as it stands.

Source: Standard Webhooks specification 1.0.0, "Signature scheme": HMAC-SHA256 over
``id.timestamp.body``, header ``v1,<base64>``.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Final

TOLERANCE_S: Final = 300
"""How far the clocks of sender and receiver may differ; older copies are replays."""

_VERSION: Final = "v1"


def sign(
    body: bytes, *, message_id: str, at_s: int, secret: bytes, key_id: str = ""
) -> dict[str, str]:
    """Return the headers that prove who sent *body* and when (seconds since the epoch)."""
    headers = {
        "Webhook-Timestamp": str(at_s),
        "Webhook-Signature": f"{_VERSION},{_signature(body, message_id, str(at_s), secret)}",
    }
    return headers | ({"Webhook-Key-Id": key_id} if key_id else {})


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: bytes,
    *,
    now_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """
    Tell whether a webhook is genuine and fresh; compares in constant time.

    A genuine one may still be a repeat: receivers keep each ``Webhook-Id`` and answer 409 or 200
    to one they have processed.

    Args:
        body: The bytes as they came, before any parsing.
        headers: Of the request; names in any case.
        secret: The signing key.
        now_s: The receiver's clock, seconds since the epoch.
        tolerance_s: How far the timestamp may be off, either way.
    """
    found = {name.lower(): text for name, text in headers.items()}
    message_id, stated = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    if not (message_id and stated.isascii() and stated.isdigit()) or len(stated) > 12:
        return False
    expected = _signature(body, message_id, stated, secret)
    # Several signatures stand side by side while keys are rotated; every one is compared.
    matches = [
        hmac.compare_digest(_decoded(candidate), _decoded(f"{_VERSION},{expected}"))
        for candidate in found.get("webhook-signature", "").split()
    ]
    return any(matches) and abs(now_s - int(stated)) <= tolerance_s


def _signature(body: bytes, message_id: str, at_s: str, secret: bytes) -> str:
    content = f"{message_id}.{at_s}.".encode() + body
    return base64.b64encode(hmac.digest(secret, content, "sha256")).decode()


def _decoded(candidate: str) -> bytes:
    version, _, text = candidate.partition(",")
    try:
        return base64.b64decode(text, validate=True) if version == _VERSION else b""
    except (binascii.Error, ValueError):
        return b""
