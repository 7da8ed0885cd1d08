"""What grows when something else does: entities, subgraphs, connections, types. ``make bench-curves``.

Takes   the checkout; no house, no database.
Gives   a table for each curve, one of how they grow, and the chart.
Never   counts a request that was not answered as it should be: the bench then ends without figures.
Theory  Our gateway alone, a process pinned to its core, in front of the rivals' cheap subgraphs or graphs like them, so that
        what grows is the gateway's own work. Each point is the median of three slices. Points are fitted with a fixed cost
        beside the one that grows: without it every curve looks flatter than it is.

``graphs`` are the graphs that grow and their data; ``subgraphs`` serves them; ``measure`` asks; ``cold`` composes, loads and
plans; ``chart`` draws. The fit is in ``tests.benchmarks.growth``.
"""
