"""
The second lock: no view passes that holds more than the agreement in our own hands grants.

The first lock is the release process. This one trusts nothing it did: not its memory, not its
configuration, not its version. It compares the fields of the view's writer schema with what some
plan of the agreement grants; values play no part.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from broker.codec.catalogue import Catalogue, EventSchema, Schema
from broker.codec.views import schema_of_view
from broker.domain.agreements import AgreementBook
from broker.domain.errors import InputError

Field = tuple[str, str]
"""Path of a field and the name of its type."""


class OverSharedError(InputError):
    """A view holds what its agreement does not grant: the lane stops and a person is paged."""

    code = "over-shared"


class UnknownAgreementError(InputError):
    """A view names an agreement or version that is not in our hands; it waits until it is."""

    code = "agreement-unknown"


class SecondLock:
    """Checks the views of one recipient against the agreements this process has loaded itself."""

    def __init__(self, *, catalogue: Catalogue, book: AgreementBook, recipient: str) -> None:
        self._catalogue = catalogue
        self._book = book
        self._recipient = recipient
        self._granted: dict[tuple[str, str, str], tuple[frozenset[Field], ...]] = {}
        self._passed: set[tuple[str, str, str, int]] = set()

    def prepare(self) -> None:
        """Work out every lane's grants now, so that the first referral need not wait for it."""
        for route in self._book.routes():
            if route.recipient == self._recipient:
                for event_type in self._catalogue.events:
                    lane = (route.sender, event_type, route.purpose)
                    self._granted[lane] = self._derive(*lane)

    def check(self, schema: Schema, schema_id: int, view: Mapping[str, Any], purpose: str) -> None:
        """
        Let a decoded view pass, or not.

        Args:
            schema: Writer schema of the view, as the registry gave it.
            schema_id: Its id; a schema that has passed is not walked again.
            view: Decoded view; only envelope and manifest are looked at.
            purpose: Of the lane it came by.

        Raises:
            OverSharedError: It holds more than is granted, or is on the wrong lane.
            UnknownAgreementError: We do not hold the agreement it was cut by.
        """
        envelope, manifest = view["envelope"], view["manifest"]
        sender, event_type = envelope["sender"], envelope["event_type"]
        if manifest["purpose"] != purpose:
            raise OverSharedError("view was cut for another purpose @ manifest.purpose")
        agreement = self._book.find(sender, self._recipient, purpose)
        if agreement is None or (agreement.id, agreement.version) != (
            manifest["agreement"],
            manifest["agreement_version"],
        ):
            raise UnknownAgreementError("agreement version is not loaded @ manifest.agreement")
        key = (sender, event_type, purpose, schema_id)
        if key not in self._passed:
            self._check_fields(schema, key[:3])
            self._passed.add(key)

    def _check_fields(self, schema: Schema, lane: tuple[str, str, str]) -> None:
        found = frozenset(fields(schema))
        granted = self._granted.get(lane)
        if granted is None:
            granted = self._granted[lane] = self._derive(*lane)
        if any(found <= plan for plan in granted):
            return
        # The place is a field name of the schema, which is no value of any event.
        nearest = min((sorted(found - plan) for plan in granted), key=len, default=sorted(found))
        raise OverSharedError(f"field is not granted @ {nearest[0][0]}")

    def _derive(self, sender: str, event_type: str, purpose: str) -> tuple[frozenset[Field], ...]:
        event = self._catalogue.event(event_type)
        plans = self._book.plans(sender, self._recipient, purpose, event)
        released = {
            frozenset(plan.released.items()): plan.released
            for plan in plans
            if not plan.held_because
        }
        return tuple(self._fields_of(event, each, purpose) for each in released.values())

    def _fields_of(
        self, event: EventSchema, released: Mapping[str, Any], purpose: str
    ) -> frozenset[Field]:
        schema = schema_of_view(event, released, recipient=self._recipient, purpose=purpose)
        return frozenset(fields(schema))


def fields(schema: Schema) -> Iterator[Field]:
    """
    Yield every field of a record schema, those inside leaves included.

    An array adds ``[]`` to the path; a union yields each branch.
    """
    yield from _walk(schema, "", {})


def _walk(schema: Schema, path: str, named: dict[str, Schema]) -> Iterator[Field]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _walk(branch, path, named)
    elif isinstance(schema, str) and schema in named:
        yield from _walk(named[schema], path, named)
    elif isinstance(schema, str):
        yield path, schema
    else:
        yield from _walk_complex(schema, path, named)


def _walk_complex(
    schema: Mapping[str, Any], path: str, named: dict[str, Schema]
) -> Iterator[Field]:
    kind = schema["type"]
    if "name" in schema:
        space = schema.get("namespace", "")
        named[f"{space}.{schema['name']}" if space else schema["name"]] = schema
    if kind == "array":
        yield from _walk(schema["items"], f"{path}[]", named)
    elif kind == "map":
        yield from _walk(schema["values"], f"{path}{{}}", named)
    elif kind == "record":
        yield path, "record"
        for member in schema["fields"]:
            yield from _walk(member["type"], f"{path}.{member['name']}".lstrip("."), named)
    elif isinstance(kind, str):
        # An enum or a fixed is one thing by its name; a logical type by its primitive.
        yield path, schema.get("name", kind)
    else:
        yield from _walk(kind, path, named)
