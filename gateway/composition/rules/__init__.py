"""The rules of composition, one a file, each a generator of ``CompositionError``. This is their table of contents.

``SUBGRAPH_RULES`` see one subgraph, ``MERGE_RULES`` the merged graph, ``SUPERGRAPH_RULES`` a merged graph without such faults.
When it is also a valid GraphQL schema (``graphql_validity``, on the rendered text), ``API_RULES`` look at what clients would see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.composition.merged import Merged
from gateway.composition.rules.authorization_on_interfaces import authorization_on_interfaces
from gateway.composition.rules.composed_directives import composed_directives
from gateway.composition.rules.contexts import context_names, context_uses, contextual_arguments
from gateway.composition.rules.demand import demand
from gateway.composition.rules.directive_arguments import directive_arguments
from gateway.composition.rules.enum_values import enum_values
from gateway.composition.rules.extension_bases import extension_bases
from gateway.composition.rules.external_fields import external_fields
from gateway.composition.rules.external_usage import external_usage
from gateway.composition.rules.field_sharing import field_sharing
from gateway.composition.rules.field_types import field_types
from gateway.composition.rules.inaccessible_elements import inaccessible_elements
from gateway.composition.rules.interface_fields import interface_fields
from gateway.composition.rules.interface_key_places import interface_key_places
from gateway.composition.rules.interface_keys import interface_keys
from gateway.composition.rules.interface_objects import (
    interface_object_implementations,
    interface_object_keys,
    interface_object_places,
)
from gateway.composition.rules.key_fields import key_fields
from gateway.composition.rules.kinds import kinds
from gateway.composition.rules.link_names import link_names
from gateway.composition.rules.override_usage import override_usage
from gateway.composition.rules.provides_fields import provides_fields
from gateway.composition.rules.queries import queries
from gateway.composition.rules.required_inputs import required_inputs
from gateway.composition.rules.requires_fields import requires_fields
from gateway.composition.rules.requires_in_supergraph import requires_in_supergraph
from gateway.composition.rules.shareable_usage import shareable_usage
from gateway.composition.rules.transitive_authorization import transitive_authorization
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError

SUBGRAPH_RULES: tuple[Callable[[Subgraph], Iterator[CompositionError]], ...] = (
    key_fields,
    requires_fields,
    provides_fields,
    external_usage,
    shareable_usage,
    interface_keys,
    interface_object_keys,
    authorization_on_interfaces,
    demand,
    context_names,
    context_uses,
)

MERGE_RULES: tuple[Callable[[Merged], Iterator[CompositionError]], ...] = (
    composed_directives,
    link_names,
    kinds,
    extension_bases,
    queries,
    interface_object_places,
    interface_key_places,
    override_usage,
    external_fields,
    field_types,
    required_inputs,
    directive_arguments,
    enum_values,
    field_sharing,
    contextual_arguments,
)

SUPERGRAPH_RULES: tuple[Callable[[Merged], Iterator[CompositionError]], ...] = (
    interface_fields,
    interface_object_implementations,
    requires_in_supergraph,
    transitive_authorization,
)

API_RULES: tuple[Callable[[Merged], Iterator[CompositionError]], ...] = (inaccessible_elements,)
