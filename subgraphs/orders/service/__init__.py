"""Orders' use cases.

Takes principals, questions and commands. Gives answers, and events in the transaction of every change.
Never GraphQL of its own. ``carts``, ``checkouts``, ``orders`` and ``live`` are what the schema calls, ``completion`` runs
the saga of a checkout, ``access`` says who may, ``peers`` asks the other services, ``audit`` recomputes.
"""
