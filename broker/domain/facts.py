"""
Derives the facts that agreements may make conditions of.

Total: whatever a valid event holds, and also an invalid one, the answer is a set and never an error.
A fact is about one event. Events after the first leave out the sections that did not change, so
there a fact of `FROM_SECTIONS` that is not derived may hold all the same (see planning).
"""

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from broker.domain.dates import is_under_age, local_date

CHILD_UNTIL_YEARS: Final = 18

CONCEALED: Final = frozenset(
    {"informant_wants_anonymity", "protected_address", "intelligence_source"}
)
"""A recipient must not learn that these hold, so no agreement may make them a condition."""

FROM_SECTIONS: Final = frozenset(
    {
        "sharing_refused",
        "lacks_capacity",
        "subject_is_child",
        "detained",
        "safeguarding_concern",
        "out_of_area",
    }
)
"""Derived from sections that only the first event of a referral is sure to hold."""

_POWERS_OF_DETENTION: Final = frozenset({"s136", "s135_1", "s135_2", "s18", "s138", "pace"})


def derive_facts(event: Mapping[str, Any]) -> frozenset[str]:
    """Return the symbols of `crisis.types.Fact` that hold for an event in native form."""
    return frozenset(name for name, holds in FACTS.items() if holds(event))


def _sharing_refused(event: Mapping[str, Any]) -> bool:
    consent = _get(event, "consent_and_basis.consent_to_share")
    objection = _get(event, "consent_and_basis.objection")
    return bool(consent == "refused" or objection == "yes")


def _lacks_capacity(event: Mapping[str, Any]) -> bool:
    return bool(_get(event, "consent_and_basis.capacity") == "lacks")


def _subject_is_child(event: Mapping[str, Any]) -> bool:
    """Tell by the sender's local date; where a birth date is vague, the youngest age counts."""
    on = _day(event)
    born = _get(event, "subject.identity.birth_date.value")
    if on is not None and isinstance(born, str):
        answer = is_under_age(born, on, CHILD_UNTIL_YEARS)
        if answer is not None:
            return answer
    age = _get(event, "subject.identity.age_estimate")
    return isinstance(age, int) and age < CHILD_UNTIL_YEARS


def _immediate_risk(event: Mapping[str, Any]) -> bool:
    """Tell whether somebody must act now; an urgency nobody understands counts as immediate."""
    rank = _get(event, "envelope.urgency.rank")
    if rank not in ("urgent", "soon", "routine"):
        return True
    return bool(_get(event, "risk.suicide.attempt_now") == "yes")


def _detained(event: Mapping[str, Any]) -> bool:
    answer = _get(event, "legal_status.detained")
    if answer in ("yes", "no"):
        return bool(answer == "yes")
    power = _get(event, "legal_status.power")
    return isinstance(power, str) and power in _POWERS_OF_DETENTION


def _informant_wants_anonymity(event: Mapping[str, Any]) -> bool:
    return bool(_get(event, "informant.wants_anonymity") == "yes")


def _protected_address(event: Mapping[str, Any]) -> bool:
    return _has(event, "subject.contact.protected_address")


def _safeguarding_concern(event: Mapping[str, Any]) -> bool:
    """Tell whether somebody took a safeguarding decision; a worry alone does not open the door."""
    return _says(event, "consent_and_basis.safeguarding_decision")


def _out_of_area(event: Mapping[str, Any]) -> bool:
    return bool(_get(event, "routing.out_of_area") == "yes")


def _safety_information_recorded(event: Mapping[str, Any]) -> bool:
    """Tell whether any field whose presence is shown holds something to be careful about."""
    contact = _get(event, "subject.contact.safe_to_contact")
    channels = contact if isinstance(contact, Mapping) else {}
    return (
        _get(event, "risk.weapon") == "yes"
        or bool(_items(event, "risk.physical_red_flags"))
        or bool(_items(event, "safety_warnings"))
        or _get(event, "dependants.children_present") == "yes"
        or any(channels.get(each) == "unsafe" for each in ("voice", "text", "letter"))
        or channels.get("do_not_disclose_purpose") is True
    )


def _intelligence_source(event: Mapping[str, Any]) -> bool:
    bases = [_get(each, "basis") for each in _items(event, "safety_warnings")]
    kinds = [_get(each, "provenance.kind") for each in _items(event, "incident.log")]
    return "intelligence" in (*bases, *kinds)


def _police_release_confirmed(event: Mapping[str, Any]) -> bool:
    return _says(event, "outcome.confirmed_by_role") and _says(event, "outcome.confirmed_reason")


FACTS: Final[Mapping[str, Callable[[Mapping[str, Any]], bool]]] = MappingProxyType(
    {
        "sharing_refused": _sharing_refused,
        "lacks_capacity": _lacks_capacity,
        "subject_is_child": _subject_is_child,
        "immediate_risk": _immediate_risk,
        "detained": _detained,
        "informant_wants_anonymity": _informant_wants_anonymity,
        "protected_address": _protected_address,
        "safeguarding_concern": _safeguarding_concern,
        "out_of_area": _out_of_area,
        "safety_information_recorded": _safety_information_recorded,
        "intelligence_source": _intelligence_source,
        "police_release_confirmed": _police_release_confirmed,
    }
)
"""Every fact by name, with the test that derives it."""


def _day(event: Mapping[str, Any]) -> date | None:
    moment = _get(event, "envelope.occurred_at")
    if not isinstance(moment, Mapping):
        return None
    return local_date(moment.get("utc"), moment.get("offset"))


def _get(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _has(event: Mapping[str, Any], path: str) -> bool:
    return _get(event, path) is not None


def _says(event: Mapping[str, Any], path: str) -> bool:
    text = _get(event, path)
    return isinstance(text, str) and bool(text.strip())


def _items(event: Mapping[str, Any], path: str) -> list[Any]:
    found = _get(event, path)
    return found if isinstance(found, list) else []
