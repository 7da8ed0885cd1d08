"""An independent check that a plan is sound. Shares no code with the search: it believes the plan's text and the supergraph.

Theory of operation. The plan is *executed on types*: for every assignment of the operation's condition variables (or a
fixed number of them when there are many) each fetch's document is parsed and walked over a tree whose objects stand for
"an object of this runtime type may be here", noting which fetch brought which key. A fetch may only use what its own
ancestors brought. Afterwards the client's operation is walked over the same tree: what it finds missing is a problem. What
is in a deferred block counts only where that block, or one that is delivered before it, brought it.
Every document is also validated against the schema of its subgraph, as far as the supergraph tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise, product
from typing import Any, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    parse,
)
from graphql.language import BooleanValueNode

from gateway.operation import Field, Operation, ResponseKeys, Selection
from gateway.plan import (
    EACH,
    Condition,
    ContextVariable,
    EntityInput,
    Fetch,
    OperationKind,
    Path,
    QueryPlan,
    Representation,
    RequiredField,
    TypeFilter,
)
from gateway.planning.subgraph_schema import document_errors
from gateway.selection import FieldSet, print_arguments
from gateway.supergraph import Subgraph, SubgraphField, Supergraph

ASSIGNMENTS_MAX = 64

Assignment: TypeAlias = Mapping[str, bool]


@dataclass(slots=True)
class _Object:
    """An object of one runtime type that may be at one place."""

    type: str
    typename: set[int] = field(default_factory=set)
    """The fetches that told its ``__typename``."""
    leaves: dict[str, set[int]] = field(default_factory=dict)
    below: dict[str, _Place] = field(default_factory=dict)


@dataclass(slots=True)
class _Place:
    """The objects that may be under one key."""

    list_depth: int
    objects: dict[str, _Object]
    fetches: set[int] = field(default_factory=set)


def verify(plan: QueryPlan, operation: Operation, supergraph: Supergraph) -> list[str]:
    """What is wrong with the plan, one sentence each; empty when it is sound."""
    problems: dict[str, None] = {}
    fetches = [*([plan.subscription] if plan.subscription else []), *plan.fetches]
    _check_order(plan, operation, problems)
    for fetch in fetches:
        for message in document_errors(fetch, supergraph):
            problems[f"fetch {fetch.id} to {fetch.subgraph}: {message}"] = None
    names = sorted({name for name, _ in _conditions(operation.selections)})
    assignments = islice(product((True, False), repeat=len(names)), ASSIGNMENTS_MAX)
    for values in assignments:
        run = _Run(plan, operation, supergraph, dict(zip(names, values, strict=True)), problems)
        for fetch in fetches:
            run.fetch(fetch)
        run.check_client()
    return list(problems)


def _conditions(selections: Iterable[Selection]) -> Iterator[Condition]:
    for selection in selections:
        yield from selection.conditions
        yield from _conditions(selection.selections)


def _check_order(plan: QueryPlan, operation: Operation, problems: dict[str, None]) -> None:
    ancestors: dict[int, set[int]] = {}
    for fetch in plan.fetches:
        found: set[int] = set()
        for earlier in fetch.depends_on:
            if earlier not in ancestors:
                problems[f"fetch {fetch.id} waits for {earlier}, which does not precede it"] = None
                continue
            found |= {earlier} | ancestors[earlier]
        ancestors[fetch.id] = found
    block_of = {fetch.id: fetch.block for fetch in plan.fetches}
    for fetch in plan.fetches:
        for earlier in fetch.depends_on:
            if block_of.get(earlier, 0) not in operation.visible(fetch.block):
                problems[f"fetch {fetch.id} waits for {earlier}, which is for a block that is delivered later"] = None
    if operation.kind is not OperationKind.MUTATION:
        return
    roots = [fetch for fetch in plan.fetches if fetch.kind is OperationKind.MUTATION]
    for first, second in pairwise(roots):
        due = {first.id} | {
            each
            for each, before in ancestors.items()
            # What is deferred is nobody's to wait for.
            if first.id in before and second.id not in before and not block_of[each]
        }
        for each in sorted(due - ancestors[second.id] - {second.id}):
            problems[f"mutation fetch {second.id} does not wait for {each}, which belongs to an earlier root field"] = (
                None
            )
    asked: list[str] = []
    for fetch in roots:
        asked += dict.fromkeys(_key(node) for node in _fields(_operation(parse(fetch.document)).selection_set))
    for name in {name for name in asked if asked.count(name) > 1}:
        problems[f"mutation field {name} is called more than once"] = None
    order = list(dict.fromkeys(_root_keys(operation.selections)))
    if [key for key in order if key in asked] != list(dict.fromkeys(asked)):
        problems["mutation fields are not called in the client's order"] = None


def _root_keys(selections: Iterable[Selection], conditions: tuple[Condition, ...] = ()) -> Iterator[str]:
    for selection in selections:
        together = (*conditions, *selection.conditions)
        if len({name for name, _ in together}) < len(set(together)):
            continue  # One variable cannot be both true and false.
        if isinstance(selection, Field):
            yield selection.key
        else:
            yield from _root_keys(selection.selections, together)


def _operation(document: DocumentNode) -> OperationDefinitionNode:
    node = document.definitions[0]
    assert isinstance(node, OperationDefinitionNode)
    return node


def _fields(selections: SelectionSetNode | None) -> Iterator[FieldNode]:
    for node in selections.selections if selections else ():
        match node:
            case FieldNode():
                yield node
            case InlineFragmentNode():
                yield from _fields(node.selection_set)
            case _:
                continue


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _holds(node: FieldNode | InlineFragmentNode, assignment: Assignment) -> bool:
    for directive in node.directives or ():
        if directive.name.value in ("skip", "include") and directive.arguments:
            value = directive.arguments[0].value
            if isinstance(value, VariableNode):
                given = assignment.get(value.name.value, True)
            else:
                assert isinstance(value, BooleanValueNode)
                given = value.value
            if given != (directive.name.value == "include"):
                return False
    return True


class _Run:
    """The plan executed on types under one assignment of the condition variables."""

    def __init__(
        self,
        plan: QueryPlan,
        operation: Operation,
        supergraph: Supergraph,
        assignment: Assignment,
        problems: dict[str, None],
    ) -> None:
        self.supergraph = supergraph
        self.operation = operation
        self.assignment = assignment
        self.problems = problems
        self.root = _Object(operation.root_type)
        self.before: dict[int, frozenset[int]] = {}
        self.sent: set[int] = set()
        self.upstream = plan.subscription.id if plan.subscription else None
        upstream = {plan.subscription.id} if plan.subscription else set[int]()
        self.in_time = [
            upstream | {fetch.id for fetch in plan.fetches if fetch.block in operation.visible(block)}
            for block in range(len(operation.deferrals) + 1)
        ]
        """By block: the fetches that are done when it is delivered."""

    def problem(self, text: str) -> None:
        when = ", ".join(f"${name}={value}" for name, value in self.assignment.items())
        self.problems[text + (f" (when {when})" if when else "")] = None

    def fetch(self, fetch: Fetch) -> None:
        before = {each for earlier in fetch.depends_on for each in (earlier, *self.before.get(earlier, ()))}
        if self.upstream is not None and fetch.id != self.upstream:
            before.add(self.upstream)
        self.before[fetch.id] = frozenset(before)
        if fetch.guard and not any(
            all(self.assignment.get(name, True) == wanted for name, wanted in conjunction)
            for conjunction in fetch.guard
        ):
            return
        self.sent.add(fetch.id)
        body = _operation(parse(fetch.document)).selection_set
        subgraph = self.supergraph.subgraphs[fetch.subgraph]
        if not fetch.entities:
            for target in self.at(fetch, fetch.path):
                walker = _Walker(self, fetch, subgraph, {}, frozenset())
                walker.walk(body, target, target.type, (), ())
            return
        selections = {_key(node): node for node in _fields(body)}
        for entity in fetch.entities:
            node = selections.get(entity.alias)
            if node is None or node.name.value != "_entities":
                self.problem(f"fetch {fetch.id} has no _entities selection {entity.alias}")
                continue
            for path in entity.paths:
                for target in self.at(fetch, path):
                    self.entity(fetch, subgraph, entity, path, node, target)

    def entity(
        self, fetch: Fetch, subgraph: Subgraph, entity: EntityInput, path: Path, node: FieldNode, target: _Object
    ) -> None:
        representation = next(
            (each for each in entity.representations if not each.runtime_types or target.type in each.runtime_types),
            None,
        )
        if representation is None:
            return
        where = f"fetch {fetch.id} to {fetch.subgraph}"
        known = subgraph.types.get(representation.typename)
        if known is None:
            self.problem(f"{where} sends {representation.typename}, which that subgraph does not know")
            return
        if representation.runtime_types and not self.type_known(fetch, path, target):
            self.problem(f"{where} needs the __typename of {target.type}, which no earlier fetch told")
        if not all(self.context_available(fetch, path, context) for context in fetch.contexts):
            if self.before[fetch.id] <= self.sent:
                self.problem(f"{where} takes a context's value from where no earlier fetch brought it")
            return
        missing = [each.key for each in representation.fields if not self.available(fetch, target, each)]
        if missing:
            if self.before[fetch.id] <= self.sent:
                self.problem(f"{where} needs {', '.join(missing)} of {target.type}, which no earlier fetch brought")
            return
        for name in _ambiguous(representation.fields, self.operation.keys):
            self.problem(f"{where} sends two values as {name} in one representation")
        given = _given(representation.fields)
        if not any(key.resolvable and _covers(given, key.fields) for key in known.keys):
            self.problem(f"{where} sends {representation.typename} without any of its keys")
        if known.interface_object:
            known_as = representation.typename
        elif target.type in subgraph.types:
            known_as = target.type
        else:
            # An interface entered by its key answers with a type the subgraph knows: such an object is not here.
            return
        if not known.interface_object and representation.typename != known_as:
            possible = subgraph.possible.get(representation.typename, ())
            if known_as not in possible:
                return
        _Walker(self, fetch, subgraph, given, frozenset({known_as, representation.typename})).walk(
            node.selection_set, target, known_as, (), (), entry=representation
        )

    def type_known(self, fetch: Fetch, path: Path, target: _Object) -> bool:
        if self.single(path):
            return True
        return bool(target.typename & self.before[fetch.id])

    def single(self, path: Path) -> bool:
        """Whether the schema alone tells the object's type at the path."""
        static = self.operation.root_type
        for segment in path:
            if isinstance(segment, TypeFilter):
                static = segment.types[0]
            elif segment != EACH:
                owner = static if static not in self.supergraph.abstract else None
                names = [name for (name, _), key in self.operation.keys.known.items() if key == segment]
                if owner is None:
                    candidates = {
                        self.supergraph.fields[each][names[0]].name
                        for each in self.supergraph.possible[static]
                        if names[0] in self.supergraph.fields[each]
                    }
                    if len(candidates) != 1:
                        return False
                    static = candidates.pop()
                else:
                    static = self.supergraph.fields[owner][names[0]].name
        return static not in self.supergraph.abstract

    def available(self, fetch: Fetch, target: _Object, required: RequiredField) -> bool:
        if required.only_types and target.type not in required.only_types:
            return True
        if required.key == "__typename":
            return bool(target.typename & self.before[fetch.id])
        if not required.fields:
            return bool(target.leaves.get(required.key, set()) & self.before[fetch.id])
        place = target.below.get(required.key)
        if place is None or not place.fetches & self.before[fetch.id]:
            return False
        for each in place.objects.values():
            if any(inner.only_types for inner in required.fields) and len(place.objects) > 1 and not each.typename:
                return False
            if not all(self.available(fetch, each, inner) for inner in required.fields):
                return False
        return True

    def context_available(self, fetch: Fetch, path: Path, context: ContextVariable) -> bool:
        """Whether every object that may enclose the fetch's entities at a source's place has the value."""
        for source in context.sources:
            above = path[: source.path_length]
            for each in self.at(fetch, above):
                if source.runtime_types and not self.type_known(fetch, above, each):
                    return False
                if source.runtime_types and each.type not in source.runtime_types:
                    continue
                if not all(self.available(fetch, each, required) for required in source.fields):
                    return False
        return True

    def at(self, fetch: Fetch, path: Path) -> list[_Object]:
        """The objects at a path, as far as this fetch's ancestors brought them."""
        found = [self.root]
        lists = 0
        allowed: tuple[str, ...] | None = None
        for segment in path:
            if isinstance(segment, TypeFilter):
                for each in found:
                    if each.type in segment.types and len(found) > 1 and not each.typename & self.before[fetch.id]:
                        self.problem(f"fetch {fetch.id}: its path asks for the type of {each.type}, which nobody told")
                allowed = segment.types
            elif segment == EACH:
                lists -= 1
            else:
                if lists and found:
                    self.problem(f"fetch {fetch.id}: its path {path} has too few or too many list segments")
                following: list[_Object] = []
                for each in found:
                    place = each.below.get(segment)
                    if allowed is not None and each.type not in allowed:
                        continue
                    if place is not None and place.fetches & self.before[fetch.id]:
                        following += place.objects.values()
                        lists = place.list_depth
                found, allowed = following, None
        if lists and found:
            self.problem(f"fetch {fetch.id}: its path {path} does not reach the items of a list")
        return found

    def check_client(self) -> None:
        self.check(self.operation.selections, self.root, self.operation.root_type, self.operation.root_type, 0)

    def check(self, selections: Iterable[Selection], target: _Object, static: str, where: str, block: int) -> None:
        in_time = self.in_time[block]
        for selection in selections:
            if any(self.assignment.get(name, True) != wanted for name, wanted in selection.conditions):
                continue
            if not isinstance(selection, Field):
                if selection.on is None or target.type in self.supergraph.possible[selection.on]:
                    inner = selection.deferral.id if selection.deferral else block
                    self.check(selection.selections, target, static, where, inner)
                continue
            if selection.name == "__typename":
                if static in self.supergraph.abstract and not target.typename & in_time:
                    self.problem(f"{where}: nobody tells the __typename of {target.type}")
                continue
            if selection.name.startswith("__"):
                continue
            of = self.supergraph.fields[target.type][selection.name]
            if of.name not in self.supergraph.possible:
                if not target.leaves.get(selection.key, set()) & in_time:
                    self.problem(f"{where}.{selection.name} of {target.type} is not fetched")
                continue
            place = target.below.get(selection.key)
            if place is None or not place.fetches & in_time:
                self.problem(f"{where}.{selection.name} of {target.type} is not fetched")
                continue
            for each in place.objects.values():
                self.check(selection.selections, each, of.name, f"{where}.{selection.name}", block)


class _Walker:
    """One document walked over the tree, for one target object."""

    def __init__(
        self, run: _Run, fetch: Fetch, subgraph: Subgraph, given: Mapping[str, Any], entered: frozenset[str]
    ) -> None:
        self.run = run
        self.fetch = fetch
        self.subgraph = subgraph
        self.given = given
        self.entered = entered

    def walk(
        self,
        body: SelectionSetNode | None,
        target: _Object,
        known_as: str,
        view: FieldSet,
        path: Path,
        entry: Representation | None = None,
    ) -> None:
        for node in body.selections if body else ():
            assert isinstance(node, FieldNode | InlineFragmentNode)
            if not _holds(node, self.run.assignment):
                continue
            if isinstance(node, InlineFragmentNode):
                on = node.type_condition.name.value if node.type_condition else None
                if on is None or self.passes(known_as, on):
                    self.walk(node.selection_set, target, known_as, view, path, entry)
            else:
                self.field(node, target, known_as, view, path, entry)

    def passes(self, known_as: str, on: str) -> bool:
        return on == known_as or known_as in self.subgraph.possible.get(on, ())

    def field(
        self,
        node: FieldNode,
        target: _Object,
        known_as: str,
        view: FieldSet,
        path: Path,
        entry: Representation | None,
    ) -> None:
        name, key = node.name.value, _key(node)
        where = f"fetch {self.fetch.id} to {self.subgraph.name}: {known_as}.{name}"
        if name == "__typename":
            if self.subgraph.types[known_as].interface_object:
                if key == "__typename":
                    self.run.problem(f"{where} would be the name of an @interfaceObject")
            elif known_as in self.run.supergraph.roots.values():
                if key == "__typename":
                    self.run.problem(f"{where} would be the subgraph's own name of its root type")
            elif key == "__typename":
                target.typename.add(self.fetch.id)
            return
        for rename in self.fetch.renames:
            if (
                rename.path == path
                and rename.source == key
                and (not rename.only_types or target.type in rename.only_types or known_as in rename.only_types)
            ):
                key = rename.target
                break
        of = self.subgraph.types[known_as].fields.get(name)
        if of is None:
            self.run.problem(f"{where} does not exist there")
            return
        provided = [item for item in view if item.name == name and self.applies(target.type, known_as, item.on)]
        if of.external and not provided:
            self.run.problem(f"{where} is external there")
        if of.requires and not provided:
            self.check_requires(of, target, where, entry)
        filled = {context.argument for context in of.contexts}
        given = {argument.name.value: argument for argument in node.arguments or ()}
        for argument in sorted(filled - given.keys()):
            self.run.problem(f"{where} is asked without {argument}, which comes from a context")
        client_arguments = tuple(argument for name, argument in given.items() if name not in filled)
        canonical = self.run.operation.keys.all(name, print_arguments(client_arguments))
        if key not in canonical:
            self.run.problem(f"{where} is asked as {key}, its canonical key is {' or '.join(sorted(canonical))}")
        if of.type.name not in self.run.supergraph.possible:
            target.leaves.setdefault(key, set()).add(self.fetch.id)
            return
        inner_view = of.provides + tuple(each for item in provided for each in item.fields)
        self.below(node, target, of, key, inner_view, path)

    def applies(self, object_type: str, known_as: str, on: str | None) -> bool:
        return on is None or on in (object_type, known_as) or object_type in self.run.supergraph.possible.get(on, ())

    def check_requires(self, of: SubgraphField, target: _Object, where: str, entry: Representation | None) -> None:
        if entry is None:
            self.run.problem(f"{where} requires fields, but is not asked of a representation")
            return
        wanted = tuple(item for item in of.requires if self.applies(target.type, target.type, item.on))
        if not _covers(_given(entry.fields), wanted):
            self.run.problem(f"{where} requires fields that its representation does not carry")

    def below(self, node: FieldNode, target: _Object, of: SubgraphField, key: str, view: FieldSet, path: Path) -> None:
        static = self.subgraph.types.get(of.type.name)
        if static is None:
            self.run.problem(f"{self.subgraph.name} does not know {of.type.name}")
            return
        stand_in = static.interface_object
        if stand_in:
            types = self.run.supergraph.possible[static.name]
        else:
            types = self.subgraph.possible.get(static.name, (static.name,))
        place = target.below.get(key)
        if place is None:
            place = target.below[key] = _Place(of.type.list_depth, {each: _Object(each) for each in types})
        elif set(place.objects) - set(types):
            # Both subgraphs answered with the same object, so it is of a type both know.
            place.objects = {each: found for each, found in place.objects.items() if each in types}
        place.fetches.add(self.fetch.id)
        inner_path = (*path, key, *((EACH,) * of.type.list_depth))
        body = node.selection_set
        for each, found in place.objects.items():
            inner = _Walker(self.run, self.fetch, self.subgraph, {}, frozenset())
            inner.walk(body, found, static.name if stand_in else each, view, inner_path)


def _ambiguous(fields: Iterable[RequiredField], keys: ResponseKeys) -> Iterator[str]:
    """Names for which two values are sent; of one thing that is asked for under two keys both are in it."""
    found: dict[str, str] = {}
    for each in fields:
        first = found.setdefault(each.name, each.key)
        if not each.only_types and not keys.same(first, each.key):
            yield each.name
        yield from _ambiguous(each.fields, keys)


def _given(fields: Iterable[RequiredField]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for each in fields:
        given.setdefault(each.name, {}).update(_given(each.fields))
    return given


def _covers(given: Mapping[str, Any], wanted: FieldSet) -> bool:
    return all(
        item.name == "__typename" or (item.name in given and _covers(given[item.name], item.fields)) for item in wanted
    )
