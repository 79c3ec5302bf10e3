"""CSV and JSON exports of command-and-control systems, read by a site's mapping file."""

from connectors.cad_mapping.inbound import MEDIA_TYPE, translate_in
from connectors.contract import ConnectorSpec

SPEC = ConnectorSpec(
    name="cad_mapping",
    summary="Reads CSV and JSON exports of command-and-control systems by a mapping file.",
    media_type=MEDIA_TYPE,
    translate_in=translate_in,
)
