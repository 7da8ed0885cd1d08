"""Named places where a process may be made to die, for tests of recovery. Unarmed, passing one costs a set lookup.

Only tests arm a point; a service is built with none armed and offers no way to arm one from outside.
"""

from __future__ import annotations


class Killed(BaseException):
    """Stands for the death of the process: nothing that handles errors may handle it."""


class FaultPoints:
    """The points armed in one service."""

    def __init__(self) -> None:
        self._armed: set[str] = set()

    def arm(self, name: str) -> None:
        """The next pass of that point is the last thing the process does; the one after is free again."""
        self._armed.add(name)

    def fault(self, name: str) -> None:
        """Marks a point; ``Killed`` if it is armed."""
        if name in self._armed:
            self._armed.discard(name)
            raise Killed(name)
