"""The house under measurement, what its clients share, and how far along they are. No figures in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.local.house import SUBGRAPHS, House
from tests.benchmarks.client import LeanClient
from tests.benchmarks.direct import Direct

SCHEMA = Path(__file__).parents[2] / "schema"
DATABASE = "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    house: House
    client: LeanClient
    direct: Direct
    staff: str
    """A token that may do what the counter and the stock room do."""
    ready_s: float
    """From nothing to a ready gateway."""
    gateway_ready_s: float
    """Of that, the gateway alone."""
    database_pid: int | None
    """None when somebody else's server is used."""
    say: Callable[[str], None]
    """Tells people what is being done."""

    @property
    def processes(self) -> dict[str, int]:
        named = {name: self.house.processes[name].pid for name in ("gateway", *SUBGRAPHS)}
        return named if self.database_pid is None else {**named, DATABASE: self.database_pid}

    @property
    def behind_gateway(self) -> tuple[str, ...]:
        """Everybody a request meets after the gateway."""
        return tuple(name for name in self.processes if name != "gateway")
