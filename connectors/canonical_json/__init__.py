"""The broker's own format: canonical JSON, as schemas/README.md describes it."""

from connectors.canonical_json.inbound import MEDIA_TYPE, translate_in
from connectors.contract import ConnectorSpec

SPEC = ConnectorSpec(
    name="canonical_json",
    summary="Reads the broker's own JSON: one event, or an array of events.",
    media_type=MEDIA_TYPE,
    translate_in=translate_in,
)
