"""
Identifiers that two intakes derive alike and that reveal nothing about a person.

Every id is a keyed hash: without the site secret nobody can test a guess, and the same message
given to two intakes is the same event.
"""

import hmac

ID_HEX_DIGITS = 32
"""128 bits: short enough to read out, long enough never to collide."""


def referral_id(secret: bytes, party: str, reference: str) -> str:
    """Return the id of the referral that *party* calls *reference*."""
    return _derive(secret, b"referral", party, reference)


def event_id(
    secret: bytes, party: str, idempotency_key: str, index: int = 0, *, place: str = ""
) -> str:
    """
    Return the id of event number *index* in the message with this idempotency key.

    Args:
        secret: Site secret.
        party: Who sent it.
        idempotency_key: Stated or derived; never of anything that a recipient must not see, since
            everybody who is told of the event sees its id.
        index: Place of the event in its message.
        place: Referral id of the address: one key at two addresses is two events.
    """
    return _derive(secret, b"event", party, idempotency_key, str(index), *filter(None, [place]))


def release_id(secret: bytes, event: str, recipient: str, purpose: str) -> str:
    """Return the id of one event's release on one route; agencies see it as the request id."""
    return _derive(secret, b"release", event, recipient, purpose)


def digest(secret: bytes, content: bytes) -> bytes:
    """Return the 32-byte keyed digest of *content*; tells a repeat from a different message."""
    # The word in front keeps digests apart from ids: no content can be shaped to give an id.
    return hmac.digest(secret, b"digest\x00" + content, "sha256")


def _derive(secret: bytes, kind: bytes, *parts: str) -> str:
    # Lengths stand before the parts: ("ab", "c") and ("a", "bc") must differ.
    message = kind + b"".join(
        len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts)
    )
    return hmac.digest(secret, message, "sha256").hex()[:ID_HEX_DIGITS]
