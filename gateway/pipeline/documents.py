"""What clients write, read once: parsed under the token limit, measured, validated, remembered by its text.

What is plain is read by ``quick_parsing``, and what is valid beyond doubt is told so by ``quick_validation``; graphql-core
decides the rest, and words what is wrong.
A refusal is remembered like a valid document, so the same bad text costs its validation once. What does not belong
here: which operation of the document runs, variables, plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    is_union_type,
    parse,
    specified_rules,
    validate,
)
from graphql.language import DirectiveNode
from graphql.validation import NoSchemaIntrospectionCustomRule, ValidationContext
from graphql.validation.rules.stream_directive_on_list_field import StreamDirectiveOnListField

from gateway.config import Limits
from gateway.errors import DocumentInvalid, LimitExceeded, OperationUnknown, RequestError
from gateway.pipeline import limits as limit
from gateway.pipeline.cache import SingleFlightCache
from gateway.pipeline.quick_parsing import parse_quickly
from gateway.pipeline.quick_validation import QuickValidation


class _StreamOnLists(StreamDirectiveOnListField):
    """graphql-core's looks for the field's name among the type's fields, and fails where it is a union: those have none."""

    def enter_directive(self, node: DirectiveNode, *at: Any) -> None:
        context = cast("ValidationContext", self.context)
        parent = context.get_parent_type()
        if not is_union_type(parent):
            super().enter_directive(node, *at)
        elif node.name.value == "stream" and context.get_field_def() is not None:
            # Its only field is __typename.
            self.report_error(
                GraphQLError(f"Stream directive cannot be used on non-list field on type '{parent.name}'.", node)
            )


RULES: Final = tuple(_StreamOnLists if rule is StreamDirectiveOnListField else rule for rule in specified_rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A valid document within the limits."""

    text: str
    contract: str | None = None
    """The contract in whose view it is valid; None is the whole API schema."""
    tree: DocumentNode
    """Without locations where ``quick_parsing`` read it."""
    operations: tuple[OperationDefinitionNode, ...]

    @property
    def incremental(self) -> bool:
        return may_defer(self.text)

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run; raises OperationUnknown when the name picks none, or is needed and missing."""
        if name is None:
            if len(self.operations) == 1:
                return self.operations[0]
            raise OperationUnknown("The document has several operations; operationName must say which one to run.")
        for operation in self.operations:
            if operation.name is not None and operation.name.value == name:
                return operation
        raise OperationUnknown(f"The document has no operation named {name!r}.")


def may_defer(text: str) -> bool:
    """Whether a document may ask for a part of an answer later; whoever does writes a directive's name."""
    return "@" in text and ("defer" in text or "stream" in text)


class Documents:
    """The documents known to one snapshot: by contract, since what one view accepts another may refuse."""

    def __init__(
        self,
        schemas: Mapping[str | None, GraphQLSchema],
        limits: Limits,
        executor: Executor,
        *,
        cache_bytes_max: int,
        introspection: bool,
    ) -> None:
        self._validations = {contract: QuickValidation(schema) for contract, schema in schemas.items()}
        self._limits = limits
        self._rules = (*RULES, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
        self._cache: SingleFlightCache[tuple[str | None, str], Document | RequestError] = SingleFlightCache(
            "documents", executor, weight_max=cache_bytes_max, weigh=lambda key: len(key[1])
        )

    async def get(self, text: str, contract: str | None = None) -> Document:
        """Raises DocumentInvalid with everything wrong, or LimitExceeded."""
        found = await self._cache.get((contract, text), lambda: self._read(text, contract))
        if isinstance(found, RequestError):
            # The remembered refusal is raised many times; each raise would lengthen its traceback.
            raise found.with_traceback(None)
        return found

    def _read(self, text: str, contract: str | None) -> Document | RequestError:
        try:
            quick = self._validations[contract]
            return replace(read(text, quick.schema, self._limits, self._rules, quick), contract=contract)
        except RequestError as refusal:
            return refusal


def read(
    text: str,
    schema: GraphQLSchema,
    limits: Limits,
    rules: tuple[Any, ...] = RULES,
    quick: QuickValidation | None = None,
) -> Document:
    """Parse, measure, validate, in this order: each step bounds what the next can cost.

    ``quick`` is that of the schema, for whoever reads many documents.
    """
    try:
        plain = parse_quickly(text, max_tokens=limits.document_tokens_max)
        tree = plain or parse(text, max_tokens=limits.document_tokens_max)
        limit.enforce(tree, limits)
        errors: list[GraphQLError] = []
        if not (quick or QuickValidation(schema)).accepts(tree):
            # Whoever is told what is wrong is told where.
            located = parse(text) if plain else tree
            errors = validate(schema, located, rules, max_errors=limits.validation_errors_max)
    except GraphQLSyntaxError as wrong:
        if "tokens. Parsing aborted" in wrong.message:
            raise LimitExceeded(
                "MAX_TOKENS_EXCEEDED", f"The document has more than {limits.document_tokens_max} tokens."
            ) from None
        raise DocumentInvalid([_formatted(wrong, "GRAPHQL_PARSE_FAILED")], parsed=False) from None
    except RecursionError:
        # A chain of fragments is followed by recursion; its depth is the client's choice.
        raise LimitExceeded("MAX_DEPTH_EXCEEDED", "The document is nested too deeply to be read.") from None
    if errors:
        raise DocumentInvalid([_formatted(error, "GRAPHQL_VALIDATION_FAILED") for error in errors], parsed=True)
    operations = tuple(node for node in tree.definitions if isinstance(node, OperationDefinitionNode))
    if not operations:
        raise OperationUnknown("The document has no operation.")
    return Document(text=text, tree=tree, operations=operations)


def _formatted(error: GraphQLError, code: str) -> dict[str, Any]:
    return {**error.formatted, "extensions": {**(error.extensions or {}), "code": code}}
