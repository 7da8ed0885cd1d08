"""What everybody holds after all the work, and the most they ever held."""

from __future__ import annotations

from tests.benchmarks.meters import resident_mb, resident_peak_mb
from tests.benchmarks.results import Table
from tests.benchmarks.site import Site


async def measure(site: Site) -> tuple[Table, ...]:
    table = Table(
        name="memory",
        title="Memory after all of the above",
        note="Read when every workload before it has run in the same processes.",
        columns=("process", "RSS MB", "peak RSS MB"),
        rows=tuple((name, resident_mb(pid), resident_peak_mb(pid)) for name, pid in site.processes.items()),
    )
    return (table,)
