"""One supervised child process: start, wait until it answers, stop, kill. No knowledge of what the child does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from subgraphs.chassis.process import dies_with

READY_POLL_S = 0.05
STOP_GRACE_S = 8.0
LOG_TAIL_LINES = 15


class StartFailed(Exception):
    """A process did not come up; the text says which, why, and the end of its log."""


class Process:
    """A child with its own session (so that Ctrl-C reaches the parent alone) and its output in a log file."""

    def __init__(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.environment = dict(environment)
        self.log = log
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    @property
    def returncode(self) -> int | None:
        return self._child.returncode if self._child is not None else None

    async def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._child = await asyncio.create_subprocess_exec(
                *self.argv,
                env={**os.environ, **self.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=dies_with(os.getpid()),
            )

    async def wait(self) -> int:
        assert self._child is not None, f"{self.name} was not started"
        return await self._child.wait()

    async def wait_ready(self, url: str, *, deadline_s: float) -> None:
        """Until ``url`` answers 200. Raises StartFailed when the child ends first or the deadline passes."""
        deadline = time.monotonic() + deadline_s
        said = "nothing yet"
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            while time.monotonic() < deadline:
                if not self.running:
                    raise StartFailed(f"{self.name} ended with status {self.returncode}.\n{self.log_tail()}")
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(url)
                    if answer.status_code == 200:
                        return
                    said = f"HTTP {answer.status_code}: {answer.text[:300]}"
                await asyncio.sleep(READY_POLL_S)
        raise StartFailed(f"{self.name} was not ready after {deadline_s:.0f} s ({url} said {said}).\n{self.log_tail()}")

    async def stop(self) -> None:
        """Ask to stop, wait, and kill what did not listen."""
        if not self.running:
            return
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await self.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        if self.running:
            self.send(signal.SIGKILL)
            await self.wait()

    def send(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, which)

    def log_tail(self) -> str:
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines)


def free_port() -> int:
    """A port nobody listens on now. Somebody else may take it before we do; the caller then fails to start and says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
