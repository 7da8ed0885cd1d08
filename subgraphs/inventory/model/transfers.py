"""Transfers: goods on their way from one location to another. Pure.

::

    DRAFT ──ship──▶ IN_TRANSIT ──receive──▶ RECEIVED
      └──cancel──▶ CANCELLED

A draft moves nothing. What is shipped leaves the source and is inbound at the target until it is received. Received is
what was counted at the target's dock: what is more or less than was shipped is a variance, told apart, so that what left
and what arrived always add up to nothing and the loss has a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from subgraphs.kernel.errors import InvalidInput

RECEIVED_FACTOR_MAX = 10


class TransferState(Enum):
    """Where a transfer stands."""

    DRAFT = "DRAFT"
    IN_TRANSIT = "IN_TRANSIT"
    RECEIVED = "RECEIVED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class TransferLine:
    """Units of a SKU: what was or is to be shipped, and what was received."""

    sku: str
    shipped: int
    received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer; ``suggestion_id`` where it was one."""

    id: str
    source_id: str
    target_id: str
    state: TransferState
    lines: tuple[TransferLine, ...]
    suggestion_id: str | None
    by: str
    at: datetime

    def shipped(self) -> Transfer:
        """On its way."""
        self._is(TransferState.DRAFT, "ship")
        return replace(self, state=TransferState.IN_TRANSIT)

    def cancelled(self) -> Transfer:
        """Given up before it left."""
        self._is(TransferState.DRAFT, "cancel")
        return replace(self, state=TransferState.CANCELLED)

    def received(self, counted: Mapping[str, int]) -> Transfer:
        """At its target, with these units; a SKU that is not named did not come."""
        self._is(TransferState.IN_TRANSIT, "receive")
        known = {line.sku: line for line in self.lines}
        for sku, units in counted.items():
            if sku not in known:
                raise InvalidInput(f"{sku} is not in this transfer", path=("lines", "sku"))
            if not 0 <= units <= known[sku].shipped * RECEIVED_FACTOR_MAX:
                raise InvalidInput(f"{units} of {sku} cannot be: {known[sku].shipped} left", path=("lines", "quantity"))
        lines = tuple(replace(line, received=counted.get(line.sku, 0)) for line in self.lines)
        return replace(self, state=TransferState.RECEIVED, lines=lines)

    def _is(self, state: TransferState, what: str) -> None:
        if self.state is not state:
            raise InvalidInput(f"a transfer that is {self.state.value} cannot {what}", path=("transferId",))
