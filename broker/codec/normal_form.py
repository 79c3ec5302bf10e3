"""
The normal form of a schema: the same JSON for the same schema, whatever the order of its keys.

Everything counts: docs, defaults, logical types and our tags. Avro's Parsing Canonical Form drops
all of these, so two schemas that mean different things could get one id.
"""

import json

from broker.codec.catalogue_files import Schema


def normal_form(schema: Schema) -> str:
    """
    Return the schema as JSON with sorted keys and no white space.

    >>> normal_form({"type": "fixed", "size": 2, "name": "Two"})
    '{"name":"Two","size":2,"type":"fixed"}'
    """
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
