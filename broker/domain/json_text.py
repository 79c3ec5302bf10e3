"""
Strict JSON: whatever two readers could understand differently is refused.

Refused are duplicate keys, NaN and infinities, numbers too large to keep, lone surrogates, wrong
encodings and deep nesting. Standard library only, so that connectors may use it as well.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from broker.domain.errors import MalformedMessageError

Json = Any

MAX_DEPTH: Final = 32
MAX_NUMBER_DIGITS: Final = 64

_NAMEABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}", re.ASCII)
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class _Twice:
    """Stands in the place of a key that was there twice."""


def parse_json(data: bytes, *, max_depth: int = MAX_DEPTH) -> Json:
    """
    Read one JSON text in UTF-8; a byte-order mark in front is passed over.

    Raises:
        MalformedMessageError: Names the path and the rule, never a value.
    """
    decoder = _Decoder()
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=decoder.members,
            parse_float=_real,
            parse_int=_whole,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"not JSON at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise _malformed(f"nested deeper than {max_depth}") from None
    except ValueError as error:
        raise _malformed(str(error)) from None
    problems = [] if _is_harmless(value, max_depth, data, decoder) else _find(value, max_depth)
    if problems:
        raise MalformedMessageError(problems)
    return value


def shown(key: str) -> str:
    """
    Return a key as it may stand in a path; what could be a name or number of a person is ``*``.

    >>> shown("birth_date"), shown("Jane Doe")
    ('birth_date', '*')
    """
    digits = sum(character.isdigit() for character in key)
    return key if _NAMEABLE.fullmatch(key) and digits < 5 else "*"


class _Decoder:
    """Remembers whether a key came twice while the parser is at work."""

    def __init__(self) -> None:
        self.has_duplicates = False

    def members(self, pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        """Make an object, and mark keys that were there twice."""
        found = dict(pairs)
        if len(found) != len(pairs):
            self.has_duplicates = True
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    found[key] = _Twice()
                seen.add(key)
        return found


def _is_harmless(value: Json, max_depth: int, data: bytes, decoder: _Decoder) -> bool:
    return (
        not decoder.has_duplicates
        and not _SURROGATE_ESCAPE.search(data)
        and not _is_deeper(value, max_depth)
    )


def _is_deeper(value: Json, max_depth: int) -> bool:
    level = [value]
    for _ in range(max_depth + 1):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value) if isinstance(value, list) else iter(())


def _find(value: Json, max_depth: int) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    waiting: list[tuple[str, Json, int]] = [("$", value, 0)]
    while waiting:
        path, each, depth = waiting.pop()
        if depth > max_depth:
            problems.append((path, f"nested deeper than {max_depth}"))
            continue
        problems += _own_problems(path, each)
        waiting += [(inner, child, depth + 1) for inner, child in reversed(_named(path, each))]
    return problems


def _own_problems(path: str, value: Json) -> list[tuple[str, str]]:
    if isinstance(value, _Twice):
        return [(path, "key is there twice")]
    texts = list(value) if isinstance(value, Mapping) else [value]
    if any(isinstance(text, str) and not _is_unicode(text) for text in texts):
        return [(path, "not valid Unicode")]
    return []


def _named(path: str, value: Json) -> list[tuple[str, Json]]:
    if isinstance(value, dict):
        return [(f"{path}.{shown(key)}", child) for key, child in value.items()]
    if isinstance(value, list):
        return [(f"{path}[{index}]", child) for index, child in enumerate(value)]
    return []


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _whole(text: str) -> int:
    if len(text) > MAX_NUMBER_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _no_constant(_text: str) -> NoReturn:
    raise ValueError("NaN and infinity are not JSON")


def _malformed(rule: str) -> MalformedMessageError:
    return MalformedMessageError([("$", rule)])
