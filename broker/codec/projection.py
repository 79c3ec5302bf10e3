"""
The projection: event bytes in, view bytes out, and nothing in between.

For each selection a function is generated that copies what is released and walks over the rest,
without decoding either. It knows exactly one form of every event, the one our own encoder writes;
whatever else it meets is a doubt, and doubts are for the slow twin (`broker.codec.reference`) to
read or to refuse. So the fast way can be short, and what it accepts is certain.
"""

from collections.abc import Callable
from dataclasses import dataclass

from broker.codec import projection_steps as steps
from broker.codec.avro_numbers import Misfit
from broker.codec.projection_copy import write_projection
from broker.codec.projection_reader import Tree
from broker.codec.projection_selection import Fields

Halves = tuple[bytes, bytes]
"""Encoded public part of the envelope, encoded body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """
    A compiled projection.

    Attributes:
        source: The generated code.
        run: What it compiles to; raises one of `DOUBTS`.
    """

    source: str
    run: Callable[[bytes, int], Halves]

    def try_project(self, data: bytes, start: int) -> Halves | None:
        """Return both halves of the view, or None if the bytes are not as our encoder writes them."""
        try:
            return self.run(data, start)
        except DOUBTS:
            return None


DOUBTS = (steps.Doubt, Misfit, IndexError, UnicodeDecodeError)
"""IndexError is reading past the end."""

_NAMES = {
    "CONTINUES": steps.CONTINUES,
    "Doubt": steps.Doubt,
    "NULLABLE_LENGTHS": steps.NULLABLE_LENGTHS,
    "ONE_BYTE_LENGTHS": steps.ONE_BYTE_LENGTHS,
    "SEVEN_CONTINUE": steps.SEVEN_CONTINUE,
    "after_bytes": steps.after_bytes,
    "after_int": steps.after_int,
    "after_long": steps.after_long,
    "after_ordinal": steps.after_ordinal,
    "after_text": steps.after_text,
    "after_timestamp": steps.after_timestamp,
    "eight_bytes": steps.eight_bytes,
    "read_count": steps.read_count,
}


def compile_projection(tree: Tree, selection: Fields) -> Projection:
    """
    Generate and compile the projection of one event.

    Raises:
        ConfigurationError: The schema is nested more deeply than Python can be.
    """
    source = write_projection(tree, selection)
    namespace = {**_NAMES, **source.constants}
    # The text is made of our own words, numbers and paths of the schema; no input gets into it.
    exec(compile(source.text, "<projection>", "exec"), namespace)  # noqa: S102
    return Projection(source=source.text, run=namespace["project"])
