"""The passes: what is improved on a finished fetch graph, in this order.

Takes: a ``FetchGraph``. Gives: bundles of groups, each of which becomes one request. Never: decides who answers what.
"""

from gateway.planning.passes.batch import Bundle, batch

__all__ = ["Bundle", "batch"]
