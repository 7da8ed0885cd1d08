"""Planning: which subgraph answers what, and in which order.

Takes: an ``Operation`` and a ``Supergraph``. Gives: a ``QueryPlan``. Never: does I/O, reads a clock or a variable's value.
Theory: needs (what is wanted, place by place) → a walk (decides) → fetch graph (groups and what they wait for) → passes →
plan. ``choices`` explains how walks are searched, ``walk`` how one walk decides, ``verify`` trusts neither,
``explain`` says afterwards why a plan is as it is.
"""
