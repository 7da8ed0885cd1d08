"""Printing a merged graph as supergraph SDL in the join specification. Sorted throughout, so equal graphs are equal bytes.

The oldest sufficient version of the specification is written: v0.3, v0.4 when an override has a label, v0.5 when a field takes
arguments from a context. Existing routers and tools read all three.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from graphql.language.print_string import print_string

from gateway.composition.applications import Applications, Sources, field_sources, type_sources
from gateway.composition.field_sets import parse_field_set, print_field_set
from gateway.composition.merged import (
    FieldSource,
    Kind,
    Merged,
    MergedDirective,
    MergedField,
    MergedInput,
    MergedType,
    MergedValue,
)
from gateway.composition.subgraph import ROOTS, Subgraph, string_argument

_LOCATIONS = "ENUM | INPUT_OBJECT | INTERFACE | OBJECT | SCALAR | UNION"

_LINK_DEFINITIONS = '''directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA

scalar link__Import

enum link__Purpose {
  """`EXECUTION` features provide metadata necessary for operation execution."""
  EXECUTION
  """`SECURITY` features provide metadata necessary to securely resolve fields."""
  SECURITY
}'''


def graph_names(subgraphs: Iterable[Subgraph]) -> dict[str, str]:
    """Subgraph name → value of ``join__Graph``: upper case, only word characters, unique."""
    taken: dict[str, int] = {}
    names: dict[str, str] = {}
    for subgraph in subgraphs:
        cleaned = re.sub(r"\W", "_", subgraph.name, flags=re.ASCII)
        if cleaned[:1].isdigit():
            cleaned = f"_{cleaned}"
        if re.search(r"_\d+$", cleaned):
            cleaned = f"{cleaned}_"
        cleaned = cleaned.upper()
        count = taken[cleaned] = taken.get(cleaned, 0) + 1
        names[subgraph.name] = cleaned if count == 1 else f"{cleaned}_{count - 1}"
    return names


def render(merged: Merged) -> str:
    """The supergraph SDL of a merged graph that no rule objects to."""
    return _Renderer(merged).document()


class _Renderer:
    """One printing: the graph names, and what the printed elements made necessary in the header."""

    def __init__(self, merged: Merged) -> None:
        self.merged = merged
        self.graphs = graph_names(merged.subgraphs)
        self.applications = Applications(merged)

    def document(self) -> str:
        schema_directives = self.applications.on([(s, s.schema_node) for s in self.merged.subgraphs])
        types = [self.type(self.merged.types[name]) for name in sorted(self.merged.types)]
        definitions = [directive.definition for _, directive in sorted(self.merged.directives.items())]
        definitions += [feature.definitions for feature in self.applications.features()]
        return (
            "\n\n".join(
                [
                    self.schema(schema_directives),
                    *(self._named(text) for text in definitions),
                    *self.join_definitions(),
                    _LINK_DEFINITIONS,
                    *types,
                ]
            )
            + "\n"
        )

    def _named(self, definition: str) -> str:
        for word, name in self.applications.names.items():
            definition = definition.replace(f"@{{{word}}}", f"@{name}")
        return definition

    @property
    def join_version(self) -> str:
        fields = [field for found in self.merged.types.values() for field in found.fields.values()]
        sources = [source for field in fields for source in field.sources]
        if any(source.contexts for source in sources):
            return "v0.5"
        return "v0.4" if any(source.override_label for source in sources) else "v0.3"

    def schema(self, directives: Sequence[str]) -> str:
        links = [
            '@link(url: "https://specs.apollo.dev/link/v1.0")',
            f'@link(url: "https://specs.apollo.dev/join/{self.join_version}", for: EXECUTION)',
        ]
        for feature in self.applications.features():
            renamed = [
                f'{{name: "@{word}", as: "@{name}"}}' if word != name else f'"@{word}"'
                for word, name in sorted(self.applications.names.items())
                if f"@{{{word}}}" in feature.definitions and (word != name or word != feature.name)
            ]
            imports = f", import: [{', '.join(renamed)}]" if renamed else ""
            purpose = f", for: {feature.purpose}" if feature.purpose else ""
            links.append(f'@link(url: "{feature.url}"{imports}{purpose})')
        links += self.composed_links()
        roots = "".join(f"  {operation}: {name}\n" for operation, name in ROOTS.items() if name in self.merged.types)
        return "schema\n  " + "\n  ".join([*links, *directives]) + f"\n{{\n{roots}}}"

    def composed_links(self) -> list[str]:
        """One link for each specification with composed directives, in its newest version."""
        found: dict[str, list[MergedDirective]] = {}
        for directive in self.merged.directives.values():
            if directive.link is not None:
                found.setdefault(directive.link.identity, []).append(directive)
        texts: list[str] = []
        for _, directives in sorted(found.items()):
            newest = max((d.link for d in directives if d.link is not None), key=lambda link: link.version)
            texts.append(f'@link(url: "{newest.url}", import: [{", ".join(sorted(d.imported for d in directives))}])')
        return texts

    def join_definitions(self) -> list[str]:
        version = self.join_version
        field_arguments = [
            "graph: join__Graph",
            "requires: join__FieldSet",
            "provides: join__FieldSet",
            "type: String",
            "external: Boolean",
            "override: String",
            "usedOverridden: Boolean",
        ]
        if version >= "v0.4":
            field_arguments.append("overrideLabel: String")
        if version >= "v0.5":
            field_arguments.append("contextArguments: [join__ContextArgument!]")
        graphs = "".join(
            f"  {self.graphs[subgraph.name]} @join__graph(name: {print_string(subgraph.name)}, url: {print_string(subgraph.url)})\n"
            for subgraph in sorted(self.merged.subgraphs, key=lambda subgraph: self.graphs[subgraph.name])
        )
        definitions = [
            "directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE",
            f"directive @join__field({', '.join(field_arguments)}) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION",
            "directive @join__graph(name: String!, url: String!) on ENUM_VALUE",
            "directive @join__implements(graph: join__Graph!, interface: String!) repeatable on INTERFACE | OBJECT",
            "directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false,"
            f" resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on {_LOCATIONS}",
            "directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION",
        ]
        if version >= "v0.4":
            definitions.insert(
                0,
                "directive @join__directive(graphs: [join__Graph!], name: String!, args: join__DirectiveArguments)"
                " repeatable on FIELD_DEFINITION | INTERFACE | OBJECT | SCHEMA",
            )
            definitions.append("scalar join__DirectiveArguments")
        if version >= "v0.5":
            definitions.append(
                "input join__ContextArgument {\n  name: String!\n  type: String!\n  context: String!\n  selection: join__FieldValue!\n}"
            )
            definitions.append("scalar join__FieldValue")
        return [*definitions, "scalar join__FieldSet", f"enum join__Graph {{\n{graphs}}}"]

    def type(self, found: MergedType) -> str:
        head = f"{found.kind.value} {found.name}"
        if found.interfaces:
            head += f" implements {' & '.join(sorted(found.interfaces))}"
        directives = [text for subgraph in found.subgraphs for text in self.join_types(found, subgraph)]
        directives += [
            f'@join__implements(graph: {self.graphs[subgraph.name]}, interface: "{interface}")'
            for interface, subgraphs in sorted(found.interfaces.items())
            for subgraph in subgraphs
        ]
        directives += [
            f'@join__unionMember(graph: {self.graphs[subgraph.name]}, member: "{member}")'
            for member, subgraphs in sorted(found.members.items())
            for subgraph in subgraphs
        ]
        directives += self.applications.on(type_sources(found), protection=self.applications.protection_of_type(found))
        text = description(type_sources(found), "") + "\n  ".join([head, *directives])
        match found.kind:
            case Kind.OBJECT | Kind.INTERFACE:
                return text + _block(self.field(found, field) for field in found.fields.values())
            case Kind.INPUT:
                return text + _block(
                    self.input(value, "  ", joined=True) for value in found.inputs.values() if value.kept
                )
            case Kind.ENUM:
                return text + _block(self.value(value) for value in found.values.values() if value.kept)
            case Kind.UNION:
                return f"{text}\n  = {' | '.join(sorted(found.members))}"
            case Kind.SCALAR:
                return text

    def join_types(self, found: MergedType, subgraph: Subgraph) -> list[str]:
        graph = self.graphs[subgraph.name]
        tail = ", isInterfaceObject: true" if subgraph.is_interface_object(found.name) else ""
        extension = ", extension: true" if subgraph.is_extension(found.name) else ""
        keys = subgraph.keys.get(found.name, ())
        texts: list[str] = []
        for key in keys:
            assert key.selection is not None, "a rule reports keys that do not parse"
            fields = print_string(print_field_set(key.selection))
            resolvable = "" if key.resolvable else ", resolvable: false"
            texts.append(f"@join__type(graph: {graph}, key: {fields}{extension}{resolvable}{tail})")
        return list(dict.fromkeys(texts)) or [f"@join__type(graph: {graph}{tail})"]

    def field(self, holder: MergedType, field: MergedField) -> str:
        sources = self.described_sources(holder, field)
        arguments = [argument for argument in field.arguments.values() if argument.kept]
        written = ""
        if arguments:
            inline = [self.input(argument, "", joined=False) for argument in arguments]
            if any("\n" in text for text in inline):
                written = (
                    "(\n" + "\n".join(self.input(argument, "    ", joined=False) for argument in arguments) + "\n  )"
                )
            else:
                written = f"({', '.join(inline)})"
        directives = self.join_fields(field)
        directives += self.applications.on(sources, protection=self.applications.protection_of_field(holder, field))
        return " ".join([f"{description(sources, '  ')}  {field.name}{written}: {field.type}", *directives])

    def described_sources(self, holder: MergedType, field: MergedField) -> Sources:
        """Where the field's words come from: its own declarations, and the interface objects' that contribute it."""
        sources = list(field_sources(field.sources))
        if field.from_interface_object:
            for interface in sorted(holder.interfaces):
                contributed = (
                    self.merged.types[interface].fields.get(field.name) if interface in self.merged.types else None
                )
                for source in contributed.sources if contributed else ():
                    if not source.external and source.subgraph.is_interface_object(interface):
                        sources.append((source.subgraph, source.node))
        return sources

    def join_fields(self, field: MergedField) -> list[str]:
        shown = [source for source in field.sources if not source.dropped]
        plain = not field.types_differ and not field.lacking and len(shown) == len(field.sources)
        if plain and not field.from_interface_object and not any(self._needs_words(source) for source in shown):
            return []
        texts = [self.join_field(field, source) for source in shown]
        return [*texts, "@join__field"] if field.from_interface_object else texts

    def _needs_words(self, source: FieldSource) -> bool:
        words = ("requires", "provides", "override")
        return bool(
            source.external
            or source.overridden_by
            or source.contexts
            or any(source.subgraph.has(source.node, word) for word in words)
        )

    def join_field(self, field: MergedField, source: FieldSource) -> str:
        arguments = [f"graph: {self.graphs[source.subgraph.name]}"]
        for word in ("requires", "provides"):
            for directive in source.subgraph.applied(source.node, word):
                arguments.append(
                    f"{word}: {print_string(self.normal_field_set(string_argument(directive, 'fields') or ''))}"
                )
        if field.types_differ:
            arguments.append(f'type: "{source.field.type}"')
        if source.external:
            arguments.append("external: true")
        if source.override_from is not None:
            arguments.append(f"override: {print_string(source.override_from)}")
        if source.overridden_by is not None and source.still_used and source.override_label is None:
            arguments.append("usedOverridden: true")
        if source.override_label is not None:
            arguments.append(f"overrideLabel: {print_string(source.override_label)}")
        if source.contexts:
            contexts = ", ".join(
                f'{{context: "{c.context}", name: "{c.argument}", type: "{c.type}", selection: {print_string(c.selection)}}}'
                for c in source.contexts
            )
            arguments.append(f"contextArguments: [{contexts}]")
        return f"@join__field({', '.join(arguments)})"

    def normal_field_set(self, text: str) -> str:
        return print_field_set(parse_field_set(text))

    def input(self, value: MergedInput, indent: str, *, joined: bool) -> str:
        default = "" if value.default is None else f" = {value.default}"
        sources: Sources = [(source.subgraph, source.node) for source in value.sources]
        directives: list[str] = []
        if joined and (value.types_differ or value.lacking):
            for source in value.sources:
                typed = f', type: "{source.value.type}"' if value.types_differ else ""
                directives.append(f"@join__field(graph: {self.graphs[source.subgraph.name]}{typed})")
        directives += self.applications.on(sources)
        return " ".join([f"{description(sources, indent)}{indent}{value.name}: {value.type}{default}", *directives])

    def value(self, value: MergedValue) -> str:
        joins = [f"@join__enumValue(graph: {self.graphs[subgraph.name]})" for subgraph, _ in value.sources]
        return " ".join(
            [f"{description(value.sources, '  ')}  {value.name}", *joins, *self.applications.on(value.sources)]
        )


def description(sources: Sources, indent: str) -> str:
    """The most frequent description, the first among equals, as a block string line of its own; empty when there is none."""
    texts = Counter(text.value for _, node in sources if (text := getattr(node, "description", None)) is not None)
    if not texts:
        return ""
    chosen = max(texts, key=lambda text: texts[text])
    if not chosen:
        return ""
    block = chosen.replace('"""', '\\"""')
    if "\n" not in block and not block.endswith(('"', "\\")):
        return f'{indent}"""{block}"""\n'
    lines = "\n".join(f"{indent}{line}" if line else "" for line in block.split("\n"))
    return f'{indent}"""\n{lines}\n{indent}"""\n'


def _block(lines: Iterable[str]) -> str:
    return "\n{\n" + "\n".join(lines) + "\n}"
