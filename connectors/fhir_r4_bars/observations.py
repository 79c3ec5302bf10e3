"""
Observations: what the sender saw or was told, question by question.

What a police officer observes never becomes a Condition: a screen is no diagnosis.
"""

from typing import Any, Final

from connectors.fhir_r4_bars.codes import HL7, NO_ANSWER, QUESTIONS, SNOMED, STATEMENTS, UK_CORE
from connectors.fhir_r4_bars.elements import Element, concept, kept, moment, stated, text
from connectors.fhir_r4_bars.message import ENCOUNTER, PATIENT, SENDER, Message
from connectors.fhir_r4_bars.reading import words

UNKNOWN: Final = "unknown"


def add_observations(message: Message) -> None:
    """Add one Observation for each question that has an answer, or a reason for having none."""
    for path, (label, snomed) in QUESTIONS.items():
        answer = message.fields.take(path)
        if answer is not None:
            coded = concept(SNOMED, snomed, words=label) if snomed else {"text": label}
            _add(message, path, coded, _answer(answer))
    for path, label in STATEMENTS.items():
        value = message.fields.take(path)
        if value not in (None, "", []):
            _add(message, path, {"text": label}, _value(value))


def _answer(answer: str) -> Element:
    if answer in NO_ANSWER:
        return {"dataAbsentReason": concept(f"{HL7}/data-absent-reason", NO_ANSWER[answer])}
    return {"valueBoolean": answer == "yes"}


def _value(value: Any) -> Element:
    if isinstance(value, dict) and value.keys() == {"utc", "offset"}:
        return {"valueDateTime": moment(value)}
    if isinstance(value, dict) and "scheme" in value:
        return {"valueCodeableConcept": stated(value)}
    found = text(words(value))
    if found is None or found == UNKNOWN:
        return {"dataAbsentReason": concept(f"{HL7}/data-absent-reason", UNKNOWN)}
    # Here "refused" is what was said about sharing, not a question left without an answer.
    return {"valueString": found}


def _add(message: Message, path: str, coded: Element, value: Element) -> None:
    entries = message.entries
    assessed_at = message.fields.look("risk.assessed_at") if path.startswith("risk.") else None
    entries.add(
        f"observation/{path}",
        "Observation",
        kept(
            {
                "status": "final",
                "category": [{"text": "Stated by the sender"}],
                "code": coded,
                "subject": entries.reference(PATIENT),
                "encounter": entries.reference(ENCOUNTER),
                "effectiveDateTime": moment(assessed_at or message.envelope["occurred_at"]),
                "performer": [entries.reference(SENDER)],
                **value,
            }
        ),
        profiles=[f"{UK_CORE}/UKCore-Observation"],
    )
