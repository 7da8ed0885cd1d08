"""The words of the federation specifications: which directives exist since which version, and how each is carried.

A table and its look-ups. Reading ``@link`` belongs in ``links.py``; what a directive *means* belongs to whoever acts on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

Version = tuple[int, int]

FEDERATION_1: Version = (1, 0)
NEWEST_FEDERATION: Version = (2, 12)
FEDERATION_IDENTITY = "https://specs.apollo.dev/federation"
LINK_IDENTITY = "https://specs.apollo.dev/link"
SPECS = "https://specs.apollo.dev/"


class Carry(Enum):
    """How several applications of one directive to one element become one (or stay several) in the supergraph."""

    UNION = "each distinct application stays"
    ONCE = "present if any subgraph applies it"
    CONJUNCTION = "lists of alternatives are joined by AND, so protection never weakens"
    MAXIMUM = "the largest of each argument"
    WIDEST = "the widest of each argument"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A specification whose directives reach the supergraph, with the purpose its ``@link`` states."""

    name: str
    version: Version
    purpose: str | None = None
    definitions: str = ""

    @property
    def url(self) -> str:
        return f"{SPECS}{self.name}/v{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectiveWord:
    """One federation directive: ``changes`` lists its definition by the version that introduced it, oldest first.

    Inside definitions ``{FieldSet}``, ``{Scope}``, ``{Policy}`` and ``{ContextFieldValue}`` stand for the local names of those scalars.
    """

    name: str
    changes: tuple[tuple[Version, str], ...]
    carry: Carry | None = None
    feature: str | None = None

    def definition(self, version: Version) -> str | None:
        """The definition as of ``version``, or None when that version did not have the directive yet."""
        current = None
        for since, text in self.changes:
            if since <= version:
                current = text
        return current


_ELEMENTS = "FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION"
_PROTECTED = "FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM"
_WEIGHED = "ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR"
_LIST_SIZE = (
    "(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true)"
    " on FIELD_DEFINITION"
)

SCALARS: Mapping[str, Version] = {
    "FieldSet": (2, 0),
    "Scope": (2, 5),
    "Policy": (2, 6),
    "ContextFieldValue": (2, 8),
}

DIRECTIVES: Mapping[str, DirectiveWord] = {
    word.name: word
    for word in (
        DirectiveWord(
            name="key",
            changes=(((1, 0), "(fields: {FieldSet}!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE"),),
        ),
        DirectiveWord(name="requires", changes=(((1, 0), "(fields: {FieldSet}!) on FIELD_DEFINITION"),)),
        DirectiveWord(name="provides", changes=(((1, 0), "(fields: {FieldSet}!) on FIELD_DEFINITION"),)),
        DirectiveWord(name="external", changes=(((1, 0), "(reason: String) on OBJECT | FIELD_DEFINITION"),)),
        DirectiveWord(name="extends", changes=(((1, 0), " on OBJECT | INTERFACE"),)),
        DirectiveWord(
            name="tag",
            changes=(
                ((1, 0), f"(name: String!) repeatable on {_ELEMENTS}"),
                ((2, 3), f"(name: String!) repeatable on {_ELEMENTS} | SCHEMA"),
            ),
            carry=Carry.UNION,
            feature="tag",
        ),
        DirectiveWord(
            name="inaccessible", changes=(((2, 0), f" on {_ELEMENTS}"),), carry=Carry.ONCE, feature="inaccessible"
        ),
        DirectiveWord(
            name="shareable",
            changes=(((2, 0), " on OBJECT | FIELD_DEFINITION"), ((2, 2), " repeatable on OBJECT | FIELD_DEFINITION")),
        ),
        DirectiveWord(
            name="override",
            changes=(
                ((2, 0), "(from: String!) on FIELD_DEFINITION"),
                ((2, 7), "(from: String!, label: String) on FIELD_DEFINITION"),
            ),
        ),
        DirectiveWord(name="composeDirective", changes=(((2, 1), "(name: String!) repeatable on SCHEMA"),)),
        DirectiveWord(name="interfaceObject", changes=(((2, 3), " on OBJECT"),)),
        DirectiveWord(
            name="authenticated", changes=(((2, 5), f" on {_PROTECTED}"),), carry=Carry.ONCE, feature="authenticated"
        ),
        DirectiveWord(
            name="requiresScopes",
            changes=(((2, 5), f"(scopes: [[{{Scope}}!]!]!) on {_PROTECTED}"),),
            carry=Carry.CONJUNCTION,
            feature="requiresScopes",
        ),
        DirectiveWord(
            name="policy",
            changes=(((2, 6), f"(policies: [[{{Policy}}!]!]!) on {_PROTECTED}"),),
            carry=Carry.CONJUNCTION,
            feature="policy",
        ),
        DirectiveWord(
            name="context",
            changes=(((2, 8), "(name: String!) repeatable on INTERFACE | OBJECT | UNION"),),
            carry=Carry.UNION,
            feature="context",
        ),
        DirectiveWord(name="fromContext", changes=(((2, 8), "(field: {ContextFieldValue}) on ARGUMENT_DEFINITION"),)),
        DirectiveWord(
            name="cost", changes=(((2, 9), f"(weight: Int!) on {_WEIGHED}"),), carry=Carry.MAXIMUM, feature="cost"
        ),
        DirectiveWord(name="listSize", changes=(((2, 9), _LIST_SIZE),), carry=Carry.WIDEST, feature="cost"),
        DirectiveWord(
            name="cacheTag",
            changes=(((2, 12), "(format: String!) repeatable on OBJECT | FIELD_DEFINITION"),),
        ),
    )
}

AUTHORIZATION = ("authenticated", "requiresScopes", "policy")

FEATURES: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(
            name="tag",
            version=(0, 3),
            definitions=f"directive @{{tag}}(name: String!) repeatable on {_ELEMENTS} | SCHEMA",
        ),
        Feature(
            name="inaccessible",
            version=(0, 2),
            purpose="SECURITY",
            definitions=f"directive @{{inaccessible}} on {_ELEMENTS}",
        ),
        Feature(
            name="authenticated",
            version=(0, 1),
            purpose="SECURITY",
            definitions=f"directive @{{authenticated}} on {_PROTECTED}",
        ),
        Feature(
            name="requiresScopes",
            version=(0, 1),
            purpose="SECURITY",
            definitions=f"directive @{{requiresScopes}}(scopes: [[requiresScopes__Scope!]!]!) on {_PROTECTED}\n\n"
            "scalar requiresScopes__Scope",
        ),
        Feature(
            name="policy",
            version=(0, 1),
            purpose="SECURITY",
            definitions=f"directive @{{policy}}(policies: [[policy__Policy!]!]!) on {_PROTECTED}\n\nscalar policy__Policy",
        ),
        Feature(
            name="context",
            version=(0, 1),
            purpose="SECURITY",
            definitions="directive @{context}(name: String!) repeatable on INTERFACE | OBJECT | UNION",
        ),
        Feature(
            name="cost",
            version=(0, 1),
            definitions=f"directive @{{cost}}(weight: Int!) on {_WEIGHED}\n\ndirective @{{listSize}}{_LIST_SIZE}",
        ),
    )
}

# Added to every subgraph by federation itself; a subgraph may print them in its SDL, and they never reach the supergraph.
MACHINERY_TYPES = frozenset({"_Any", "_Entity", "_Service", "_FieldSet"})
MACHINERY_FIELDS = frozenset({"_entities", "_service"})
