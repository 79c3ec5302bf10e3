"""
Makes every branch of a union tell its number.

Read into native values, an int and a long of one union look the same, and so do two records. Wrapped
in a record of one field, which takes no room on the wire, each branch says which one it is.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

from broker.codec.catalogue_files import Schema
from broker.codec.projection_types import Type, values_of


def tag_unions(schema: Schema) -> Schema:
    """
    Wrap every branch where a union has several besides null; the encoding stays the same.

    A value of such a branch reads as ``{"branch_<number>": value}``; null does not count.
    """
    numbers = count()

    def tag(part: Schema) -> Schema:
        if isinstance(part, list):
            return tag_union(part)
        if not isinstance(part, Mapping):
            return part
        inner = {name: tag(part[name]) for name in ("items", "values") if name in part}
        if "fields" in part:
            inner["fields"] = [{**each, "type": tag(each["type"])} for each in part["fields"]]
        if not isinstance(part["type"], str):
            inner["type"] = tag(part["type"])
        return {**part, **inner}

    def tag_union(union: list[Schema]) -> Schema:
        values = iter(range(len(union)))
        if len([each for each in union if each != "null"]) <= 1:
            return [tag(each) for each in union]
        return [each if each == "null" else wrap(tag(each), next(values)) for each in union]

    def wrap(branch: Schema, number: int) -> dict[str, Any]:
        return {
            "type": "record",
            "name": f"Union{next(numbers)}",
            "namespace": "crisis.reference",
            "fields": [{"name": f"branch_{number}", "type": branch}],
        }

    return tag(schema)


def untag(type_: Type, value: Any) -> Any:
    """Return the bare value of a field of this type."""
    return value if value is None or len(values_of(type_)) <= 1 else branch_of(value)[1]


def branch_of(tagged: Mapping[str, Any]) -> tuple[int, Any]:
    """Return the number of the branch, null not counted, and the value."""
    ((name, value),) = tagged.items()
    return int(name.removeprefix("branch_")), value
