"""Chaos: people buy while processes die, replies are lost and clocks differ; then the books are audited.

Takes   a seed, how long, how much traffic. The same seed draws the same schedule of faults and the same buyers; what the
        machine makes of them differs from run to run.
Gives   a report: what was tried, what came of it, what was killed, and every violation of an invariant.
Never   looks into a process: it kills them, stands in front of them (``proxy``), and reads what they wrote (the audit).
"""
