"""Validating bundles: ready before the first referral."""

import subprocess
import sys

LOADED = """
import sys
from connectors.fhir_r4_bars.validation import RESOURCES, warm_up
warm_up()
print([n for n in RESOURCES if f"fhir.resources.R4B.{n.lower()}" not in sys.modules])
"""


def test_warming_up_loads_the_model_of_every_resource_we_send():
    """No referral waits for a model to be imported."""
    printed = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == "[]"
