"""Reduces one encoded leaf; the only place where a projection decodes anything."""

from collections.abc import Callable, Iterable

from broker.codec import avro
from broker.codec.catalogue_files import Schema
from broker.codec.catalogue_inline import inline
from broker.codec.projection_envelope import envelope
from broker.codec.projection_reader import Tree
from broker.codec.projection_types import (
    Array,
    Field,
    Map,
    Primitive,
    Type,
    Union,
    is_null,
    values_of,
)
from broker.domain.errors import ConfigurationError
from broker.domain.reductions import Reduction

Reduce = Callable[[bytes, bytes], bytes]
"""(encoded leaf, encoded `occurred_at`) -> encoded reduced form."""


def compile_reduction(tree: Tree, field: Field, reduction: Reduction) -> Reduce:
    """Compile the reduction of one field of an event."""
    if reduction is Reduction.COUNT:
        return _counter(field.type)
    whole = inline(field.schema["type"], tree.definitions)
    reduced = inline(["null", reduction.avro_type], tree.definitions)
    moment = _moment(tree)

    def reduce(leaf: bytes, occurred_at: bytes) -> bytes:
        when = avro.decode(moment, occurred_at)
        return avro.encode(reduced, reduction.apply(avro.decode(whole, leaf), when))

    return reduce


def absent_forms(type_: Type) -> frozenset[bytes]:
    """Return every encoding that holds nothing: null, and empty texts, bytes, lists and maps."""
    if not isinstance(type_, Union):
        return frozenset(_nothing(type_))
    return frozenset(
        bytes([2 * index]) + form
        for index, branch in enumerate(type_.branches)
        for form in _nothing(branch)
    )


def _nothing(type_: Type) -> Iterable[bytes]:
    if is_null(type_):
        return [b""]
    sized = isinstance(type_, Primitive) and type_.kind in ("string", "bytes")
    return [b"\x00"] if sized or isinstance(type_, Array | Map) else []


def _counter(type_: Type) -> Reduce:
    """Count from the head of the one block, so that no item is built."""
    index = values_of(type_)[0][0] if isinstance(type_, Union) else None

    def count(leaf: bytes, _occurred_at: bytes) -> bytes:
        if index is None:
            return b"\x02" + _head(leaf, 0)
        return b"\x02" + _head(leaf, 1) if leaf[0] == 2 * index else b"\x00"

    return count


def _head(data: bytes, at: int) -> bytes:
    end = at
    while data[end] & 0x80:
        end += 1
    return data[at : end + 1]


def _moment(tree: Tree) -> Schema:
    found = [each for each in envelope(tree.root).fields if each.name == "occurred_at"]
    if not found:
        raise ConfigurationError("an envelope says when it occurred @ schema")
    return inline(found[0].schema["type"], tree.definitions)
