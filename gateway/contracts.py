"""Contracts: a view of one supergraph for some of its clients, cut out by ``@tag`` (an agent's view, a partner's view).

What belongs here: from a supergraph and tags to the API schema of the view, or everything that makes it impossible.
What does not: who gets which view (pipeline), and plans: only the API schema is narrowed, so the planner still finds
its way through keys that the view's clients never see.

The rules, in their order:

1. *Excluded tags win.* Whatever carries one is hidden. The fields of a type carry the type's tags too; what implements
   an interface's field or argument carries the excluded tags of that.
2. *With included tags* a field of an object or interface needs one, its own or its type's. Values of enums and fields of
   inputs need one where somebody gave one to any of them or to the type; where nobody did, those without a tag stay.
   A tag nobody included says "for somebody else": such arguments, scalars, unions, values and input fields are hidden.
   A union without a tag stays where a visible field returns it.
3. A type with nothing visible in it is hidden; on request also what cannot be reached from the root types.
4. What is hidden counts as ``@inaccessible``, and what stays visible must not lean on it. All faults are reported.

Objects of a hidden type that a subgraph returns at a visible interface are null with an error, as Apollo has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from graphql import (
    ConstDirectiveNode,
    DirectiveDefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumValueNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    ObjectValueNode,
    ScalarTypeDefinitionNode,
    SchemaDefinitionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    parse,
    validate_schema,
    value_from_ast_untyped,
)

from gateway.errors import CompositionError, ContractInvalid
from gateway.supergraph import Supergraph, api_schema, is_executable, linked_name

Composite: TypeAlias = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode
_COMPOSITE: Final = (ObjectTypeDefinitionNode, InterfaceTypeDefinitionNode)


def contract_schema(
    supergraph: Supergraph | str,
    include: frozenset[str] = frozenset(),
    exclude: frozenset[str] = frozenset(),
    hide_unreachable: bool = False,
) -> Supergraph:
    """The supergraph with the view's API schema in place of its own. Raises ContractInvalid with all that is wrong."""
    whole = Supergraph.parse(supergraph) if isinstance(supergraph, str) else supergraph
    document = parse(whole.sdl, no_location=True)
    both = sorted(include & exclude)
    if both:
        raise ContractInvalid(
            tuple(
                CompositionError("INPUT_VALIDATION", f"The tag {_quoted([tag])} is both included and excluded: choose.")
                for tag in both
            )
        )
    marked = _Cutter(document, include, exclude).cut(hide_unreachable)
    schema = api_schema(marked)
    wrong = validate_schema(schema)
    if wrong:
        raise ContractInvalid(tuple(CompositionError("INVALID_GRAPHQL", error.message) for error in wrong))
    return replace(whole, api_schema=schema)


def tags_of(supergraph: Supergraph) -> frozenset[str]:
    """Every tag that anything of the supergraph carries."""
    cutter = _Cutter(parse(supergraph.sdl, no_location=True), frozenset(), frozenset())
    return frozenset(tag for nodes in cutter.nodes.values() for tag in cutter.tags(nodes))


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why something is hidden."""

    why: str
    remedy: str
    """What would let it in again; ``{}`` stands for its coordinate."""
    tag: str | None = None
    """The excluded tag, if that is it."""


_MARKED: Final = _Cause("it is @inaccessible", 'take @inaccessible from "{}"')
_UNREACHABLE: Final = _Cause("nothing visible leads to it", 'let something visible lead to "{}"')


class _Cutter:
    """One cutting of one document; thrown away afterwards. What is hidden is kept by coordinate, with its cause."""

    def __init__(self, document: DocumentNode, include: frozenset[str], exclude: frozenset[str]) -> None:
        self.document = document
        self.include = include
        self.exclude = exclude
        self.tag = linked_name(document, "tag")
        self.inaccessible = linked_name(document, "inaccessible")
        tagging = (
            f'tag something in "{{}}" with {_quoted(include, " or ")}' if include else 'leave something in "{}" visible'
        )
        self.empty = _Cause("nothing in it is visible", tagging)
        self.types = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, TypeDefinitionNode) and "__" not in node.name.value
        }
        self.nodes = dict(_elements(self.types))
        self.hidden = {coordinate: _MARKED for coordinate, node in self.nodes.items() if _has(node, self.inaccessible)}
        schema = next(node for node in document.definitions if isinstance(node, SchemaDefinitionNode))
        self.roots = {item.type.name.value: item.operation.value for item in schema.operation_types}

    def cut(self, hide_unreachable: bool) -> DocumentNode:
        for name, node in self.types.items():
            self.judge_type(name, node)
        self.judge_unions()
        self.hide_empty()
        if hide_unreachable:
            self.hide_unreachable()
        faults = tuple(self.faults())
        if faults:
            raise ContractInvalid(faults)
        return self.marked()

    def judge_type(self, name: str, node: TypeDefinitionNode) -> None:
        own = self.tags(node)
        if isinstance(node, _COMPOSITE):
            self.judge(name, own, needs_tag=False, tagged_means_others=False)
            for field in node.fields or ():
                place = f"{name}.{field.name.value}"
                inherited = own | self.tags(field)
                self.judge(place, inherited, needs_tag=True, also=self.tags_above(node, field.name.value))
                for argument in field.arguments or ():
                    above = self.tags_above(node, f"{field.name.value}({argument.name.value}:)")
                    self.judge(f"{place}({argument.name.value}:)", self.tags(argument), also=above)
        elif isinstance(node, EnumTypeDefinitionNode | InputObjectTypeDefinitionNode):
            self.judge(name, own, tagged_means_others=False)
            members = {f"{name}.{member.name.value}": self.tags(member) for member in _members(node)}
            chosen = bool(self.include & own.union(*members.values()))
            for place, tags in members.items():
                self.judge(place, own | tags, needs_tag=chosen)
        elif isinstance(node, ScalarTypeDefinitionNode):
            self.judge(name, own)

    def judge(
        self,
        coordinate: str,
        tags: frozenset[str],
        *,
        needs_tag: bool = False,
        tagged_means_others: bool = True,
        also: frozenset[str] = frozenset(),
    ) -> None:
        """Hides what carries an excluded tag, and what lacks an included one where that is asked."""
        if coordinate in self.hidden:
            return
        excluded = sorted((tags | also) & self.exclude)
        if excluded:
            tag = excluded[0]
            who, whom = ("it", '"{}"') if tag in tags else ("what it implements", 'what "{}" implements')
            self.hidden[coordinate] = _Cause(
                f"{who} carries the excluded tag {_quoted([tag])}", f"take {_quoted([tag])} from {whom}", tag
            )
        elif self.include and not tags & self.include and (needs_tag or (tagged_means_others and tags)):
            self.hidden[coordinate] = _Cause(
                f"it carries no included tag ({_quoted(self.include)})",
                f'tag "{{}}" with {_quoted(self.include, " or ")}',
            )

    def judge_unions(self) -> None:
        returned = {
            _named(field.type)
            for name, node in self.types.items()
            if isinstance(node, _COMPOSITE) and name not in self.hidden
            for field in node.fields or ()
            if f"{name}.{field.name.value}" not in self.hidden
        }
        for name, node in self.types.items():
            if isinstance(node, UnionTypeDefinitionNode):
                self.judge(name, self.tags(node), needs_tag=name not in returned)

    def tags_above(self, node: Composite, member: str) -> frozenset[str]:
        """The tags that the same field or argument carries on the interfaces of a type; theirs alone, not the interfaces'."""
        places = (f"{interface.name.value}.{member}" for interface in node.interfaces or ())
        return frozenset(tag for place in places if place in self.nodes for tag in self.tags(self.nodes[place]))

    def hide_empty(self) -> None:
        for name, node in self.types.items():
            if not isinstance(node, UnionTypeDefinitionNode | ScalarTypeDefinitionNode) and all(
                f"{name}.{member.name.value}" in self.hidden for member in _members(node)
            ):
                self.hidden.setdefault(name, self.empty)
        # After the objects, which are what unions are made of.
        for name, node in self.types.items():
            if isinstance(node, UnionTypeDefinitionNode) and all(
                member.name.value in self.hidden for member in node.types or ()
            ):
                self.hidden.setdefault(name, self.empty)

    def hide_unreachable(self) -> None:
        reached: set[str] = set()
        expanded: set[str] = set()
        waiting = [(name, True) for name in self.roots]
        waiting += [
            (_named(argument.type), True)
            for node in self.document.definitions
            if isinstance(node, DirectiveDefinitionNode) and is_executable(node)
            for argument in node.arguments or ()
        ]
        while waiting:
            # An object's interfaces stay with it, but do not bring their other implementations.
            name, as_position = waiting.pop()
            node = self.types.get(name)
            if node is None or name in self.hidden:
                continue
            if as_position and name not in expanded and isinstance(node, InterfaceTypeDefinitionNode):
                expanded.add(name)
                waiting += [(each, True) for each in self.implementing(name)]
            if name not in reached:
                reached.add(name)
                waiting += self.leads_to(name, node)
        for name in self.types:
            if name not in reached:
                self.hidden.setdefault(name, _UNREACHABLE)

    def leads_to(self, name: str, node: TypeDefinitionNode) -> Iterator[tuple[str, bool]]:
        match node:
            case UnionTypeDefinitionNode():
                yield from ((member.name.value, True) for member in node.types or ())
            case InputObjectTypeDefinitionNode():
                for item in node.fields or ():
                    if f"{name}.{item.name.value}" not in self.hidden:
                        yield _named(item.type), True
            case ObjectTypeDefinitionNode() | InterfaceTypeDefinitionNode():
                yield from ((interface.name.value, False) for interface in node.interfaces or ())
                for field in node.fields or ():
                    place = f"{name}.{field.name.value}"
                    if place not in self.hidden:
                        yield _named(field.type), True
                        for argument in field.arguments or ():
                            if f"{place}({argument.name.value}:)" not in self.hidden:
                                yield _named(argument.type), True

    def implementing(self, interface: str) -> Iterator[str]:
        for name, node in self.types.items():
            if isinstance(node, _COMPOSITE) and any(each.name.value == interface for each in node.interfaces or ()):
                yield name

    def faults(self) -> Iterator[CompositionError]:
        for name, node in self.types.items():
            if name in self.hidden:
                if self.roots.get(name) == "query":
                    yield self.fault("QUERY_ROOT_TYPE_INACCESSIBLE", name, "is hidden, and a view needs a query")
            elif isinstance(node, _COMPOSITE):
                for field in node.fields or ():
                    yield from self.field_faults(name, node, field)
            elif isinstance(node, InputObjectTypeDefinitionNode):
                for item in node.fields or ():
                    yield from self.input_faults(f"{name}.{item.name.value}", item)
        for directive in self.document.definitions:
            if isinstance(directive, DirectiveDefinitionNode) and is_executable(directive):
                for argument in directive.arguments or ():
                    yield from self.input_faults(f"@{directive.name.value}({argument.name.value}:)", argument)

    def field_faults(self, name: str, node: Composite, field: Any) -> Iterator[CompositionError]:
        place = f"{name}.{field.name.value}"
        interfaces = [each.name.value for each in node.interfaces or () if each.name.value not in self.hidden]
        asking = [
            f"{interface}.{field.name.value}"
            for interface in interfaces
            if f"{interface}.{field.name.value}" in self.nodes
        ]
        asking = [each for each in asking if each not in self.hidden]
        if place in self.hidden:
            for asked in asking:
                yield self.implements(place, asked)
            return
        yield from self.reference_fault(place, field.type)
        for argument in field.arguments or ():
            argument_place = f"{place}({argument.name.value}:)"
            yield from self.input_faults(argument_place, argument)
            for asked in (f"{each}({argument.name.value}:)" for each in asking):
                if argument_place in self.hidden and asked in self.nodes and asked not in self.hidden:
                    yield self.implements(argument_place, asked)

    def input_faults(self, place: str, node: Any) -> Iterator[CompositionError]:
        if place in self.hidden:
            if isinstance(node.type, NonNullTypeNode) and node.default_value is None:
                text = "is hidden but required, so clients could never give it"
                yield self.fault("REQUIRED_INACCESSIBLE", place, text, "make it optional, give it a default")
            return
        yield from self.reference_fault(place, node.type)
        for used in self.hidden_in_default(_named(node.type), node.default_value):
            yield self.fault(
                "DEFAULT_VALUE_USES_INACCESSIBLE",
                place,
                f'has a default value that uses "{used}", which is hidden',
                "choose another default",
                at=used,
            )

    def hidden_in_default(self, type_name: str, value: Any) -> Iterator[str]:
        node = self.types.get(type_name)
        if isinstance(value, ListValueNode):
            for item in value.values:
                yield from self.hidden_in_default(type_name, item)
        elif isinstance(value, EnumValueNode) and f"{type_name}.{value.value}" in self.hidden:
            yield f"{type_name}.{value.value}"
        elif isinstance(value, ObjectValueNode) and isinstance(node, InputObjectTypeDefinitionNode):
            fields = {item.name.value: item for item in node.fields or ()}
            for entry in value.fields:
                place = f"{type_name}.{entry.name.value}"
                if place in self.hidden:
                    yield place
                elif entry.name.value in fields:
                    yield from self.hidden_in_default(_named(fields[entry.name.value].type), entry.value)

    def reference_fault(self, place: str, type_node: Any) -> Iterator[CompositionError]:
        name = _named(type_node)
        if name in self.hidden:
            tag = self.hidden[name].tag
            too = f'tag "{place}" with {_quoted([tag])} too' if tag else f'hide "{place}" too'
            yield self.fault(
                "REFERENCED_INACCESSIBLE", place, f'is visible, but its type "{name}" is hidden', too, at=name
            )

    def implements(self, place: str, asked: str) -> CompositionError:
        tag = self.hidden[place].tag
        too = f'tag "{asked}" with {_quoted([tag])} too' if tag else f'hide "{asked}" too'
        text = f'is hidden, but implements the visible "{asked}"'
        return self.fault("IMPLEMENTED_BY_INACCESSIBLE", place, text, too)

    def fault(self, code: str, place: str, text: str, fix: str = "", *, at: str = "") -> CompositionError:
        """Where, what is wrong, why ``at`` (or the place itself) is hidden, and the smallest ways out."""
        at = at or place
        cause = self.hidden[at]
        ways = " or ".join(filter(None, (fix, cause.remedy.replace("{}", at))))
        return CompositionError(code, f'"{place}": {text}, because {cause.why}: {ways}.', coordinate=place)

    def marked(self) -> DocumentNode:
        """The document with ``@inaccessible`` on everything hidden."""
        return DocumentNode(
            definitions=tuple(
                self.mark(node.name.value, node) if isinstance(node, TypeDefinitionNode) else node
                for node in self.document.definitions
            )
        )

    def mark(self, place: str, node: Any) -> Any:
        changes: dict[str, Any] = {}
        if place in self.hidden and not _has(node, self.inaccessible):
            changes["directives"] = (
                *(node.directives or ()),
                ConstDirectiveNode(name=NameNode(value=self.inaccessible)),
            )
        for attribute in ("fields", "values"):
            if attribute in node.keys:
                changes[attribute] = tuple(
                    self.mark(f"{place}.{each.name.value}", each) for each in getattr(node, attribute) or ()
                )
        if "arguments" in node.keys:
            changes["arguments"] = tuple(
                self.mark(f"{place}({each.name.value}:)", each) for each in node.arguments or ()
            )
        return replace(node, **changes)

    def tags(self, node: Any) -> frozenset[str]:
        return frozenset(
            str(value_from_ast_untyped(argument.value))
            for directive in node.directives or ()
            if directive.name.value == self.tag
            for argument in directive.arguments or ()
            if argument.name.value == "name"
        )


def _elements(types: dict[str, TypeDefinitionNode]) -> Iterator[tuple[str, Any]]:
    """Everything that can be hidden, by its coordinate."""
    for name, node in types.items():
        yield name, node
        for member in _members(node):
            place = f"{name}.{member.name.value}"
            yield place, member
            for argument in getattr(member, "arguments", None) or ():
                yield f"{place}({argument.name.value}:)", argument


def _members(node: Any) -> tuple[Any, ...]:
    """The fields of an object, interface or input, the values of an enum."""
    return getattr(node, "fields", None) or getattr(node, "values", None) or ()


def _named(node: Any) -> str:
    while not isinstance(node, NamedTypeNode):
        node = node.type
    return node.name.value


def _has(node: Any, directive: str) -> bool:
    return any(applied.name.value == directive for applied in node.directives or ())


def _quoted(tags: Iterable[str], between: str = ", ") -> str:
    return between.join(f'"{tag}"' for tag in sorted(tags))
