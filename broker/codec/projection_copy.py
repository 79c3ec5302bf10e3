"""
Writes the code that copies what is selected and walks over the rest.

A container in which nothing released holds a value is written as null: whether it is there must not
tell that something withheld is. `k` variables note that something released has been seen.
"""

from typing import Any, Final, TypeGuard

from broker.codec.projection_blank import answers_always, blank
from broker.codec.projection_envelope import public_fields
from broker.codec.projection_reader import Tree
from broker.codec.projection_reduce import absent_forms, compile_reduction
from broker.codec.projection_selection import Branches, Fields, Items, Selected, Selection, Whole
from broker.codec.projection_skip import Level, Skipper
from broker.codec.projection_source import Source
from broker.codec.projection_types import (
    Array,
    Map,
    Record,
    Type,
    Union,
    values_of,
)
from broker.domain.reductions import Reduction

NULL: Final = r'b"\x00"'
YES: Final = r'b"\x02\x01"'
NO: Final = r'b"\x02\x00"'
"""A nullable boolean that is not null."""

OCCURRED_AT: Final = "occurred_at"

Here = Level("", 1)
"""Where the fields of the event stand."""


def write_projection(tree: Tree, selection: Fields) -> Source:
    """Write the projection of one event as a function `project(d, p)`."""
    source = Source()
    _Copier(tree, source).write(selection)
    return source


class _Copier:
    def __init__(self, tree: Tree, source: Source) -> None:
        self._tree = tree
        self._source = source
        self._skipper = Skipper(source)

    def write(self, selection: Fields) -> None:
        source, event = self._source, self._tree.root
        with source.block("def project(d, p):"):
            source.line("a = t = p; last = len(d) - 8")
            source.line('occurred_at = b""')
            self._envelope(event)
            source.line('out = b""')
            for each in event.fields[1:]:
                source.comment(each.name)
                self._field(each.type, selection.fields.get(each.name), "", Here)
            source.close_run()
            source.check_text()
            source.doubt_if("p != len(d)")
            source.line("return envelope, out")
        self._skipper.write_functions()

    def _envelope(self, event: Record) -> None:
        source, public = self._source, public_fields(event)
        envelope = event.fields[0].type
        for each in envelope.fields if isinstance(envelope, Record) else ():
            source.comment(f"envelope.{each.name}")
            if public and each is public[-1]:
                self._public_field(each.name, each.type)
                source.line("envelope = d[a:p]")
            else:
                self._public_field(each.name, each.type)
        if not public:
            source.line('envelope = b""')

    def _public_field(self, name: str, type_: Type) -> None:
        if name == OCCURRED_AT:
            self._source.line("q = p")
        self._skipper.skip(type_, Here.deeper())
        if name == OCCURRED_AT:
            self._source.line("occurred_at = d[q:p]")

    def _fields(self, record: Record, selection: Fields, seen: str, level: Level) -> None:
        for each in record.fields:
            self._field(each.type, selection.fields.get(each.name), seen, level.deeper())

    def _field(self, type_: Type, selected: Selected | None, seen: str, level: Level) -> None:
        """Write one field; *seen* is the variable that notes that it holds a value, if any."""
        if selected is None:
            self._source.close_run()
            self._skipper.skip(type_, level)
        elif selected.reduction is not None:
            self._reduced(type_, selected, selected.reduction, seen, level)
        else:
            self._nullable(type_, selected.what, seen, level)

    def _nullable(self, type_: Type, what: Selection, seen: str, level: Level) -> None:
        """Write a value that is null or of one branch in the view."""
        if not isinstance(what, Branches) and _is_same_in_view(type_):
            self._same(type_, what, seen, level)
        else:
            self._renumbered(type_, what, seen, level)

    def _same(self, type_: Union, what: Selection, seen: str, level: Level) -> None:
        """Write a union whose indices are the same in the view."""
        source = self._source
        source.open_run()
        if isinstance(what, Whole):
            self._skipper.union(type_, level, lambda: self._note(seen))
            return
        state = source.state(is_run_open_after=True)
        with source.branch("if d[p] == 2:", state):
            self._value(values_of(type_)[0][1], what, seen, level, prefix="")
        with source.branch("elif d[p] == 0:", state):
            if isinstance(what, Fields) and answers_always(what):
                source.release(repr(blank(what)))
            source.line("p += 1")
        source.line("else: raise Doubt")

    def _renumbered(self, type_: Type, what: Selection, seen: str, level: Level) -> None:
        """Write a value whose index in the view is not its index in the event, or that had none."""
        source = self._source
        source.close_run()
        numbers = _numbers(type_, what)
        if not isinstance(type_, Union):
            self._numbered(type_, what, seen, level, numbers.get(0))
            return
        state = source.state(is_run_open_after=True)
        for word, index, branch in self._skipper.cases(type_):
            with source.branch(f"{word} d[p] == {2 * index}:", state):
                source.line("p += 1")
                inner, kept = self._skipper.into(type_, level), _of_branch(what, index)
                self._numbered(branch, kept, seen, inner, numbers.get(index))
        self._skipper.no_other_case(type_)

    def _numbered(
        self, branch: Type, what: Selection | None, seen: str, level: Level, number: int | None
    ) -> None:
        source = self._source
        if what is None or number is None:
            self._skipper.skip(branch, level)
            null = repr(blank(what)) if isinstance(what, Fields) else NULL
            source.release(null)
        elif isinstance(what, Whole):
            source.release(repr(_index(number)))
            source.open_run()
            self._note(seen)
            self._skipper.skip(branch, level)
        else:
            self._value(branch, what, seen, level, prefix=repr(_index(number)))

    def _value(self, type_: Type, what: Selection, seen: str, level: Level, prefix: str) -> None:
        """Write a container or an array of containers; with no *prefix* its index is at `p`."""
        source = self._source
        if isinstance(what, Items) and isinstance(type_, Array | Map):
            if prefix:
                source.release(prefix)
                source.open_run()
            else:
                source.line("p += 1")
            self._note(seen)
            self._skipper.blocks(type_, lambda item: self._item(item, what.item, level))
        elif isinstance(what, Fields) and isinstance(type_, Record):
            self._container(type_, what, seen, level, prefix)

    def _item(self, type_: Type, what: Fields, level: Level) -> None:
        self._source.open_run()
        if isinstance(type_, Union):
            self._nullable(type_, what, "", level)
        elif isinstance(type_, Record):
            self._skipper.enter(level)
            self._fields(type_, what, "", level)

    def _container(
        self, record: Record, what: Fields, seen: str, level: Level, prefix: str
    ) -> None:
        source = self._source
        inner, before, start, run = (source.name(each) for each in ("k", "out", "q", "a"))
        never_null = answers_always(what)
        source.line(f"{inner} = 0")
        if prefix:
            source.line(f"{before} = out")
            source.release(prefix)
        else:
            source.line(f"{before} = out; {run} = a; {start} = p")
            source.line("p += 1")
        self._skipper.enter(level)
        self._fields(record, what, inner, level)
        source.open_run()
        if seen:
            source.line(f"if {inner}: {seen} = 1")
        if not never_null:
            kept = before if prefix else f"{before} + d[{run}:{start}]"
            with source.block(f"if not {inner}:"):
                source.line(f"out = {kept} + {NULL}")
                source.line("a = p")

    def _reduced(
        self, type_: Type, selected: Selected, reduction: Reduction, seen: str, level: Level
    ) -> None:
        source, start = self._source, self._source.name("q")
        source.close_run()
        source.line(f"{start} = p")
        self._skipper.skip(type_, level)
        if reduction is Reduction.PRESENT:
            absent = source.constant("ABSENT", absent_forms(type_))
            source.line(f"n = d[{start}:p] not in {absent}")
            source.release(f"{YES} if n else {NO}")
            self._note_if("n", seen)
            return
        reduce: Any = source.constant(
            "reduce", compile_reduction(self._tree, selected.field, reduction)
        )
        source.line(f"n = {reduce}(d[{start}:p], occurred_at)")
        source.release("n")
        self._note_if(f"n != {NULL}", seen)

    def _note(self, seen: str) -> None:
        if seen:
            self._source.line(f"{seen} = 1")

    def _note_if(self, condition: str, seen: str) -> None:
        if seen:
            self._source.line(f"if {condition}: {seen} = 1")


def _is_same_in_view(type_: Type) -> TypeGuard[Union]:
    return isinstance(type_, Union) and type_.null == 0


def _numbers(type_: Type, what: Selection) -> dict[int, int]:
    """Return the index in the view by the index in the event."""
    kept = (i for i, _ in values_of(type_) if _of_branch(what, i) is not None)
    return {index: number for number, index in enumerate(kept, start=1)}


def _of_branch(what: Selection, index: int) -> Selection | None:
    return what.branches.get(index) if isinstance(what, Branches) else what


def _index(number: int) -> bytes:
    return bytes([2 * number])
