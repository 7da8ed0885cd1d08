"""A plan made ready to run: its steps, what each sends, and in which order they go.

What belongs here: what is the same for all requests that run a plan, and the order. What does not: what a request has in
hand while it runs (``executor``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, parse

from gateway.exchange import encode
from gateway.execution.compiled import Heat
from gateway.execution.folding import Folding
from gateway.execution.introspection import Introspection
from gateway.execution.projection import Projection
from gateway.execution.representations import Entities
from gateway.operation import Operation
from gateway.plan import Fetch, Guard, QueryPlan
from gateway.supergraph import Live

Variables: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Executable:
    """A plan and its operation, read once for all requests that run them. Equal only to itself."""

    plan: QueryPlan
    operation: Operation
    steps: tuple[Step, ...]
    upstream: Step | None
    """The subscription at the source, for a plan that has one."""
    live: Live | None
    """What makes its events a live view, if the schema says so."""
    folding: Folding | None
    """How they fold, as this operation selects them."""
    projection: Projection
    introspection: Introspection
    has_contexts: bool
    heat: Heat


class Step:
    """One fetch, as far as it is the same for all requests."""

    __slots__ = ("_filled", "entities", "fetch", "followers", "prefix")

    def __init__(self, fetch: Fetch, followers: tuple[int, ...]) -> None:
        self.fetch = fetch
        self.followers = followers
        self.entities = tuple(Entities(each) for each in fetch.entities)
        head = {"query": fetch.document}
        if fetch.operation_name is not None:
            head["operationName"] = fetch.operation_name
        self.prefix = encode(head)[:-1]
        self._filled: dict[str, tuple[str, ...]] | None = None

    def sent(self, variables: Variables) -> dict[str, Any]:
        """Those of the client's variables that the fetch names; one that was left out is left out here too."""
        return {name: variables[name] for name in self.fetch.variables if name in variables}

    def body(self, variables: Variables) -> bytes:
        if not variables:
            return self.prefix + b"}"
        return self.prefix + b',"variables":' + encode(variables) + b"}"

    def filled(self, alias: str | None) -> tuple[str, ...]:
        """The canonical keys that this fetch fills in each of its objects; of one ``_entities`` selection, by alias.

        Asked when the fetch has failed, hence only then read from its document.
        """
        if self._filled is None:
            self._filled = self._read_filled()
        return self._filled.get(alias or "", ())

    def _read_filled(self) -> dict[str, tuple[str, ...]]:
        definition = parse(self.fetch.document, no_location=True).definitions[0]
        assert isinstance(definition, OperationDefinitionNode)
        canonical = {each.source: each.target for each in self.fetch.renames if not each.path}
        if not self.entities:
            return {"": _keys(definition.selection_set, canonical)}
        return {
            _response_key(node): _keys(node.selection_set, canonical)
            for node in definition.selection_set.selections
            if isinstance(node, FieldNode) and node.selection_set is not None
        }


def _keys(selections: SelectionSetNode, canonical: Mapping[str, str]) -> tuple[str, ...]:
    found = [canonical.get(key, key) for key in (_response_key(node) for node in _fields(selections))]
    return tuple(key for key in dict.fromkeys(found) if key != "__typename")


def _fields(selections: SelectionSetNode) -> Iterator[FieldNode]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set)


def _response_key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


class Course:
    """Steps on their way. No closures: each would keep what the request holds until the collector comes."""

    __slots__ = ("do", "group", "steps", "waiting")

    def __init__(self, steps: tuple[Step, ...], do: Callable[[Step], Awaitable[None]]) -> None:
        self.steps = steps
        self.do = do
        self.waiting = [0] * len(steps)
        for step in steps:
            for follower in step.followers:
                self.waiting[follower] += 1

    async def run(self) -> None:
        ready = [step for step, count in zip(self.steps, self.waiting, strict=True) if not count]
        async with asyncio.TaskGroup() as self.group:
            for step in ready:
                self.group.create_task(self.follow(step))

    async def follow(self, step: Step) -> None:
        # What follows goes on in the same task; only what goes on beside it needs one of its own.
        following: Step | None = step
        while following is not None:
            done, following = following, None
            await self.do(done)
            for each in done.followers:
                self.waiting[each] -= 1
                if not self.waiting[each]:
                    if following is None:
                        following = self.steps[each]
                    else:
                        self.group.create_task(self.follow(self.steps[each]))


def holds(guard: Guard, variables: Variables) -> bool:
    """Whether any of the guard's conjunctions does; the empty guard always holds."""
    return not guard or any(
        all((variables.get(name) is True) is wanted for name, wanted in conjunction) for conjunction in guard
    )
