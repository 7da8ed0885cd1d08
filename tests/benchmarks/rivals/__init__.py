"""Our gateway beside those of others, in front of the same subgraphs, on the same core, in turns: ``make bench-rivals``.

Takes   the checkout; what ``contenders`` installs from npm into ``.data/npm-bench``, where there is Node and a network.
Gives   tables as ``results`` has them, and the chart.
Never   counts a gateway with a wrong answer: it is named, with what it said.
Theory  All gateways run at once, each asked in short slices, one after the other, over and over: what disturbs the
        machine disturbs all. Those who are not asked cost nothing. CPU time of the process tree comes first; throughput
        is bounded by the core that client and subgraphs share, and says less.

``world`` is the graph, its data and its operations; ``subgraphs`` serves it; ``contenders`` are the gateways and how each
is started; ``questions`` sends an operation and knows its answer; ``match`` lets them take turns; ``tables`` and ``chart``
show what came of it.
"""
