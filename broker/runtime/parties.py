"""
Where each party's systems are: one TOML file per installation.

Agreements say who may know what; this file says how to reach them. It holds no secrets, only the
names of the files that do.

```toml
[northvale-crisis.deliver]
connector = "fhir_r4_bars"
url = "https://crisis.northvale.example.org/bars"
address = "https://fhir.nhs.uk/id/dos-service-id|1122334455"

[midshire-police.intake]
cad_mapping = "midshire_cad.toml"
```
"""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from broker.domain.errors import ConfigurationError


class DeliverTo(BaseModel):
    """
    How a recipient's system is reached.

    Attributes:
        secret_file: Signs what we send, where the format signs.
        intake_key_file: The recipient's own key for our intake, to receipt deliveries with.
        ca_file: Whose certificates we trust; by default the system's.
        certificate_file: Our client certificate (mutual TLS), with `key_file`.
        bearer_file: A token of ours that every request carries (``Authorization: Bearer``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    connector: str
    url: str
    address: str = ""
    sender_address: str = ""
    key_id: str = ""
    secret_file: Path | None = None
    intake_key_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    bearer_file: Path | None = None


class PartyEndpoints(BaseModel):
    """What is known of one party's systems."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deliver: DeliverTo | None = None
    intake: dict[str, str] = {}


class Parties(RootModel[dict[str, PartyEndpoints]]):
    """Endpoints by party id."""

    def deliver_to(self, party: str) -> DeliverTo:
        """Return how *party* is reached; raises ConfigurationError if the file does not say."""
        found = self.root.get(party)
        if found is None or found.deliver is None:
            raise ConfigurationError(f"no endpoint is configured @ {party}.deliver")
        return found.deliver

    def recipients(self) -> tuple[str, ...]:
        """Return the parties that something can be delivered to."""
        return tuple(name for name, party in self.root.items() if party.deliver)


def load_parties(path: Path | None) -> Parties:
    """Read the file; no file means no endpoints. Raises ConfigurationError naming place and rule."""
    if path is None:
        return Parties({})
    try:
        return Parties.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot be read as TOML @ {path.name}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{problem['msg'].lower()} @ {'.'.join(map(str, problem['loc']))}"
            for problem in error.errors(include_input=False)
        )
        raise ConfigurationError(f"{path.name}: {wrong}") from error
