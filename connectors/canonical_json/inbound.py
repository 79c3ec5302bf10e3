"""
Canonical JSON to events: nothing is translated, everything is checked for being strict JSON.

What the documents mean is read by `broker.codec.canonical_json`, as for every other format.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from broker.domain.errors import MalformedMessageError
from broker.domain.json_text import parse_json
from connectors.contract import Inbound

MEDIA_TYPE: Final = "application/json"
MAX_EVENTS: Final = 500


def translate_in(message: bytes, mapping: Mapping[str, Any]) -> Sequence[Inbound]:  # noqa: ARG001 - the interface
    """
    Return the events of a message: one object, or an array of objects.

    The idempotency key stays empty: intake derives it from party, reference and content.

    Raises:
        MalformedMessageError: Not strict JSON, or neither an object nor an array of objects.
    """
    value = parse_json(message)
    documents = value if isinstance(value, list) else [value]
    problems = [
        ("$" if documents is not value else f"$[{place}]", "not an object")
        for place, document in enumerate(documents)
        if not isinstance(document, dict)
    ]
    if isinstance(value, list) and not 0 < len(value) <= MAX_EVENTS:
        problems = [("$", f"not 1 to {MAX_EVENTS} events")]
    if problems:
        raise MalformedMessageError(problems)
    return [Inbound(document=document, idempotency_key="") for document in documents]
