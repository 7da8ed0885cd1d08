"""Reading ``@link``: which specifications a schema uses, and under which local names. It knows no federation semantics.

A link names a specification by URL (``https://host/path/name/v2.7``) and may import elements, renaming them if it wants. An
element that is not imported is still there under its prefixed name, ``@federation__key``; the element that bears the
specification's own name is there as ``@name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from graphql import ConstDirectiveNode, ListValueNode, ObjectValueNode, StringValueNode

from gateway.composition.vocabulary import LINK_IDENTITY, Version
from gateway.errors import CompositionError

_VERSION = re.compile(r"v(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One ``@link``: ``imports`` maps an element of the specification (``@key``, ``FieldSet``) to its local name."""

    identity: str
    name: str
    version: Version
    prefix: str
    imports: dict[str, str]

    @property
    def url(self) -> str:
        return f"{self.identity}/v{self.version[0]}.{self.version[1]}"

    def local_directive(self, element: str) -> str:
        """The local name of the specification's directive ``element`` (without ``@``)."""
        imported = self.imports.get("@" + element)
        if imported is not None:
            return imported.removeprefix("@")
        return self.prefix if element == self.name else f"{self.prefix}__{element}"

    def local_type(self, element: str) -> str:
        return self.imports.get(element) or f"{self.prefix}__{element}"

    def element_of(self, local_directive: str) -> str | None:
        """The specification's name for a local directive name, or None when this link does not own that name."""
        for element, local in self.imports.items():
            if local == "@" + local_directive:
                return element.removeprefix("@")
        if local_directive == self.prefix and "@" + self.name not in self.imports:
            return self.name
        if local_directive.startswith(self.prefix + "__"):
            return local_directive.removeprefix(self.prefix + "__")
        return None


def _string(directive: ConstDirectiveNode, argument: str) -> str | None:
    for node in directive.arguments or ():
        if node.name.value == argument and isinstance(node.value, StringValueNode):
            return node.value.value
    return None


def parse_link_url(url: str) -> tuple[str, str, Version] | None:
    """``(identity, name, version)`` of a specification URL; None when it does not end in ``/name/vMAJOR.MINOR``."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return None
    segments = [segment for segment in parts.path.split("/") if segment]
    if len(segments) < 2:
        return None
    match = _VERSION.fullmatch(segments[-1])
    if match is None:
        return None
    identity = f"{parts.scheme}://{parts.netloc}/{'/'.join(segments[:-1])}"
    return identity, segments[-2], (int(match[1]), int(match[2]))


def _imports(directive: ConstDirectiveNode) -> Iterator[tuple[str, str] | str]:
    """Pairs of element and local name; a bare string is a complaint."""
    for argument in directive.arguments or ():
        if argument.name.value != "import":
            continue
        if not isinstance(argument.value, ListValueNode):
            yield 'the "import" argument must be a list'
            continue
        for value in argument.value.values:
            if isinstance(value, StringValueNode):
                yield value.value, value.value
            elif isinstance(value, ObjectValueNode):
                fields = {field.name.value: field.value for field in value.fields}
                name, alias = fields.get("name"), fields.get("as")
                if not isinstance(name, StringValueNode):
                    yield 'an import object needs a "name"'
                elif alias is None:
                    yield name.value, name.value
                elif not isinstance(alias, StringValueNode):
                    yield f'the "as" of import "{name.value}" must be a string'
                elif name.value.startswith("@") != alias.value.startswith("@"):
                    yield f'the import "{name.value}" and its name "{alias.value}" must both begin with "@" or neither'
                else:
                    yield name.value, alias.value
            else:
                yield 'each import must be a string or an object with "name" and "as"'


def read_links(subgraph: str, directives: Iterable[ConstDirectiveNode]) -> tuple[list[Link], list[CompositionError]]:
    """The links among the directives of the schema definition and its extensions; those that cannot be read become errors."""
    applied = list(directives)
    link_directive = "link"
    for directive in applied:
        url = _string(directive, "url")
        if (
            url is not None
            and url.startswith(LINK_IDENTITY + "/")
            and any(a.name.value in ("as", "url") for a in (directive.arguments or ()))
        ):
            link_directive = _string(directive, "as") or directive.name.value
            renamed = dict(pair for pair in _imports(directive) if not isinstance(pair, str)).get("@link")
            link_directive = (renamed or link_directive).removeprefix("@")
    links: list[Link] = []
    errors: list[CompositionError] = []

    def complain(code: str, text: str) -> None:
        errors.append(CompositionError(code, f"[{subgraph}] {text}", subgraphs=(subgraph,)))

    for directive in applied:
        if directive.name.value != link_directive:
            continue
        url = _string(directive, "url")
        if url is None:
            complain("INVALID_LINK_DIRECTIVE_USAGE", '@link needs a url: @link(url: "https://…/name/v1.0")')
            continue
        parsed = parse_link_url(url)
        if parsed is None:
            complain(
                "INVALID_LINK_IDENTIFIER",
                f'@link url "{url}" must name a specification and its version, like "https://host/name/v1.0"',
            )
            continue
        identity, name, version = parsed
        imports: dict[str, str] = {}
        for item in _imports(directive):
            if isinstance(item, str):
                complain("INVALID_LINK_DIRECTIVE_USAGE", f'@link to "{url}": {item}')
            else:
                imports[item[0]] = item[1]
        prefix = _string(directive, "as") or name
        if any(link.identity == identity for link in links):
            complain("INVALID_LINK_DIRECTIVE_USAGE", f'the specification "{identity}" is linked twice: keep one @link')
            continue
        links.append(Link(identity=identity, name=name, version=version, prefix=prefix, imports=imports))
    return links, errors
