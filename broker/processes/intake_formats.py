"""
Which connector reads a message, with which mapping file of the caller.
"""

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from broker.domain.clauses import Party
from broker.domain.errors import ConfigurationError, MalformedMessageError
from broker.runtime.parties import Parties
from broker.runtime.problems import Code, refuse
from connectors.contract import Inbound
from connectors.registry import BY_NAME

MAX_ADDRESSEES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """
    Reads agency formats.

    Attributes:
        mappings: Parsed mapping files by party and connector.
    """

    mappings: Mapping[tuple[str, str], Mapping[str, Any]]

    def translate(self, name: str, body: bytes, party: Party, to: Sequence[str]) -> list[Inbound]:
        """
        Translate a message of *party* in the format *name*.

        Args:
            name: Connector name.
            body: The message.
            party: Whose mapping file applies.
            to: Addressees as ``recipient:purpose``, besides those of the mapping's rota.

        Raises:
            MalformedMessageError: The message is not of this format.
            ProblemError: There is no such format, or an addressee is no addressee.
        """
        spec = BY_NAME.get(name)
        if spec is None or spec.translate_in is None:
            raise refuse(Code.NOT_FOUND, "path", "no format of this name is read here")
        routes = [_route(place, text) for place, text in enumerate(to)]
        if len(routes) > MAX_ADDRESSEES:
            raise refuse(Code.MALFORMED, "query `to`", f"more than {MAX_ADDRESSEES} addressees")
        mapping = self.mappings.get((party.id, name), {})
        return [_addressed(inbound, routes) for inbound in spec.translate_in(body, mapping)]


def load_formats(parties: Parties, folder: Path | None) -> Formats:
    """
    Read the mapping files that the parties file names.

    Raises:
        ConfigurationError: A file is missing or no TOML, or names a connector that does not exist.
    """
    found = {}
    for party, endpoints in parties.root.items():
        for connector, file in endpoints.intake.items():
            place = f"{party}.intake.{connector}"
            found[party, connector] = _read(folder, file, place)
            _check(connector, found[party, connector], place)
    return Formats(mappings=found)


def _check(connector: str, mapping: Mapping[str, Any], place: str) -> None:
    spec = BY_NAME.get(connector)
    if spec is None or spec.translate_in is None:
        raise ConfigurationError(f"no connector of this name reads messages @ {place}")
    # An empty message is never one of a format, but a wrong mapping file is found first.
    with suppress(MalformedMessageError):
        spec.translate_in(b"", mapping)


def _read(folder: Path | None, file: str, place: str) -> Mapping[str, Any]:
    if folder is None:
        raise ConfigurationError(f"a mapping file needs `mappings_dir` @ {place}")
    try:
        return tomllib.loads((folder / file).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"mapping file cannot be read as TOML @ {place}") from error


def _route(place: int, text: str) -> dict[str, str]:
    recipient, colon, purpose = text.partition(":")
    if not colon:
        raise refuse(Code.MALFORMED, f"query `to`[{place}]", "not recipient:purpose")
    return {"recipient": recipient, "purpose": purpose}


def _addressed(inbound: Inbound, routes: Sequence[Mapping[str, str]]) -> Inbound:
    if not routes:
        return inbound
    stated = inbound.document.get("routes") or []
    known = {(route.get("recipient"), route.get("purpose")) for route in stated}
    added = [dict(r) for r in routes if (r["recipient"], r["purpose"]) not in known]
    return replace(inbound, document={**inbound.document, "routes": [*stated, *added]})
