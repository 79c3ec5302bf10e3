"""Views as signed JSON, for systems that speak no agency format."""

from connectors.contract import ConnectorSpec
from connectors.webhook.outbound import MEDIA_TYPE, translate_out
from connectors.webhook.responses import read_response

SPEC = ConnectorSpec(
    name="webhook",
    summary="Posts each view as JSON, signed with HMAC-SHA256 in the Standard Webhooks layout.",
    media_type=MEDIA_TYPE,
    translate_out=translate_out,
    read_response=read_response,
    needs_secret=True,
)
