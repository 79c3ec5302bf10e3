"""
Paths into the canonical body: `subject.identity.names[0].family`, `subject.contact.phones[]`.

`[0]` names one item of an array, `[]` appends another.
"""

import re
from typing import Any, Final, NamedTuple

from broker.codec.catalogue import EventSchema

MAX_INDEX: Final = 20
APPEND: Final = -1
_STEP: Final = re.compile(r"([a-z][a-z0-9_]*)(?:\[(\d{0,2})\])?", re.ASCII)


class Step(NamedTuple):
    """A member, and which item of it if it is an array; None if it is none."""

    name: str
    item: int | None


Target = tuple[Step, ...]


def parse_target(path: str) -> Target:
    """
    Parse a path; raises ValueError if it is none.

    >>> parse_target("names[0].family")
    (Step(name='names', item=0), Step(name='family', item=None))
    """
    steps = []
    for part in path.split("."):
        match = _STEP.fullmatch(part)
        if match is None:
            raise ValueError("not a path")
        item = None if match[2] is None else int(match[2]) if match[2] else APPEND
        if item is not None and item > MAX_INDEX:
            raise ValueError(f"index is larger than {MAX_INDEX}")
        steps.append(Step(match[1], item))
    return tuple(steps)


def resolve(event: EventSchema, path: str) -> str:
    """
    Return the kind of value that belongs in a place: an Avro type, or the name of a record.

    Raises:
        ValueError: An event has no such place; the message is the rule.
    """
    types = _types(event.schema)
    schema: Any = event.schema
    for step in parse_target(path):
        members = schema.get("fields", []) if isinstance(schema, dict) else []
        found = next((each["type"] for each in members if each["name"] == step.name), None)
        if found is None or step.name == "envelope":
            raise ValueError("no such field in the body of this event")
        schema = _resolve(found, types)
        is_array = isinstance(schema, dict) and schema["type"] == "array"
        if is_array and step.item is not None:
            schema = _resolve(schema["items"], types)
        elif step.item is not None:
            raise ValueError("an index where there is no array")
    if isinstance(schema, dict):
        return str(schema["name"] if schema["type"] == "record" else schema["type"])
    return str(schema)


def is_shown(event: EventSchema, path: str) -> bool:
    """Whether recipients are told that something is held in this place: it is a matter of safety."""
    plain = re.sub(r"\[\d*\]", "", path)
    leaf = event.leaves.get(plain) or event.leaves.get(plain.rsplit(".", 1)[0])
    return leaf is not None and leaf.presence == "show"


def put(body: dict[str, Any], target: Target, value: Any) -> None:
    """Put a value in its place; texts that meet in one place are joined by a line break."""
    here: Any = body
    for step in target[:-1]:
        here = _enter(here, step)
    last = target[-1]
    if last.item is not None:
        items = here.setdefault(last.name, [])
        _set_item(items, last.item, value)
    elif isinstance(here.get(last.name), list) and isinstance(value, list):
        here[last.name] += value
    elif isinstance(here.get(last.name), str) and isinstance(value, str):
        here[last.name] += f"\n{value}"
    else:
        here[last.name] = value


def _enter(here: dict[str, Any], step: Step) -> dict[str, Any]:
    if step.item is None:
        inner: dict[str, Any] = here.setdefault(step.name, {})
        return inner
    items = here.setdefault(step.name, [])
    if step.item == APPEND:
        items.append({})
        return items[-1]  # type: ignore[no-any-return]
    while len(items) <= step.item:
        items.append({})
    return items[step.item]  # type: ignore[no-any-return]


def _set_item(items: list[Any], item: int, value: Any) -> None:
    if item == APPEND or item >= len(items):
        items.append(value)
    else:
        items[item] = value


def _types(schema: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            if "name" in each and "namespace" in each:
                found[f"{each['namespace']}.{each['name']}"] = each
            waiting += [field["type"] for field in each.get("fields", [])]
            waiting += [each[key] for key in ("items", "values") if key in each]
    return found


def _resolve(schema: Any, types: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        schema = next(branch for branch in schema if branch != "null")
    return types.get(schema, schema) if isinstance(schema, str) else schema
