"""What one contract's clients may know: the API schema of their view, and where it has fewer types than the supergraph.

What belongs here: the views of a supergraph, and asking for an object's type wherever it may be a hidden one. What does
not: cutting a view out (``gateway.contracts``), and choosing one for a request (``pipeline``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from graphql import GraphQLSchema, is_abstract_type

from gateway.config import Contract
from gateway.contracts import contract_schema
from gateway.errors import CompositionError, ContractInvalid
from gateway.operation import Field, Operation, Selection
from gateway.supergraph import Supergraph

ContractId: TypeAlias = str | None
"""The contract's name; None is the whole API schema."""

_TYPENAME = Field(name="__typename", response_key="__typename", key="__typename")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A supergraph's API schema, whole or cut by a contract."""

    schema: GraphQLSchema
    narrowed: frozenset[str]
    """Its interfaces and unions that may turn out to be of a type it does not show."""

    def telling(self, operation: Operation, supergraph: Supergraph) -> Operation:
        """The operation, asking for the type of what may be of a hidden type: the projection refuses such an object, which
        it could not do by the fields that all possible types share."""
        if not self.narrowed:
            return operation
        return replace(operation, selections=self._told(operation.selections, operation.root_type, supergraph))

    def _told(self, selections: tuple[Selection, ...], parent: str, supergraph: Supergraph) -> tuple[Selection, ...]:
        found: list[Selection] = []
        for each in selections:
            if isinstance(each, Field):
                if each.selections and not each.name.startswith("__"):
                    result = supergraph.fields[parent][each.name].name
                    below = self._told(each.selections, result, supergraph)
                    each = replace(each, selections=(_TYPENAME, *below) if result in self.narrowed else below)
            else:
                each = replace(each, selections=self._told(each.selections, each.on or parent, supergraph))
            found.append(each)
        return tuple(found)


def views_of(supergraph: Supergraph, contracts: Mapping[str, Contract]) -> dict[ContractId, View]:
    """The whole and the view of every contract. Raises ContractInvalid with what is wrong with any of them."""
    found: dict[ContractId, View] = {None: _view(supergraph)}
    wrong: list[CompositionError] = []
    for name, contract in contracts.items():
        try:
            cut = contract_schema(supergraph, contract.include, contract.exclude, contract.hide_unreachable)
        except ContractInvalid as invalid:
            wrong += [
                CompositionError(each.published_code, f"Contract {name!r}: {each.message}", coordinate=each.coordinate)
                for each in invalid.errors
            ]
        else:
            found[name] = _view(cut)
    if wrong:
        raise ContractInvalid(tuple(wrong))
    return found


def _view(supergraph: Supergraph) -> View:
    schema = supergraph.api_schema
    return View(
        schema=schema,
        narrowed=frozenset(
            name
            for name, of in schema.type_map.items()
            if is_abstract_type(of)
            and not {each.name for each in schema.get_possible_types(of)}.issuperset(supergraph.possible.get(name, ()))
        ),
    )
