"""
The second lock: no view passes that holds more than the agreement in our own hands grants.

The first lock is the release process. This one trusts nothing it did: not its memory, not its
configuration, not its version. It compares the fields of the view's writer schema, and what the
manifest says of them, with what some plan of the agreement gives; values play no part.

A view is held against exactly the version that its manifest names, so that a view on its way is
not stranded when the next version begins.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from broker.codec.catalogue import Catalogue, EventSchema, Schema
from broker.codec.views import schema_of_view
from broker.domain.agreements import Agreement, AgreementBook, in_force
from broker.domain.decisions import Plan
from broker.domain.errors import InputError

Field = tuple[str, str]
"""Path of a field and the name of its type."""

Manifest = Mapping[str, Any]
COMPLETE = "complete"
"""The one field of a manifest that no plan decides: false where filtering failed."""


class OverSharedError(InputError):
    """A view holds what its agreement does not grant: the lane stops and a person is paged."""

    code = "over-shared"


class UnknownAgreementError(InputError):
    """A view names an agreement or version that is not in our hands; it waits until it is."""

    code = "agreement-unknown"


class SuspendedAgreementError(InputError):
    """The agreement was suspended after this view was cut; it waits for a person."""

    code = "agreement-suspended"


class Lane(NamedTuple):
    """What grants are worked out for: one version of an agreement, for one kind of event."""

    agreement: str
    version: int
    sender: str
    event_type: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Grant:
    """
    What one plan, or several that release the same, lets through.

    Attributes:
        fields: Every field of the view.
        leaves: The same by leaf: a view on its way may have been cut before a leaf gained a field.
        manifests: What may be said of it.
    """

    fields: frozenset[Field]
    leaves: frozenset[str]
    manifests: tuple[Manifest, ...]


class SecondLock:
    """
    Checks the views of one recipient against the agreements this process has loaded itself.

    Args:
        catalogue: Events and their leaves.
        agreements: Every version in our hands, also of days gone and to come.
        recipient: Party id.
        today: Tells the day: a version counts from its first.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        agreements: Iterable[Agreement],
        recipient: str,
        today: Callable[[], date],
    ) -> None:
        self._catalogue = catalogue
        # A book each: versions of one agreement cover the same routes, which no one book may.
        self._books = {(each.id, each.version): AgreementBook([each]) for each in agreements}
        self._recipient = recipient
        self._today = today
        self._granted: dict[Lane, tuple[Grant, ...]] = {}
        self._passed: dict[tuple[Lane, int], tuple[Manifest, ...]] = {}

    def purposes(self) -> frozenset[str]:
        """Return every purpose that some version in our hands has a lane for."""
        lanes = (lane for book in self._books.values() for lane in book.lanes())
        return frozenset(purpose for recipient, purpose in lanes if recipient == self._recipient)

    def prepare(self) -> None:
        """Work out every lane's grants now, so that the first referral need not wait for it."""
        for (name, version), book in self._books.items():
            for route in book.routes():
                if route.recipient == self._recipient:
                    for event_type in self._catalogue.events:
                        self._grants(Lane(name, version, route.sender, event_type, route.purpose))

    def check(self, schema: Schema, schema_id: int, view: Mapping[str, Any], purpose: str) -> None:
        """
        Let a decoded view pass, or not.

        Args:
            schema: Writer schema of the view, as the registry gave it.
            schema_id: Its id; a schema that has passed is not walked again.
            view: Decoded view; only envelope and manifest are looked at.
            purpose: Of the lane it came by.

        Raises:
            OverSharedError: It holds more than is granted, says something else than was granted,
                or is on the wrong lane.
            UnknownAgreementError: We do not hold the agreement it was cut by.
            SuspendedAgreementError: The agreement has been suspended.
        """
        envelope, manifest = view["envelope"], view["manifest"]
        if manifest["purpose"] != purpose:
            raise OverSharedError("view was cut for another purpose @ manifest.purpose")
        lane = Lane(
            manifest["agreement"],
            manifest["agreement_version"],
            envelope["sender"],
            envelope["event_type"],
            purpose,
        )
        self._check_agreement(lane)
        key = (lane, schema_id)
        if key not in self._passed:
            self._passed[key] = self._manifests(schema, lane)
        if _plain(manifest) not in self._passed[key]:
            raise OverSharedError("not what was granted with these fields @ manifest")

    def _check_agreement(self, lane: Lane) -> None:
        route = (lane.sender, self._recipient, lane.purpose)
        book = self._books.get((lane.agreement, lane.version))
        agreement = book.find(*route) if book else None
        if book is None or agreement is None or agreement.valid_from > self._today():
            raise UnknownAgreementError("agreement version is not loaded @ manifest.agreement")
        for each in (book, self._youngest(lane.agreement)):
            clause = each.clause(*route)
            if each.agreements[0].suspension or (clause and clause.suspension):
                raise SuspendedAgreementError("agreement is suspended @ manifest.agreement")

    def _youngest(self, name: str) -> AgreementBook:
        versions = (b.agreements[0] for (each, _), b in self._books.items() if each == name)
        (found,) = in_force(versions, self._today())
        return self._books[found.id, found.version]

    def _manifests(self, schema: Schema, lane: Lane) -> tuple[Manifest, ...]:
        found = frozenset(fields(schema))
        grants = self._grants(lane)
        holding = [grant for grant in grants if found <= grant.fields]
        if not holding:
            # The place is a field name of the schema, which is no value of any event.
            nearest = min(
                (sorted(found - g.fields) for g in grants), key=len, default=sorted(found)
            )
            raise OverSharedError(f"field is not granted @ {nearest[0][0]}")
        leaves = _leaves(found, self._catalogue.event(lane.event_type))
        return tuple(said for g in holding if g.leaves == leaves for said in g.manifests)

    def _grants(self, lane: Lane) -> tuple[Grant, ...]:
        if lane not in self._granted:
            self._granted[lane] = self._derive(lane)
        return self._granted[lane]

    def _derive(self, lane: Lane) -> tuple[Grant, ...]:
        event = self._catalogue.event(lane.event_type)
        book = self._books[lane.agreement, lane.version]
        alike: dict[frozenset[Any], list[Plan]] = {}
        for plan in book.plans(lane.sender, self._recipient, lane.purpose, event):
            if not plan.held_because:
                alike.setdefault(frozenset(plan.released.items()), []).append(plan)
        return tuple(self._grant(event, plans) for plans in alike.values())

    def _grant(self, event: EventSchema, plans: list[Plan]) -> Grant:
        first = plans[0]
        schema = schema_of_view(
            event, first.released, recipient=self._recipient, purpose=first.purpose
        )
        granted = frozenset(fields(schema))
        said = tuple(_plain(plan.manifest) for plan in plans)
        return Grant(granted, _leaves(granted, event), said)


def _plain(manifest: Manifest) -> Manifest:
    return {name: value for name, value in manifest.items() if name != COMPLETE}


def _leaves(found: Iterable[Field], event: EventSchema) -> frozenset[str]:
    # Of the body only; what lies inside a leaf counts as the leaf.
    paths = (path.replace("[]", "").partition(".") for path, _ in found)
    return frozenset(_leaf(path, event) for part, _, path in paths if part == "body" and path)


def _leaf(path: str, event: EventSchema) -> str:
    names = path.split(".")
    starts = (".".join(names[:end]) for end in range(1, len(names)))
    return next((start for start in starts if start in event.leaves), path)


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
