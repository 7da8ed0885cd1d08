"""The audit: the invariants I1 to I16 of the house, each checked against nothing but what the databases hold.

Takes   a server and the databases' prefix.
Gives   a ``Finding`` for each invariant: how many facts were looked at, and every violation by its documents' ids.
Never   imports a domain or writes anything. A reader that shared the services' code would share their mistakes, so
        what a document means is said here once more.
Theory  all databases are read in *one* snapshot (``books.py``); the checks are then pure functions over it, and hold at
        every moment of a running house. What is still
        under way meanwhile is told by ``invariants.unrest``.
"""
