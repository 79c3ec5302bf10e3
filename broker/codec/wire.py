"""
The Confluent wire format: a zero byte, the schema id in four bytes, then the Avro value.

Source: Confluent Schema Registry documentation, "Wire format".
"""

from broker.domain.errors import MalformedMessageError

PREFIX_BYTES = 5

_MAGIC = 0


def frame(schema_id: int) -> bytes:
    """
    Return the prefix of a value written with this schema.

    >>> frame(258).hex()
    '0000000102'
    """
    return _MAGIC.to_bytes(1, "big") + schema_id.to_bytes(4, "big")


def unframe(data: bytes) -> tuple[int, int]:
    """
    Return the schema id and the position where the value starts.

    Raises:
        MalformedMessageError: The bytes have no such prefix.

    >>> unframe(bytes.fromhex("0000000102ff"))
    (258, 5)
    """
    if len(data) < PREFIX_BYTES:
        raise MalformedMessageError([("$", "shorter than the schema prefix")])
    if data[0] != _MAGIC:
        raise MalformedMessageError([("$", "first byte is not 0")])
    return int.from_bytes(data[1:PREFIX_BYTES], "big"), PREFIX_BYTES
