"""The Location where the person is; a point that looks exchanged is said to, and never turned."""

import math
from typing import Any

from connectors.fhir_r4_bars.codes import BARS, BARS_PROFILE, LOCATION, OTHER_LOCATION, UK_CORE
from connectors.fhir_r4_bars.elements import Element, address, coding, kept, text
from connectors.fhir_r4_bars.message import PLACE, Message

HERE = "subject.location_now"


def add_place(message: Message) -> None:
    """Add the Location, if the view has one at all."""
    fields = message.fields
    if not fields.look(HERE):
        return
    place = fields.look(f"{HERE}.address") or {}
    position = _position(message)
    message.entries.add(
        PLACE,
        "Location",
        {
            "extension": _extension(message, place, position),
            "status": "active",
            "description": _description(message),
            "mode": "instance",
            "type": [_kind(message)],
            "address": _address(message),
            "position": position,
        },
        profiles=[f"{UK_CORE}/UKCore-Location"],
        redacted=message.is_redacted(HERE),
    )


def _address(message: Message) -> Element | None:
    native = message.fields.look(f"{HERE}.address")
    found = address(native) if native else None
    if found:
        message.fields.take(f"{HERE}.address.lines")
        message.fields.take(f"{HERE}.address.postcode")
    return found


def _position(message: Message) -> Element | None:
    native = message.fields.look(f"{HERE}.position")
    if not native or not all(math.isfinite(native[name]) for name in ("latitude", "longitude")):
        return None
    message.fields.take(f"{HERE}.position.latitude")
    message.fields.take(f"{HERE}.position.longitude")
    return {"longitude": native["longitude"], "latitude": native["latitude"]}


def _extension(message: Message, place: Any, position: Element | None) -> list[Element]:
    known = message.fields.look(f"{HERE}.position") or {}
    values = {
        "UPRN": text(place.get("uprn")),
        "what3words": text(message.fields.take(f"{HERE}.what3words")),
        "accuracy": text(known.get("accuracy_m")) if position else None,
    }
    message.fields.take(f"{HERE}.address.uprn")
    inner = [{"url": name, "valueString": value} for name, value in values.items() if value]
    return [{"url": f"{BARS_PROFILE}/LocationExtension", "extension": inner}] if inner else []


def _description(message: Message) -> str | None:
    words = [
        text(message.fields.take(f"{HERE}.description")),
        text(message.fields.take(f"{HERE}.floor_room")),
    ]
    if message.fields.look(f"{HERE}.position.swap_suspected"):
        words.append("Latitude and longitude look exchanged: check before dispatch")
    return "; ".join(word for word in words if word) or None


def _kind(message: Message) -> Element:
    kind = text(message.fields.take(f"{HERE}.kind")) or "current"
    known = LOCATION.get(kind.lower(), OTHER_LOCATION)
    return kept({"coding": [coding(f"{BARS}/location-types-bars", known)], "text": kind})
