"""The subgraphs of a graph that grows: ``python -m tests.benchmarks.curves.subgraphs KIND SIZE PORT…``. They remember answers."""

from __future__ import annotations

import sys

from tests.benchmarks.curves.graphs import MAKE
from tests.benchmarks.rivals.subgraphs import serve

if __name__ == "__main__":
    kind, size, *ports = sys.argv[1:]
    serve(MAKE[kind](int(size)), [int(port) for port in ports])
