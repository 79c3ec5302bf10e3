"""Views as NHS BaRS referral messages: FHIR R4 bundles posted to ``$process-message``."""

from connectors.contract import ConnectorSpec
from connectors.fhir_r4_bars.outbound import translate_out
from connectors.fhir_r4_bars.responses import read_response
from connectors.fhir_r4_bars.transport import MEDIA_TYPE
from connectors.fhir_r4_bars.validation import warm_up

SPEC = ConnectorSpec(
    name="fhir_r4_bars",
    summary="Sends views as NHS Booking and Referral Standard (BaRS) FHIR R4 message bundles.",
    media_type=MEDIA_TYPE,
    translate_out=translate_out,
    read_response=read_response,
    warm_up=warm_up,
)
