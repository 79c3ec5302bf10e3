"""Checks a bundle before it leaves; the one home of fhir.resources."""

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


@cache
def _bundle_class() -> Any:
    # Imported on first use: a fifth of a second that a start need not wait for.
    from fhir.resources.R4B.bundle import Bundle

    return Bundle
