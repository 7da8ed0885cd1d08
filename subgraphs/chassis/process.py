"""Processes and their parents, on Linux. Not here: what a process runs."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def dies_with(parent: int) -> Callable[[], None]:
    """For ``preexec_fn``, or a fork's child: it is terminated when the thread that started it ends, even by ``kill -9``."""
    # Loaded before the fork: a child of a threaded process should not load libraries.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        # The parent may have died before the kernel was told; then nobody will send the signal.
        if os.getppid() != parent:
            os._exit(1)

    return arrange
