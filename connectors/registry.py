"""The one list of connectors; importing it has no other effect."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.cad_mapping import SPEC as CAD_MAPPING
from connectors.canonical_json import SPEC as CANONICAL_JSON
from connectors.contract import ConnectorSpec
from connectors.fhir_r4_bars import SPEC as FHIR_R4_BARS
from connectors.webhook import SPEC as WEBHOOK

ALL: Final = (CANONICAL_JSON, CAD_MAPPING, FHIR_R4_BARS, WEBHOOK)

BY_NAME: Final[Mapping[str, ConnectorSpec]] = MappingProxyType({spec.name: spec for spec in ALL})
