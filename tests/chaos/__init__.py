"""Processes are killed, replies are lost and clocks are wrong while people buy; afterwards every invariant must hold.

Takes   a seed and a number of seconds: the same seed, the same schedule of kills and faults.
Gives   a ``Report``: what buyers were told, what was killed, and every violation of an invariant.
Never   looks at a service's memory, and replaces nothing by a mock: a real database, real processes, real sockets.
"""
