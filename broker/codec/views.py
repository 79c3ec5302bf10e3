"""Views: what one recipient may see of one kind of event, for one purpose."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from broker.codec.catalogue import EventSchema, load_catalogue
from broker.codec.catalogue_files import Schema
from broker.codec.projection import Halves, Projection, compile_projection
from broker.codec.projection_blank import blank_fields
from broker.codec.projection_reader import Tree, read_schema
from broker.codec.projection_schema import view_schema
from broker.codec.projection_selector import select
from broker.codec.reference import Reference
from broker.domain.reductions import Reduction

MANIFEST_TYPE = "crisis.types.Manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewCodec:
    """
    Makes views of one kind; a view is envelope, manifest and body, one after the other.

    Attributes:
        schema: Self-contained Avro JSON of the view.
        empty_body: A body that says nothing at all: every field is null.
        unchanged_body: The body of an event that holds nothing. It differs from `empty_body` where a
            reduced form answers "not present".
        source: The generated code, for whoever wants to read it.
    """

    schema: Schema
    empty_body: bytes
    unchanged_body: bytes
    source: str
    _projection: Projection
    _reference: Reference

    def project(self, data: bytes, start: int) -> Halves:
        """
        Cut an encoded event down to what is released.

        Args:
            data: One whole event, e.g. behind its frame.
            start: Where the event begins in *data*; it ends where *data* does.

        Returns:
            The encoded public part of the envelope, and the encoded body.

        Raises:
            MalformedMessageError: The bytes are no event of this type; nothing is released.
        """
        found = self._projection.try_project(data, start)
        return self._reference.project(data, start) if found is None else found

    def reference(self, data: bytes, start: int) -> Halves:
        """Do the same as `project` by decoding and encoding: slow, simple, the judge in doubt."""
        return self._reference.project(data, start)


def compile_view(
    event: EventSchema,
    released: Mapping[str, Reduction | None],
    *,
    recipient: str,
    purpose: str,
) -> ViewCodec:
    """
    Compile what is released of one kind of event into a view.

    What is inside an array is released only if the array's length (``#``) is, as it stands.

    Args:
        event: The writer's schema.
        released: Leaf paths of the body, each with its reduction; None means as it stands.
        recipient: Party id; it and *purpose* name the schema, together with the event.
        purpose: Purpose code.

    Raises:
        AgreementError: Names every path that is no leaf, and every reduction that does not apply.
        ConfigurationError: The schema holds something that cannot be projected.
    """
    tree = _tree(event)
    selection = select(tree.root, released)
    manifest = load_catalogue().type_schema(MANIFEST_TYPE)
    view = view_schema(tree, selection, manifest, recipient=recipient, purpose=purpose)
    projection = compile_projection(tree, selection)
    return ViewCodec(
        schema=view.whole,
        empty_body=bytes(len(selection.fields)),
        unchanged_body=blank_fields(selection),
        source=projection.source,
        _projection=projection,
        _reference=Reference(event.schema, tree, dict(released), view),
    )


def schema_of_view(
    event: EventSchema,
    released: Mapping[str, Reduction | None],
    *,
    recipient: str,
    purpose: str,
) -> Schema:
    """Return the schema alone of what `compile_view` makes: quick, for registering it."""
    tree = _tree(event)
    manifest = load_catalogue().type_schema(MANIFEST_TYPE)
    selection = select(tree.root, released)
    return view_schema(tree, selection, manifest, recipient=recipient, purpose=purpose).whole


@lru_cache(maxsize=64)
def _tree(event: EventSchema) -> Tree:
    return read_schema(event.schema)
