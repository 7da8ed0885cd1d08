"""The merged graph as composition builds it: every type, field, argument and value with the subgraphs it comes from.

Notes only. How they come about is ``merge.py``; whether they are acceptable is ``rules``; how they read is ``render.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from graphql import (
    ConstValueNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLType,
)
from graphql.language import Node

from gateway.composition.links import Link
from gateway.composition.result import Hint
from gateway.composition.subgraph import Subgraph


class Kind(Enum):
    OBJECT = "type"
    INTERFACE = "interface"
    UNION = "union"
    ENUM = "enum"
    INPUT = "input"
    SCALAR = "scalar"


@dataclass(frozen=True, slots=True)
class Context:
    """One ``@fromContext``: the argument is filled from a selection on an enclosing object that set ``context``."""

    argument: str
    type: str
    context: str
    selection: str


@dataclass(slots=True, kw_only=True)
class FieldSource:
    """One subgraph's declaration of a field, and what has become of it."""

    subgraph: Subgraph
    holder: GraphQLObjectType | GraphQLInterfaceType
    field: GraphQLField
    external: bool
    override_from: str | None = None
    override_label: str | None = None
    overridden_by: str | None = None
    """The subgraph whose ``@override`` took the field over (for the labelled share of requests, if there is a label)."""
    still_used: bool = False
    """Overridden, yet the subgraph's own keys, requirements or interfaces still mention it."""
    contexts: tuple[Context, ...] = ()

    @property
    def node(self) -> Node | None:
        return self.field.ast_node

    @property
    def resolves(self) -> bool:
        """Whether the subgraph answers this field, at least sometimes and at least along some path."""
        return self.overridden_by is None or self.override_label is not None

    @property
    def dropped(self) -> bool:
        """Whether the supergraph forgets this declaration altogether."""
        return not self.resolves and not self.still_used


@dataclass(slots=True, kw_only=True)
class InputSource:
    subgraph: Subgraph
    value: GraphQLArgument | GraphQLInputField

    @property
    def node(self) -> Node | None:
        return self.value.ast_node

    @property
    def default(self) -> ConstValueNode | None:
        return self.value.ast_node.default_value if self.value.ast_node else None


@dataclass(slots=True, kw_only=True)
class MergedInput:
    """An argument or an input field. ``kept`` is false when some subgraph does not know it."""

    name: str
    coordinate: str
    sources: list[InputSource]
    lacking: list[Subgraph]
    type: GraphQLType | None
    types_differ: bool
    default: str | None
    defaults_conflict: bool
    kept: bool


@dataclass(slots=True, kw_only=True)
class MergedField:
    """An output field. ``type`` is None when the subgraphs' types have nothing in common."""

    name: str
    coordinate: str
    sources: list[FieldSource]
    lacking: list[Subgraph]
    type: GraphQLType | None
    types_differ: bool
    arguments: dict[str, MergedInput]
    from_interface_object: bool = False
    """Contributed (also) by a subgraph that knows the holder only through an ``@interfaceObject``."""

    @property
    def owned(self) -> list[FieldSource]:
        return [source for source in self.sources if not source.external]

    @property
    def live(self) -> list[FieldSource]:
        return [source for source in self.sources if not source.external and not source.dropped]


@dataclass(slots=True, kw_only=True)
class MergedValue:
    name: str
    coordinate: str
    sources: list[tuple[Subgraph, Node | None]]
    lacking: list[Subgraph]
    kept: bool = True


@dataclass(slots=True, kw_only=True)
class MergedType:
    name: str
    kind: Kind
    sources: list[tuple[Subgraph, GraphQLNamedType]]
    fields: dict[str, MergedField] = field(default_factory=dict)
    inputs: dict[str, MergedInput] = field(default_factory=dict)
    values: dict[str, MergedValue] = field(default_factory=dict)
    members: dict[str, list[Subgraph]] = field(default_factory=dict)
    interfaces: dict[str, list[Subgraph]] = field(default_factory=dict)

    @property
    def subgraphs(self) -> list[Subgraph]:
        return [subgraph for subgraph, _ in self.sources]


@dataclass(slots=True, kw_only=True)
class MergedDirective:
    """A directive definition that reaches the API (executable) or is carried by ``@composeDirective``."""

    name: str
    definition: str
    link: Link | None = None
    """The specification it belongs to, when composed."""
    imported: str = ""
    """Its entry in that link's imports."""
    composed_from: dict[str, str] = field(default_factory=dict)
    """Subgraph name → the directive's local name there; empty for executable directives."""
    repeatable: bool = False


@dataclass(slots=True, kw_only=True)
class Merged:
    """The whole. ``kind_conflicts`` are types left out because the subgraphs disagree on what they are."""

    subgraphs: tuple[Subgraph, ...]
    types: dict[str, MergedType]
    kind_conflicts: dict[str, dict[str, list[Subgraph]]]
    directives: dict[str, MergedDirective]
    hints: list[Hint]

    def subgraph(self, name: str) -> Subgraph | None:
        return next((subgraph for subgraph in self.subgraphs if subgraph.name == name), None)
