"""Checks a bundle before it leaves; the one home of fhir.resources."""

from contextlib import suppress
from functools import cache
from typing import Any

from broker.domain.errors import MalformedMessageError


def validate(bundle: dict[str, Any]) -> None:
    """
    Check a bundle against FHIR R4B, element by element.

    Raises:
        MalformedMessageError: Names the element and the rule, never the value.
    """
    from pydantic import ValidationError

    try:
        _bundle_class().model_validate(bundle)
    except ValidationError as error:
        problems = [
            (".".join(map(str, problem["loc"])), problem["type"])
            for problem in error.errors(
                include_url=False, include_context=False, include_input=False
            )
        ]
        # INVARIANT: never chained, since pydantic's messages quote the value.
        raise MalformedMessageError(problems) from None


RESOURCES = (
    "MessageHeader", "ServiceRequest", "Patient", "Encounter", "CarePlan", "Organization",
    "Practitioner", "PractitionerRole", "HealthcareService", "Consent", "Location", "Flag",
    "Observation", "Communication",
)  # fmt: skip
"""What our bundles are made of."""


def warm_up() -> None:
    """Load the model of every resource we send: most of a second that no referral waits for."""
    empty = [{"resource": {"resourceType": name}} for name in RESOURCES]
    with suppress(MalformedMessageError):
        validate({"resourceType": "Bundle", "type": "message", "entry": empty})


@cache
def _bundle_class() -> Any:
    # Imported on first use: other connectors' processes never need it.
    from fhir.resources.R4B.bundle import Bundle

    return Bundle
