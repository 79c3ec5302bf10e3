"""What a view shows of a container that is not there."""

from broker.codec.projection_selection import Fields, Selected
from broker.domain.reductions import Reduction


def blank(fields: Fields) -> bytes:
    """Return what stands for a container that is null; more than null if a reduced form answers."""
    if not answers_always(fields):
        return b"\x00"
    return b"\x02" + blank_fields(fields)


def blank_fields(fields: Fields) -> bytes:
    """Return the fields of a container that holds nothing."""
    return b"".join(_blank_field(each) for each in fields.fields.values())


def answers_always(fields: Fields) -> bool:
    """
    Tell whether a field inside says yes or no even where there is nothing.

    Not in one of several branches: an answer there would tell which branch it was.
    """
    return not fields.is_branch and any(
        each.reduction is Reduction.PRESENT
        or (isinstance(each.what, Fields) and answers_always(each.what))
        for each in fields.fields.values()
    )


def _blank_field(selected: Selected) -> bytes:
    if selected.reduction is Reduction.PRESENT:
        return b"\x02\x00"
    return blank(selected.what) if isinstance(selected.what, Fields) else b"\x00"
