"""Several processes on one listening socket: started, watched, replaced, and ended together.

The parent loads the supergraph once and forks, so that the workers share its memory; it serves nothing itself. A worker that
dies is replaced after a pause that grows with every death in a row; when the first ones die before they have served at
all, the parent gives up, since the next would, too. SIGTERM and SIGINT are passed on, also a second one. A worker
ends with its parent, however that ends.

What belongs here: processes. What does not: what a worker does.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from subgraphs.chassis.process import dies_with
from subgraphs.chassis.telemetry import forget_worker, logger

PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Before the first, second … replacement in a row; the last repeats."""
STEADY_S = 30.0
"""A worker that lived so long did not die of its start."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class _Children:
    """The workers alive, and what has been asked of them."""

    started: dict[int, float] = field(default_factory=dict)
    """Process id → when it was forked, by the monotonic clock."""
    stopping: bool = False
    told: set[int] = field(default_factory=set)
    """Those that were told to stop: told again they would drop what they are doing."""

    def stop(self, sig: int, frame: FrameType | None = None) -> None:
        again = self.stopping and frame is not None
        self.stopping = True
        for pid in list(self.started):
            if again or pid not in self.told:
                self.told.add(pid)
                os.kill(pid, sig)


def supervise(count: int, work: Callable[[], None]) -> int:
    """Run ``work`` in that many processes until a signal; the exit status for the parent.

    0 when every worker ended because it was told to, 1 when none can be kept alive.
    """
    children = _Children()
    # What is there now stays; the collector must not touch its pages in every worker.
    gc.collect()
    gc.freeze()
    for each in _SIGNALS:
        signal.signal(each, children.stop)
    for _ in range(count):
        _start(children, work)
    deaths = 0
    while children.started:
        if children.stopping:
            # One that was being started when the signal came has not heard of it.
            children.stop(signal.SIGTERM)
        try:
            pid, status = os.wait()
        except ChildProcessError:
            break
        lived_s = time.monotonic() - children.started.pop(pid, 0.0)
        forget_worker(pid)
        if children.stopping:
            continue
        deaths = 1 if lived_s > STEADY_S else deaths + 1
        code = os.waitstatus_to_exitcode(status)
        logger("workers").error("worker died", pid=pid, exit_code=code, lived_s=round(lived_s, 1))
        if deaths > len(PAUSES_S):
            print(f"{deaths} workers died one after the other: giving up.", file=sys.stderr, flush=True)
            children.stop(signal.SIGTERM)
            _await_rest(children)
            return 1
        _pause(PAUSES_S[min(deaths, len(PAUSES_S)) - 1], children)
        if not children.stopping:
            _start(children, work)
    return 0


def _start(children: _Children, work: Callable[[], None]) -> None:
    # A signal waits until both know who they are: the child must not act on it as the parent.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    bound = dies_with(os.getpid())
    pid = os.fork()
    if pid:
        children.started[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    bound()
    try:
        work()
    except BaseException:  # noqa: BLE001  a worker never returns into the parent's code
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _pause(seconds: float, children: _Children) -> None:
    """Wait, unless told to stop."""
    until = time.monotonic() + seconds
    while not children.stopping and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))


def _await_rest(children: _Children) -> None:
    while children.started:
        try:
            pid, _ = os.wait()
        except ChildProcessError:
            return
        children.started.pop(pid, None)
