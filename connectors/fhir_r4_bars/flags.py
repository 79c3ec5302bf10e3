"""Flags: what whoever goes there must see first."""

from typing import Any

from connectors.fhir_r4_bars.codes import BARS, BARS_PROFILE, FLAG, HL7_STRUCTURE, SCENE
from connectors.fhir_r4_bars.elements import Element, concept, kept, moment, text
from connectors.fhir_r4_bars.message import ENCOUNTER, PATIENT, PLACE, Message
from connectors.fhir_r4_bars.reading import Fields

CONTACT_SAFETY = "subject.contact.safe_to_contact"
WAYS = ("voice", "text", "letter")


def add_flags(message: Message) -> None:
    """Add every Flag; a request always says something of scene safety, if only that it is unknown."""
    warnings = message.fields.take("safety_warnings") or ()
    for place, warning in enumerate(warnings):
        _add_warning(message, place, warning)
    if not warnings and message.view.event_type == "referral_made":
        _add_scene(message, "scene", "unknown", _no_warning(message))
    if message.fields.look("risk.weapon") == "yes":
        _add_scene(message, "weapon", "unsafe", "A weapon was seen or reported")
    if any(entry["held"] for entry in message.manifest["entries"]):
        _add_scene(message, "held", "unknown", _held(message))
    _add_contact_safety(message)
    if message.fields.look("dependants.children_present") == "yes":
        _add(message, "children", "SG", {"text": "Children are present"})
    if message.view.late:
        late = "This message is late: ask the sender before acting on it"
        _add(message, "late", "API", {"text": late})


def _add_warning(message: Message, place: int, warning: dict[str, Any]) -> None:
    fields = Fields(warning)
    period = {
        "start": moment(fields.take("last_confirmed")),
        "end": moment(fields.take("review_by")),
    }
    scene = fields.take("scene_safety")
    heads = [text(fields.take(name)) for name in ("kind", "severity", "advice")]
    heads += [f"{path}: {words}" for path, words in fields.rest()]
    words = "; ".join(head for head in heads if head) or "Warning marker without words"
    _add_scene(message, f"warning/{place}", scene or "unknown", words, kept(period))


def _add_scene(
    message: Message, role: str, scene: str, words: str, period: Element | None = None
) -> None:
    value, display = SCENE.get(scene, SCENE["unknown"])
    coded = concept(f"{BARS}/scene-safety-codes-bars", value, display, words)
    _add(message, role, "SS", coded, period)


def _add_contact_safety(message: Message) -> None:
    found = message.fields.take(CONTACT_SAFETY)
    if not found:
        return
    # What must not be done comes first: a flag is read from its beginning, or not at all.
    ways = {rule: [way for way in WAYS if found[way] == rule] for rule in ("unsafe", "safe")}
    unknown = [way for way in WAYS if found[way] not in ("unsafe", "safe")]
    words = [
        f"DO NOT contact by {', '.join(ways['unsafe'])}" if ways["unsafe"] else None,
        "Do not say why you call" if found["do_not_disclose_purpose"] else None,
        f"Not known to be safe: {', '.join(unknown)}" if unknown else None,
        f"Safe: {', '.join(ways['safe'])}" if ways["safe"] else None,
        f"Safe way: {route}" if (route := text(found.get("safe_route"))) else None,
    ]
    _add(message, "contact-safety", "API", {"text": ". ".join(word for word in words if word)})


def _add(
    message: Message, role: str, category: str, coded: Element, period: Element | None = None
) -> None:
    entries = message.entries
    at_place = category == "SS" and message.fields.look("subject.location_now")
    profile = "scene-safety" if category == "SS" else "category"
    entries.add(
        f"flag/{role}",
        "Flag",
        {
            "status": "active",
            "category": [concept(f"{BARS}/flag-categories-bars", category, FLAG[category])],
            "code": coded,
            "subject": entries.reference(PLACE if at_place else PATIENT),
            "period": period,
            "encounter": entries.reference(ENCOUNTER),
        },
        profiles=[f"{HL7_STRUCTURE}/Flag", f"{BARS_PROFILE}/BARSFlag-{profile}"],
    )


def _no_warning(message: Message) -> str:
    if message.is_masked("safety_warnings"):
        return "Warning markers are not part of the agreement: ask the sender"
    return "No warning marker was stated"


def _held(message: Message) -> str:
    ask = text(message.manifest["ask"]) or "the sender"
    return f"Safety information is held back: phone {ask} before visiting"
