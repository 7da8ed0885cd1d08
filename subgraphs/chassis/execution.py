"""Runs a document against the schema: graphql-core's executor, with short ways where a field is what most fields are.

Theory of operation. graphql-core asks everything anew for every field of every object: which field this is, what its
arguments are, what its type is made of, whether its value must be awaited. Strawberry then builds an ``Info`` and
converts the arguments, for every object again. None of it depends on the object. So it is found out once for each field
of a selection, and kept as a ``_Step``; a selection's steps are then run for each object:

* an attribute of a leaf type is read and written down: no path, no info, no coroutine. Whatever is unusual about it
  (null where there must be none, a value the scalar refuses) is left to the library, which reads the attribute again
  and words the error;
* a resolver is called directly, with arguments that were coerced once in the request. Resolvers of one request share
  them, so they must not change them;
* an object's type is known by its class.

What was found out is kept in a ``Memory``. A document without directives is the same selection whatever the variables
say: its memory lasts as long as the document is remembered. Any other's lasts for one request.

Errors, nulls that travel upward, and the order of the answer are the library's: ``test_execution.py`` runs both side by
side. What does not belong here: parsing and validation (``graphql.py``), incremental delivery and middleware of fields,
which our schemas do not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import CoroutineType
from typing import Any, Final, TypeAlias

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLUnionType,
    Undefined,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.cast import get_strawberry_type_cast
from strawberry.types.field import StrawberryField

Completed: TypeAlias = Any
"""A value as it will stand in the answer, or an awaitable of it."""

_EXACT: Final[dict[str, type]] = {"String": str, "ID": str, "Boolean": bool}
"""Values of these classes are their own serialized form."""


class _Step:
    """One field of a selection: all that is the same for every object it is asked of."""

    __slots__ = ("arguments", "attribute", "complete", "details", "exact", "field", "name", "nodes", "resolver")

    def __init__(
        self, parent_type: GraphQLObjectType, name: str, details: FieldDetailsList, field: GraphQLField
    ) -> None:
        self.name = name
        self.details = details
        self.field = field
        self.nodes: list[FieldNode] = [each.node for each in details]
        self.attribute: str | None = None
        """Where the value is read from the object, if it is simply read."""
        self.complete: Callable[[Any], Any] | None = None
        """Of an attribute of a leaf type: from the value to its serialized form. Raises where that is not so simple."""
        self.exact: type | None = None
        """Values of exactly this class need no completing."""
        self.resolver: _Resolver | None = None
        """The resolver, if it can be called directly."""
        self.arguments = bool(field.args)
        own = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(own, StrawberryField) or field.subscribe is not None or own.extensions:
            return
        if own.base_resolver is None:
            self.attribute = own.python_name
            self.complete = _completer(field.type)
            leaf = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
            self.exact = _EXACT.get(leaf.name) if isinstance(leaf, GraphQLScalarType) else None
        elif own.base_resolver.parent_parameter is None and own.base_resolver.root_parameter is None:
            self.resolver = _Resolver(own)


class _Resolver:
    """A field's resolver and what it wants to be given."""

    __slots__ = ("arguments", "call", "field", "info_name", "takes_self")

    def __init__(self, field: StrawberryField) -> None:
        assert field.base_resolver is not None
        self.field = field
        self.call: Callable[..., Any] = field.base_resolver.wrapped_func  # type: ignore[assignment] # it is callable
        self.arguments: Sequence[StrawberryArgument] = field.arguments
        self.takes_self = field.base_resolver.self_parameter is not None
        info = field.base_resolver.info_parameter
        self.info_name = info.name if info is not None else None


class Memory:
    """What was found out about the selections of one operation."""

    __slots__ = ("root", "steps", "sub_fields")

    def __init__(self) -> None:
        self.root: GroupedFieldSet | None = None
        self.sub_fields: dict[Any, Any] = {}
        """As graphql-core keeps it: the selected fields of a field, by the type they are asked of."""
        self.steps: dict[int, tuple[GroupedFieldSet, list[_Step]]] = {}
        """By the identity of the selection, which is kept beside them: nobody else gets its identity meanwhile."""


class ServiceExecutor(StrawberryGraphQLCoreExecutionContext):
    """One execution. ``memory`` is given where the operation's selections do not depend on variables."""

    def __init__(self, *args: Any, memory: Memory | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._memory = memory if memory is not None else Memory()
        self._relevant_sub_fields = self._memory.sub_fields
        self._arguments: dict[int, dict[str, Any]] = {}

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Sequence[Any],
    ) -> Completed:
        if self._memory.root is None:
            self._memory.root = grouped_field_set
        return self.execute_root_grouped_field_set(root_type, root_value, self._memory.root, serially, None)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Completed:
        """The selected fields of one object, in the order of the selection."""
        results: dict[str, Any] = {}
        pending: list[str] = []
        try:
            for step in self._steps(parent_type, grouped_field_set):
                complete = step.complete
                if complete is not None:
                    try:
                        value = getattr(source_value, step.attribute)  # type: ignore[arg-type] # where there is one, there is the other
                        results[step.name] = value if type(value) is step.exact else complete(value)
                        continue
                    except Exception:  # noqa: BLE001, S110 - the library says below what is wrong
                        pass
                result = self._execute_step(step, parent_type, source_value, path)
                results[step.name] = result
                if type(result) is CoroutineType:
                    pending.append(step.name)
        except Exception:
            if pending:
                self.settle_in_background([results[name] for name in pending])
            raise
        return _when_all_are_there(results, pending) if pending else results

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: Any,
    ) -> Completed:
        """The same for the root fields of a mutation, which the library runs one after the other."""
        field = self.schema.get_field(parent_type, field_details_list[0].node.name.value)
        if field is None:
            return Undefined
        step = _Step(parent_type, str(path.key), field_details_list, field)
        return self._execute_step(step, parent_type, source, path.prev)

    def _steps(self, parent_type: GraphQLObjectType, selection: GroupedFieldSet) -> list[_Step]:
        known = self._memory.steps.get(id(selection))
        if known is not None:
            return known[1]
        steps = [
            _Step(parent_type, name, details, field)
            for name, details in selection.items()
            if (field := self.schema.get_field(parent_type, details[0].node.name.value)) is not None
        ]
        self._memory.steps[id(selection)] = (selection, steps)
        return steps

    def _execute_step(self, step: _Step, parent_type: GraphQLObjectType, source: Any, above: Path | None) -> Completed:
        return_type = step.field.type
        path = Path(above, step.name, parent_type.name)
        info = self.build_resolve_info(step.field, step.nodes, parent_type, path)
        try:
            if step.attribute is not None:
                result = getattr(source, step.attribute)
            elif step.resolver is not None:
                result = self._call(step.resolver, step, source, info)
            else:
                resolve = step.field.resolve or self.field_resolver
                result = resolve(source, info, **(self._coerced(step) if step.arguments else {}))
            if self.is_awaitable(result):
                return self.complete_awaitable_value(return_type, step.details, info, path, result, None)
            completed = self.complete_value(return_type, step.details, info, path, result, None)
            if type(completed) is CoroutineType:
                return self._guarded(completed, return_type, step.details, path)
        except Exception as error:  # noqa: BLE001 - whatever a resolver raises is the field's error
            self.handle_field_error(error, return_type, step.details, path)
            return None
        return completed

    def _call(self, resolver: _Resolver, step: _Step, source: Any, info: GraphQLResolveInfo[Any]) -> Any:
        config = info.schema._strawberry_schema.config  # type: ignore[attr-defined]
        given: dict[str, Any] = {}
        wrapped = config.info_class(_raw_info=info, _field=resolver.field) if resolver.info_name is not None else None
        if step.arguments:
            known = self._arguments.get(id(step.details))
            if known is None:
                converter = info.schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]
                known = self._arguments[id(step.details)] = convert_arguments(
                    self._coerced(step), list(resolver.arguments), converter.scalar_registry, config, wrapped
                )
            given.update(known)
        if resolver.info_name is not None:
            given[resolver.info_name] = wrapped
        return resolver.call(source, **given) if resolver.takes_self else resolver.call(**given)

    def _coerced(self, step: _Step) -> dict[str, Any]:
        return get_argument_values(
            step.field, step.nodes[0], self.variable_values, step.details[0].fragment_variable_values
        )

    async def _guarded(
        self, completed: Awaitable[Any], return_type: GraphQLOutputType, details: FieldDetailsList, path: Path
    ) -> Completed:
        try:
            return await completed
        except Exception as error:  # noqa: BLE001 - as above
            self.handle_field_error(error, return_type, details, path)
            return None

    async def complete_awaitable_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Completed:
        try:
            completed = self.complete_value(return_type, field_details_list, info, path, await result, None)
            return await completed if type(completed) is CoroutineType else completed
        except Exception as error:  # noqa: BLE001 - as above
            self.handle_field_error(error, return_type, field_details_list, path)
            return None

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> Completed:
        """Each item of a list, in its order."""
        results: list[Any] = []
        pending: list[int] = []
        rest = enumerate(items)
        try:
            for index, item in rest:
                item_path = Path(path, index, None)
                try:
                    if self.is_awaitable(item):
                        result = self.complete_awaitable_value(
                            item_type, field_details_list, info, item_path, item, None
                        )
                    else:
                        result = self.complete_value(item_type, field_details_list, info, item_path, item, None)
                        if type(result) is CoroutineType:
                            result = self._guarded(result, item_type, field_details_list, item_path)
                except Exception as error:  # noqa: BLE001 - as above
                    self.handle_field_error(error, item_type, field_details_list, item_path)
                    result = None
                if type(result) is CoroutineType:
                    pending.append(index)
                results.append(result)
        except Exception:
            abandoned = [results[index] for index in pending] + [item for _, item in rest if self.is_awaitable(item)]
            if abandoned:
                self.settle_in_background(abandoned)
            raise
        return _when_all_are_there(results, pending) if pending else results

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Completed:
        """From what a resolver gave to what stands in the answer."""
        inner = return_type.of_type if isinstance(return_type, GraphQLNonNull) else return_type
        if result is None or isinstance(result, Exception):
            return super().complete_value(return_type, field_details_list, info, path, result, None)
        if isinstance(inner, (GraphQLUnionType, GraphQLInterfaceType)):
            known = self._type_of(result)
            if known is None or not self.schema.is_sub_type(inner, known):
                return self.complete_abstract_value(inner, field_details_list, info, path, result, None)
            inner = known
        elif isinstance(inner, GraphQLObjectType):
            if inner.is_type_of is not None and self._type_of(result) is not inner:
                return self.complete_object_value(inner, field_details_list, info, path, result, None)
        else:
            return super().complete_value(return_type, field_details_list, info, path, result, None)
        selection = self.collect_subfields(inner, field_details_list).grouped_field_set
        return self.execute_fields(inner, result, path, selection, None)

    def _type_of(self, value: Any) -> GraphQLObjectType | None:
        """The object type whose class the value is of, no more and no less."""
        definition = getattr(type(value), "__strawberry_definition__", None)
        if definition is None or definition.origin is not type(value) or get_strawberry_type_cast(value) is not None:
            return None
        named = self.schema.get_type(definition.name)
        if isinstance(named, GraphQLObjectType) and named.extensions.get(_BACKREF) is definition:
            return named
        return None


_BACKREF: Final = GraphQLCoreConverter.DEFINITION_BACKREF


async def _when_all_are_there(results: Any, pending: Sequence[Any]) -> Any:
    """The object or list, once what is pending at these names or places has come in; the first error ends all.

    All run at once, or loaders would have nothing to put together. One of them runs here: a task costs more than most
    resolvers. The others are scheduled before it begins, so they are not late for what it asks a loader.
    """
    here, *elsewhere = pending
    tasks = [asyncio.ensure_future(results[each]) for each in elsewhere]
    try:
        results[here] = await results[here]
        for each, task in zip(elsewhere, tasks, strict=True):
            results[each] = await task
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return results


class _NotSoSimple(Exception):
    """A value that is not completed by the short way."""


def _completer(return_type: GraphQLOutputType) -> Callable[[Any], Any] | None:
    """The short way of a leaf, or a list of leaves; None for what has a selection of its own."""
    if isinstance(return_type, GraphQLNonNull):
        inner = _completer(return_type.of_type)
        return None if inner is None else _never_null(inner)
    if isinstance(return_type, GraphQLList):
        inner = _completer(return_type.of_type)
        return None if inner is None else _each(inner)
    if isinstance(return_type, GraphQLEnumType):
        return _enum(return_type)
    if isinstance(return_type, GraphQLScalarType):
        return _leaf(return_type)
    return None


def _never_null(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def complete(value: Any) -> Any:
        if value is None:
            raise _NotSoSimple
        return inner(value)

    return complete


def _each(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def complete(values: Any) -> Any:
        if values is None:
            return None
        if type(values) not in (list, tuple):
            raise _NotSoSimple
        return [inner(value) for value in values]

    return complete


def _leaf(leaf: GraphQLScalarType) -> Callable[[Any], Any]:
    serialize = leaf.coerce_output_value

    def complete(value: Any) -> Any:
        if value is None:
            return None
        serialized = serialize(value)
        if serialized is None or serialized is Undefined or isinstance(value, (Exception, CoroutineType)):
            raise _NotSoSimple
        return serialized

    return complete


def _enum(leaf: GraphQLEnumType) -> Callable[[Any], Any]:
    """The library looks through all members for each value."""
    members = getattr(leaf, "wrapped_cls", ())
    names = {member: leaf.coerce_output_value(member) for member in members}
    return lambda value: None if value is None else names[value]
