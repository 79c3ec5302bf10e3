"""Writes the code that walks over one value that is no container of others."""

from typing import Final

from broker.codec.projection_source import Source
from broker.codec.projection_types import TIMESTAMP, Enum

ONE_BYTE_CODES: Final = 64
"""So many ordinals of an enum have codes of one byte."""

_WIDTHS: Final = {"float": 4, "double": 8}


class Scalars:
    """Writes code that moves `p` past one number, text or symbol."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def primitive(self, kind: str) -> None:
        """Write code past a value of one of the primitive types."""
        source = self._source
        if kind == "boolean":
            source.doubt_if("d[p] > 1")
            source.line("p += 1")
        elif kind in ("int", "long"):
            self._either("d[p] < 128", "p += 1", f"after_{kind}(d, p)")
        elif kind == TIMESTAMP:
            self._timestamp()
        elif kind in _WIDTHS:
            if kind == "float":
                # A library that reads and writes it may change the bits of what is no number.
                source.doubt_if("d[p + 3] & 0x7F == 0x7F and d[p + 2] & 0x80")
            source.step(f"p + {_WIDTHS[kind]}")
        elif kind == "bytes":
            source.line("n = ONE_BYTE_LENGTHS[d[p]]")
            source.step("p + n if n else after_bytes(d, p)")
        elif kind == "string":
            self._text("ONE_BYTE_LENGTHS", "d[p]", "after_text(d, p)")

    def nullable_text(self) -> None:
        """Write code past the index and the text of a nullable string that is not null."""
        self._text("NULLABLE_LENGTHS", "d[p + 1]", "after_text(d, p + 1)")

    def nullable_enum(self, enum: Enum) -> None:
        """Write code past the index and the ordinal of a nullable enum that is not null."""
        self._source.line("n = d[p + 1]")
        self._source.doubt_if(f"n > {2 * enum.count - 2} or n & 1")
        self._source.line("p += 2")

    def _text(self, table: str, code: str, otherwise: str) -> None:
        self._source.line(f"n = {table}[{code}]")
        self._either("n", "p += n", otherwise)
        self._source.has_text = True

    def _timestamp(self) -> None:
        # All of this century takes eight bytes, and nothing in eight bytes is out of range.
        source = self._source
        source.check_text()
        usual = "n & CONTINUES == SEVEN_CONTINUE and d[p + 7]"
        source.line("n = eight_bytes(d, p)[0] if p <= last else 0")
        source.line(f"p = t = p + 8 if {usual} else after_timestamp(d, p)")

    def enum(self, enum: Enum) -> None:
        """Write code past an ordinal."""
        if enum.count > ONE_BYTE_CODES:
            self._source.step(f"after_ordinal(d, p, {enum.count})")
            return
        self._source.doubt_if(f"d[p] > {2 * enum.count - 2} or d[p] & 1")
        self._source.line("p += 1")

    def count(self, count: str) -> None:
        """Write code past the count of a block, whose first byte *count* holds."""
        source = self._source
        has_text = source.has_text
        with source.block(f"if {count} < 128 and not {count} & 1:"):
            source.line(f"{count} >>= 1")
            source.line("p += 1")
        with source.block("else:"):
            source.check_text()
            source.line(f"{count}, p = read_count(d, p)")
            source.line("t = p")
        source.has_text = has_text

    def key(self, keys: str) -> None:
        """Write code past a key of a map that is not yet among *keys*."""
        # Of two equal keys a reader may take either.
        source, start = self._source, self._source.name("q")
        source.line(f"{start} = p")
        self.primitive("string")
        source.doubt_if(f"d[{start}:p] in {keys}")
        source.line(f"{keys}.add(d[{start}:p])")

    def _either(self, test: str, usual: str, otherwise: str) -> None:
        source, has_text = self._source, self._source.has_text
        with source.block(f"if {test}:"):
            source.line(usual)
        with source.block("else:"):
            source.check_text()
            source.line(f"p = t = {otherwise}")
        source.has_text = has_text
