"""The deterministic data set: one invented retailer, generated from a seed number. Same seed, same bytes, on every machine.

Takes   a scale (``tiny`` for tests, ``small`` for a house on one machine) and a seed number.
Gives   NDJSON files with a manifest of their sha256, or the same documents inserted into the five services' databases.
Never   reads the clock, the network or the order of a set; never writes what a service's audit would refuse.
Theory  Each entity draws from a stream of its own, ``sha256(seed, kind, id)``, so a new field shifts no other entity.
        ``world`` decides what exists, ``history`` what happened to it, ``documents`` spells both as each service stores
        it (the one place that knows the five stores), ``load`` puts them there.
"""
