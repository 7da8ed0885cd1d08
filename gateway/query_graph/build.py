"""Supergraph → query graph. Only the tables; no judgement about which way is better."""

from __future__ import annotations

from gateway.query_graph.graph import EntityMove, FieldMove, QueryGraph, Strictness
from gateway.selection import FieldSet
from gateway.supergraph import Subgraph, Supergraph


def build(supergraph: Supergraph) -> QueryGraph:
    """The query graph of a supergraph; a pure function of it."""
    fields = {name: _fields(subgraph) for name, subgraph in supergraph.subgraphs.items()}
    objects = {name: _objects(supergraph, subgraph) for name, subgraph in supergraph.subgraphs.items()}
    stand_ins = {name: _stand_ins(supergraph, subgraph) for name, subgraph in supergraph.subgraphs.items()}
    entries: dict[str, dict[str, tuple[EntityMove, ...]]] = {}
    for type_name, types in supergraph.possible.items():
        if types == (type_name,):
            ways = {name: _ways(supergraph, subgraph, type_name) for name, subgraph in supergraph.subgraphs.items()}
            entries[type_name] = {name: found for name, found in ways.items() if found}
    return QueryGraph(
        supergraph=supergraph,
        subgraphs=tuple(supergraph.subgraphs),
        fields=fields,
        entries=entries,
        objects=objects,
        stand_ins=stand_ins,
        roots={root: kind for kind, root in supergraph.roots.items()},
        entered={
            kind: tuple(name for name, subgraph in supergraph.subgraphs.items() if kind in subgraph.roots)
            for kind in supergraph.roots
        },
        strictness=_strictness(supergraph),
        key_names=frozenset(
            name
            for subgraph in supergraph.subgraphs.values()
            for of in subgraph.types.values()
            for key in of.keys
            for name in _names(key.fields)
        ),
    )


def _strictness(supergraph: Supergraph) -> dict[tuple[str, str], Strictness]:
    found: dict[tuple[str, str], tuple[set[str], set[str], set[str]]] = {}
    for subgraph in supergraph.subgraphs.values():
        for of in subgraph.types.values():
            for each in supergraph.possible[of.name] if of.interface_object else (of.name,):
                for field in of.fields.values():
                    owners, strict, throughout = found.setdefault((each, field.name), (set(), set(), set()))
                    if field.external:
                        continue
                    owners.add(subgraph.name)
                    if not field.type.nullable:
                        strict.add(subgraph.name)
                        if field.type.text.count("!") == field.type.list_depth + 1:
                            throughout.add(subgraph.name)
    return {each: Strictness(*(frozenset(names) for names in where)) for each, where in found.items()}


def _names(fields: FieldSet) -> set[str]:
    return {name for each in fields for name in (each.name, *_names(each.fields))}


def _fields(subgraph: Subgraph) -> dict[str, dict[str, FieldMove]]:
    return {
        name: {
            field.name: FieldMove(
                name=field.name,
                type=field.type,
                external=field.external,
                requires=field.requires,
                provides=field.provides,
                contexts=field.contexts,
            )
            for field in known.fields.values()
        }
        for name, known in subgraph.types.items()
    }


def _objects(supergraph: Supergraph, subgraph: Subgraph) -> dict[str, tuple[str, ...]]:
    objects: dict[str, tuple[str, ...]] = {}
    for name, known in subgraph.types.items():
        if known.interface_object:
            objects[name] = supergraph.possible[name]
        else:
            objects[name] = subgraph.possible.get(name, (name,))
    return objects


def _stand_ins(supergraph: Supergraph, subgraph: Subgraph) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, known in subgraph.types.items():
        if known.interface_object:
            for object_type in supergraph.possible[name]:
                found.setdefault(object_type, name)
    return found


def _ways(supergraph: Supergraph, subgraph: Subgraph, object_type: str) -> tuple[EntityMove, ...]:
    """Ways into the object in this subgraph: by its own keys, by a stand-in's, by an interface's."""
    found: list[EntityMove] = []
    names = (object_type, *supergraph.implements.get(object_type, ()))
    for name in names:
        known = subgraph.types.get(name)
        if known is None:
            continue
        real_interface = name != object_type and not known.interface_object
        if real_interface and object_type not in subgraph.possible.get(name, ()):
            continue
        found.extend(
            EntityMove(
                typename=name,
                key=key.fields,
                generic=real_interface,
                nullable=_may_be_null(supergraph, object_type, key.fields),
            )
            for key in known.keys
            if key.resolvable
        )
    return tuple(found)


def _may_be_null(supergraph: Supergraph, object_type: str, key: FieldSet) -> bool:
    for item in key:
        of = supergraph.fields[object_type].get(item.name)
        if of is None or not supergraph.matches(object_type, item.on):
            continue
        if of.nullable or any(
            _may_be_null(supergraph, each, item.fields) for each in supergraph.possible.get(of.name, ()) if item.fields
        ):
            return True
    return False
