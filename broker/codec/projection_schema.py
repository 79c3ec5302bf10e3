"""
The schema of a view: what a recipient may see of one event, for one purpose.

Names follow the paths of the event and nothing else, so that they are the same in every version of
an agreement. A field that is never released does not exist; every other one may be null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.codec.catalogue_files import Schema
from broker.codec.catalogue_inline import inline
from broker.codec.catalogue_leaves import ENVELOPE
from broker.codec.projection_envelope import envelope, public_fields
from broker.codec.projection_names import container_name, name_part
from broker.codec.projection_reader import Tree, read_schema
from broker.codec.projection_selection import (
    Branches,
    Fields,
    Items,
    Selected,
    Selection,
    container,
)
from broker.codec.projection_types import (
    Array,
    Record,
    Type,
    Union,
    item_of,
    values_of,
)
from broker.domain.errors import ConfigurationError

MANIFEST: Final = "manifest"
BODY: Final = "body"

_DOCS: Final = {
    ENVELOPE: "Routing and identification.",
    MANIFEST: "What is withheld, why, and whom to ask.",
    BODY: "What is released.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSchema:
    """
    The schema of a view, and of two of its parts; each self-contained.

    Attributes:
        whole: Envelope, manifest and body.
    """

    whole: Schema
    envelope: Schema
    body: Schema


def view_schema(
    tree: Tree, selection: Fields, manifest: Schema, *, recipient: str, purpose: str
) -> ViewSchema:
    """
    Build the schema of a view.

    Args:
        tree: The event.
        selection: What of its body is released.
        manifest: Self-contained schema of the manifest.
        recipient: Party id.
        purpose: Purpose code.

    Raises:
        ConfigurationError: Two parts of the view would get the same name.
    """
    manifest_tree = read_schema(manifest)
    known = {**tree.definitions, **manifest_tree.definitions}
    builder = _Builder(f"crisis.view.{name_part(recipient)}.{name_part(purpose)}", known)
    parts = {
        ENVELOPE: builder.envelope(tree.root),
        MANIFEST: manifest_tree.root.fullname,
        BODY: builder.body(tree.root, selection),
    }
    fields = [{"name": name, "type": type_, "doc": _DOCS[name]} for name, type_ in parts.items()]
    top = builder.record(tree.root, tree.root.fullname.rpartition(".")[2], fields)
    known |= builder.containers
    if f"{top['namespace']}.{top['name']}" in known:
        raise ConfigurationError("an event is named like a part of its view @ schema")
    return ViewSchema(
        whole=inline(top, known),
        envelope=inline(parts[ENVELOPE], known),
        body=inline(parts[BODY], known),
    )


class _Builder:
    def __init__(self, namespace: str, known: Mapping[str, Schema]) -> None:
        self.containers: dict[str, Schema] = {}
        self._namespace = namespace
        self._known = known

    def envelope(self, event: Record) -> str:
        fields = [dict(each.schema) for each in public_fields(event)]
        return self._container(envelope(event), "Envelope", fields)

    def body(self, event: Record, selection: Fields) -> str:
        return self._container(event, "Body", self._fields(selection), doc=_DOCS[BODY])

    def record(
        self, like: Record, name: str, fields: list[dict[str, Any]], **changes: Any
    ) -> dict[str, Any]:
        schema = dict(self._known[like.fullname])
        schema.pop("aliases", None)
        schema |= {"name": name, "namespace": self._namespace, "fields": fields, **changes}
        return schema

    def _container(
        self, like: Record, name: str, fields: list[dict[str, Any]], **changes: Any
    ) -> str:
        fullname = f"{self._namespace}.{name}"
        if fullname in self.containers:
            raise ConfigurationError(f"two parts of a view are both named `{name}` @ schema")
        self.containers[fullname] = self.record(like, name, fields, **changes)
        return fullname

    def _fields(self, selection: Fields) -> list[dict[str, Any]]:
        return [self._field(each) for each in selection.fields.values()]

    def _field(self, selected: Selected) -> dict[str, Any]:
        schema = {key: value for key, value in selected.field.schema.items() if key != "aliases"}
        if selected.reduction is None:
            branches = self._branches(selected.field.type, selected.what, schema["type"])
        else:
            branches = [selected.reduction.avro_type]
            schema["doc"] = f"{schema.get('doc', '')} Reduced: {selected.reduction}.".strip()
        return {**schema, "name": selected.name, "type": ["null", *branches], "default": None}

    def _branches(self, type_: Type, what: Selection, schema: Schema) -> list[Schema]:
        """Return the branches other than null of what is left of a type."""
        schemas = schema if isinstance(type_, Union) else [schema]
        if isinstance(what, Branches):
            return [
                branch
                for index, each in values_of(type_)
                if index in what.branches
                for branch in self._branches(each, what.branches[index], schemas[index])
            ]
        return [self._value(each, what, schemas[index]) for index, each in values_of(type_)]

    def _value(self, type_: Type, what: Selection, schema: Schema) -> Schema:
        if isinstance(what, Fields) and isinstance(type_, Record):
            return self._container(type_, container_name(what.path), self._fields(what))
        if isinstance(what, Items):
            part = "items" if isinstance(type_, Array) else "values"
            return {**schema, part: self._item(type_, what.item)}
        return schema

    def _item(self, type_: Type, what: Fields) -> Schema:
        item = item_of(type_)
        record = container(item)
        if record is None:
            raise ConfigurationError(f"no record inside @ {what.path}")
        name = self._container(record, container_name(what.path), self._fields(what))
        return ["null", name] if isinstance(item, Union) else name
