"""Plans as generated Python, for those that are run again and again.

Takes   a ``QueryPlan``, the client's shape under some values of the plan's condition variables.
Gives   a ``Program``: the response's bytes, or None when something was not as it is when nothing is wrong.
Never   decides what an error or a null means: the interpreter (``execution.executor``) does, from the same replies.
Theory  Most requests have no errors, and all they need is known from the plan: which objects there will be, of which
        fields and types, and what of them goes where. ``layout`` finds that out, ``source`` writes it as Python,
        ``program`` runs it; ``programs`` says for which plans that is worth while.
"""

from gateway.execution.compiled.layout import Unsuited
from gateway.execution.compiled.program import CHUNKS_AT_ONCE_MAX, Program
from gateway.execution.compiled.programs import Heat, Programs

__all__ = ["CHUNKS_AT_ONCE_MAX", "Heat", "Program", "Programs", "Unsuited"]
