"""Reads Avro's variable-length numbers strictly."""

Position = int

_LONGEST_BYTES = 10


class Misfit(Exception):  # noqa: N818 - never leaves the codec; becomes a MalformedMessageError
    """
    Bytes or a value do not fit the schema.

    Attributes:
        rule: What is broken; never the value.
        path: Field names and indices, outermost first.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.path: list[str | int] = []

    def inside(self, part: str | int) -> None:
        """Note on the way out where it happened."""
        self.path.insert(0, part)

    @property
    def place(self) -> str:
        """The path as text, e.g. ``$.subject.names[1].family``."""
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return "$" + "".join(parts)


def read_long(data: bytes, at: Position) -> tuple[int, Position]:
    """
    Read one zig-zag number of 64 bits and return it with the position after it.

    Raises:
        Misfit: It is truncated, longer than needed, or does not fit 64 bits.
    """
    if at < len(data) and data[at] < 0x80:
        return (data[at] >> 1) ^ -(data[at] & 1), at + 1
    size, raw = 0, 0
    for byte in data[at : at + _LONGEST_BYTES]:
        raw |= (byte & 0x7F) << 7 * size
        size += 1
        if byte < 0x80:
            if (byte == 0 and size > 1) or raw >> 64:
                raise Misfit("number is not in its shortest form or too large")
            return (raw >> 1) ^ -(raw & 1), at + size
    raise Misfit("number is too long" if size == _LONGEST_BYTES else "ends too early")


def read_int(data: bytes, at: Position) -> tuple[int, Position]:
    """Read one zig-zag number of 32 bits; otherwise like `read_long`."""
    number, at = read_long(data, at)
    if not -(1 << 31) <= number < 1 << 31:
        raise Misfit("int does not fit 32 bits")
    return number, at
