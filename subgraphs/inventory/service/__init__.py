"""Inventory's use cases.

Takes principals, questions and commands. Gives answers, and events in the transaction of every change.
Never GraphQL. ``book`` is the only writer of stock; ``live`` the only watcher of it; ``inventory`` is what the schema
calls; ``audit`` recomputes everything from the ledger.
"""
