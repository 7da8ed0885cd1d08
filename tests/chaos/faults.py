"""What will go wrong and when: drawn from the seed alone, printed before it begins. Nothing is done here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from gateway.local.house import SUBGRAPHS
from tests.chaos.proxy import Fault, Harm

DATABASE, GATEWAY = "database", "gateway"
VICTIMS = (*SUBGRAPHS, GATEWAY, DATABASE)
SKEW_S_MAX = 45
"""Two clocks differ by at most twice this: less than the 120 s that a hold is made to outlive what it is needed for."""
_PACE_S = 6.0
_DOWN_S = (0.2, 2.5)
_FAULT_S = (0.8, 2.5)
_PEACE_S = (0.2, 2.0)
_STRENGTHS = {
    Harm.DELAY: (0.05, 0.6),
    Harm.LOSE_REPLIES: (0.05, 0.4),
    Harm.LOSE_REQUESTS: (0.05, 0.4),
}
# A reply to the database's driver is one of very many that a purchase needs.
_DATABASE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Kill:
    """``kill -9`` at a moment, and started again after a while."""

    at_s: float
    victim: str
    down_s: float

    def __str__(self) -> str:
        return f"{self.at_s:6.1f} s  kill -9 {self.victim}, {self.down_s:.1f} s"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault on a link for a while."""

    at_s: float
    link: str
    fault: Fault
    lasts_s: float

    def __str__(self) -> str:
        how = f" {self.fault.strength:.2f}" if self.fault.strength else ""
        return f"{self.at_s:6.1f} s  {self.fault.harm.value}{how} before {self.link}, {self.lasts_s:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All that will go wrong in a run. ``offsets_s`` is how far each service's clock is ahead."""

    kills: tuple[Kill, ...]
    troubles: tuple[Trouble, ...]
    offsets_s: dict[str, float]

    def lines(self) -> list[str]:
        clocks = ", ".join(f"{name} {offset:+.0f} s" for name, offset in self.offsets_s.items())
        events = sorted((*self.kills, *self.troubles), key=lambda event: event.at_s)
        return [f"clocks: {clocks}", *map(str, events)]


def draw(seed: int, seconds: float, links: Sequence[str], victims: Sequence[str] = VICTIMS) -> Schedule:
    """Each victim is killed at least once, in random order, one at a time; a fault on a link most of the time."""
    chance = Random(f"schedule {seed}")
    rounds = max(1, round(seconds / (_PACE_S * len(victims))))
    order = [victim for _ in range(rounds) for victim in chance.sample(victims, len(victims))]
    pace = seconds / (len(order) + 0.5)
    kills = tuple(
        Kill(pace * (number + 0.25 + chance.uniform(0, 0.4)), victim, min(chance.uniform(*_DOWN_S), pace / 2))
        for number, victim in enumerate(order)
    )
    troubles = []
    at_s = chance.uniform(0, 1)
    while at_s < seconds - 1:
        link, harm = chance.choice(links), chance.choice(list(Harm))
        strength = chance.uniform(*_STRENGTHS[harm]) if harm in _STRENGTHS else 0.0
        if link == DATABASE:
            strength *= _DATABASE_SHARE
        lasts_s = min(chance.uniform(*_FAULT_S), seconds - at_s)
        troubles.append(Trouble(at_s, link, Fault(harm, strength), lasts_s))
        at_s += lasts_s + chance.uniform(*_PEACE_S)
    offsets = {name: float(chance.randint(-SKEW_S_MAX, SKEW_S_MAX)) for name in SUBGRAPHS}
    return Schedule(kills=kills, troubles=tuple(troubles), offsets_s=offsets)
