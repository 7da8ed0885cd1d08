"""Which plans are compiled: those that prove hot. What belongs here: counting and keeping; not how it is done."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Executor as ThreadExecutor
from typing import Any, Final, TypeAlias

from gateway.execution.compiled.layout import Unsuited, layout
from gateway.execution.compiled.program import BROKEN, Program
from gateway.execution.compiled.source import source
from gateway.execution.nodes import ObjectNode
from gateway.execution.projection import Projection
from gateway.plan import QueryPlan
from gateway.supergraph import Supergraph
from subgraphs.chassis.telemetry import logger

_log = logger("compiled plans")

PROGRAMS_MAX: Final = 300
"""Kept at a time, about 150 KB each."""

Values: TypeAlias = tuple[bool, ...]


class Heat:
    """What is known of one plan: how often it ran, and its programs, by the values of its condition variables."""

    __slots__ = ("name", "plan", "programs", "projection", "runs")

    def __init__(self, plan: QueryPlan, projection: Projection, name: str) -> None:
        self.plan = plan
        self.projection = projection
        self.name = name
        self.runs: dict[Values, int] = {}
        self.programs: dict[Values, Program | None] = {}
        """None: it is being made, or there is none to be had."""


class Programs:
    """The programs of one snapshot."""

    def __init__(
        self,
        supergraph: Supergraph,
        *,
        after: int,
        worker: ThreadExecutor | None = None,
        kept_max: int = PROGRAMS_MAX,
    ) -> None:
        self._supergraph = supergraph
        self._after = after
        self._worker = worker
        self._kept_max = kept_max
        self._kept: deque[tuple[Heat, Values]] = deque()

    def get(self, heat: Heat, variables: Mapping[str, Any]) -> Program | None:
        """The program to run, if there is one yet. Asked for every execution."""
        values = heat.projection.values(variables)
        if values in heat.programs:
            program = heat.programs[values]
            return program if program is not None and program.pays else None
        if not self._after:
            return None
        runs = heat.runs[values] = heat.runs.get(values, 0) + 1
        if runs < self._after:
            return None
        return self._start(heat, values, heat.projection.shape(variables))

    def warm(self, heat: Heat) -> None:
        """Count a plan as hot. One with conditions has yet to show which it is run under."""
        if self._after and not heat.projection.conditions and () not in heat.programs:
            self._keep(heat, (), self._try(heat, (), heat.projection.shape({})))

    def make(self, heat: Heat, variables: Mapping[str, Any]) -> Program:
        """The program, made now. Raises Unsuited."""
        values = heat.projection.values(variables)
        return self._make(heat, values, heat.projection.shape(variables))

    def _start(self, heat: Heat, values: Values, shape: ObjectNode) -> Program | None:
        heat.programs[values] = None
        if self._worker is None or self._after == 1:
            return self._keep(heat, values, self._try(heat, values, shape))
        making = asyncio.get_running_loop().run_in_executor(self._worker, self._try, heat, values, shape)
        making.add_done_callback(lambda made: made.cancelled() or self._keep(heat, values, made.result()))
        return None

    def _keep(self, heat: Heat, values: Values, program: Program | None) -> Program | None:
        heat.programs[values] = program
        self._kept.append((heat, values))
        if len(self._kept) > self._kept_max:
            # It may prove hot again.
            oldest, its = self._kept.popleft()
            oldest.programs.pop(its, None)
            oldest.runs.pop(its, None)
        return program

    def _try(self, heat: Heat, values: Values, shape: ObjectNode) -> Program | None:
        try:
            return self._make(heat, values, shape)
        except Unsuited:
            return None
        except Exception:  # noqa: BLE001  a bug of ours: the plan is interpreted as before
            _log.exception("a plan could not be compiled")
            BROKEN.inc()
            return None

    def _make(self, heat: Heat, values: Values, shape: ObjectNode) -> Program:
        truths = dict(zip(heat.projection.conditions, values, strict=True))
        found = layout(heat.plan, shape, truths, self._supergraph)
        return Program(found, source(found), heat.name)
