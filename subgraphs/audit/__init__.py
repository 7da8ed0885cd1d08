"""The invariants of the whole house, checked from the outside: every document is read as it lies in the five databases.

Takes   the five databases, at rest or while they are in use.
Gives   a ``Finding`` an invariant: how many facts were looked at, and what is wrong with which document.
Never   uses a subgraph's store or model: an error in those must not hide itself. Each subgraph has an audit of its own
        besides, within one snapshot, for who operates it.

Databases are read one after the other, so two of them are never seen at one moment. What is still under way (a saga that
runs, a hold that has not expired, an event that waits to be heard) is therefore looked at twice before it counts as wrong:
``audit`` reports what it finds in two readings with ``SETTLE_S`` between them.
"""

from subgraphs.audit.run import Finding, audit

__all__ = ["Finding", "audit"]
