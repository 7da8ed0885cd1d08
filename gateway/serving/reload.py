"""A supergraph whose file changes while the gateway serves: noticed, read, taken up.

The file is looked at once in a while, and read when it has been the same for two looks: whoever writes it may not be
done. What cannot be served is refused with its reason in the log, and the gateway goes on with what it has; the next change
of the file is the next try. Each worker does this for itself.

What belongs here: when. What does not: how a snapshot takes the place of another (``pipeline``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from prometheus_client import Counter

from gateway.errors import GatewayError
from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.snapshot import Snapshot
from gateway.serving.files import StartRefused
from gateway.supergraph import Supergraph
from subgraphs.chassis.telemetry import logger

RELOADS = Counter("galleria_reloads", "Changes of the supergraph's file, by whether it was taken up.", ("outcome",))

_log = logger("reload")

Stamp: TypeAlias = tuple[int, int, int]
"""When it was written, how long it is, and which file it is."""


class Reloader:
    """Watches one file for one pipeline."""

    def __init__(
        self,
        file: Path,
        pipeline: Pipeline,
        *,
        read: Callable[[], Supergraph],
        documents: Callable[[], Iterable[str]],
        accept: Callable[[Snapshot], None],
    ) -> None:
        """``read`` raises StartRefused for a file that cannot be served, ``accept`` for a snapshot that may not be."""
        self._file = file
        self._pipeline = pipeline
        self._read = read
        self._documents = documents
        self._accept = accept
        self._taken = self._seen = self._stamp()

    async def watch(self, every_s: float) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    async def look(self) -> None:
        """Take up the file if it has changed since it was taken, and not since it was looked at."""
        stamp, before = self._stamp(), self._seen
        self._seen = stamp
        if stamp is None or stamp == self._taken or stamp != before:
            return
        self._taken = stamp
        started = time.monotonic()
        try:
            supergraph = await asyncio.to_thread(self._read)
            plans = await self._pipeline.reload(supergraph, self._documents(), accept=self._accept)
        except (StartRefused, GatewayError) as refused:
            RELOADS.labels("refused").inc()
            _log.error("the supergraph was not taken up", file=str(self._file), reason=str(refused))
        except Exception:  # noqa: BLE001  a bug of ours: the gateway serves what it has
            RELOADS.labels("refused").inc()
            _log.exception("the supergraph was not taken up", file=str(self._file))
        else:
            RELOADS.labels("taken").inc()
            _log.info(
                "supergraph taken up",
                subgraphs=list(supergraph.subgraphs),
                plans=plans,
                took_s=round(time.monotonic() - started, 2),
            )

    def _stamp(self) -> Stamp | None:
        try:
            found = self._file.stat()
        except OSError:
            return None  # Between two versions of it there may be none.
        return found.st_mtime_ns, found.st_size, found.st_ino
