"""Small changes of a supergraph, each giving the supergraph that would result. Whether one helps is for ``explain`` to measure.

Only the planner's view changes: the API schema and the SDL stay what they were. None means that the change is not small:
it would take types with it that the subgraph does not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from gateway.planning.needs import TYPENAME, Need
from gateway.selection import FieldSet, SetField, print_field_set
from gateway.supergraph import Key, Subgraph, SubgraphField, SubgraphType, Supergraph


def resolved(supergraph: Supergraph, subgraph: str, known_as: str, need: Need, like: str) -> Supergraph | None:
    """The subgraph resolves the field too, with the values below it, as the subgraph ``like`` does."""
    known = supergraph.subgraphs[subgraph].types.get(known_as)
    model = _field_of(supergraph, like, (known_as, *supergraph.implements.get(known_as, ())), need.name)
    if known is None or model is None or need.name == TYPENAME:
        return None
    mine = known.fields.get(need.name)
    target = model.type.name
    if mine is None or mine.external:
        field = SubgraphField(name=need.name, type=mine.type if mine else model.type)
        supergraph = _with_type(supergraph, subgraph, replace(known, fields={**known.fields, need.name: field}))
    if need.below is None:
        return supergraph
    there = supergraph.subgraphs[subgraph].types.get(target)
    if there is None:
        copied = supergraph.subgraphs[like].types[target]
        if copied.keys or target in supergraph.abstract:
            return None
        supergraph = _with_type(supergraph, subgraph, SubgraphType(name=target, fields={}))
    elif there.keys:
        return supergraph  # An entity: what is below it can be had elsewhere.
    for types, inner in need.below:
        if types != (target,):
            return None
        found = resolved(supergraph, subgraph, target, inner, like)
        if found is None:
            return None
        supergraph = found
    return supergraph


def withdrawn(supergraph: Supergraph, subgraph: str, type_name: str, name: str) -> Supergraph:
    """The subgraph no longer resolves the field."""
    field = supergraph.subgraphs[subgraph].types[type_name].fields[name]
    return _with_field(supergraph, subgraph, type_name, replace(field, external=True))


def provided(
    supergraph: Supergraph, subgraph: str, parents: Iterable[str], parent: str, known_as: str, names: Iterable[str]
) -> Supergraph | None:
    """``@provides`` of these leaves on the parent field, the fields being ``@external`` there."""
    known = supergraph.subgraphs[subgraph].types[known_as]
    fields = dict(known.fields)
    given: FieldSet = ()
    for name in names:
        given += (SetField(name=name),)
        if name not in fields:
            of = supergraph.fields[known_as].get(name)
            if of is None:
                return None
            fields[name] = SubgraphField(name=name, type=of, external=True)
    supergraph = _with_type(supergraph, subgraph, replace(known, fields=fields))
    for each in parents:
        field = supergraph.subgraphs[subgraph].types[each].fields[parent]
        supergraph = _with_field(supergraph, subgraph, each, replace(field, provides=field.provides + given))
    return supergraph


def keyed(supergraph: Supergraph, subgraph: str, type_name: str, key: FieldSet) -> Supergraph | None:
    """The subgraph can be entered by this key too; its fields must be leaves."""
    known = supergraph.subgraphs[subgraph].types.get(type_name)
    if known is None or any(item.fields or item.name not in supergraph.fields[type_name] for item in key):
        return None
    fields = dict(known.fields)
    for item in key:
        mine = fields.get(item.name)
        if mine is None or mine.external:
            fields[item.name] = SubgraphField(name=item.name, type=supergraph.fields[type_name][item.name])
    keys = (*known.keys, Key(fields=key, text=print_field_set(key), resolvable=True))
    return _with_type(supergraph, subgraph, replace(known, keys=keys, fields=fields))


def opened(supergraph: Supergraph, subgraph: str, type_name: str) -> Supergraph:
    """The subgraph's keys of the type are resolvable."""
    known = supergraph.subgraphs[subgraph].types[type_name]
    keys = tuple(replace(key, resolvable=True) for key in known.keys)
    return _with_type(supergraph, subgraph, replace(known, keys=keys))


def relieved(supergraph: Supergraph, subgraph: str, type_name: str, name: str, leaf: str) -> Supergraph:
    """The field no longer requires the leaf, since the subgraph resolves it itself."""
    field = supergraph.subgraphs[subgraph].types[type_name].fields[name]
    kept = tuple(item for item in field.requires if item.name != leaf)
    return _with_field(supergraph, subgraph, type_name, replace(field, requires=kept))


def _field_of(supergraph: Supergraph, subgraph: str, names: Iterable[str], field: str) -> SubgraphField | None:
    types = supergraph.subgraphs[subgraph].types
    return next((types[name].fields[field] for name in names if name in types and field in types[name].fields), None)


def _with_field(supergraph: Supergraph, subgraph: str, type_name: str, changed: SubgraphField) -> Supergraph:
    known = supergraph.subgraphs[subgraph].types[type_name]
    return _with_type(supergraph, subgraph, replace(known, fields={**known.fields, changed.name: changed}))


def _with_type(supergraph: Supergraph, subgraph: str, changed: SubgraphType) -> Supergraph:
    before = supergraph.subgraphs[subgraph]
    after: Subgraph = replace(before, types={**before.types, changed.name: changed})
    return replace(supergraph, subgraphs=MappingProxyType({**supergraph.subgraphs, subgraph: after}))
