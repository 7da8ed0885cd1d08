"""The whole house on one machine: the database, the five subgraphs and the gateway as real processes, for people and tests.

Takes   a data directory and ports.
Gives   a running house (``House``), ``make up`` (``up``) and the self-checking tour ``make demo`` (``demo``).
Never   imports a subgraph: it starts processes and speaks HTTP to them, as production would.
Theory  Children die with their parent, even one that is killed; a child that dies alone is started again, unless
        somebody else has already started one on its port.
"""
