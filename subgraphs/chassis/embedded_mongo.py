"""The embedded MongoDB server: installs it into an environment of its own and runs it as a process of its own.

It speaks MongoDB's wire protocol and stores with WiredTiger; it is only ever reached through its URI, as any other
server is. This file starts and stops a process and knows no driver.

The process dies with its parent, however the parent dies: ``PR_SET_PDEATHSIG`` makes the kernel tell it. That signal
follows the *thread* that started it, so start it from a thread that lives as long as the server should.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from subgraphs.chassis.process import dies_with

Variant = Literal["rust", "python"]

VERSIONS: dict[Variant, str] = {"rust": "0.6.0b17", "python": "0.7.0b3"}
DISTRIBUTION = "secantusdb"
ROOT = Path(".data/mongodb-server")
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02

# Every acknowledged commit is on disk, in log files small enough that recovery takes a second; memory is bounded.
_FLAGS: dict[Variant, tuple[str, ...]] = {
    "rust": ("--sync-on-commit", "--log-file-max", "16MB", "--cache-size", "256M", "--log-level", "WARNING"),
    "python": ("--sync-on-commit",),
}
_LISTENING = re.compile(r"listening on [^\s:]+:(\d+)")


class EmbeddedServerFailed(Exception):
    """The server could not be installed or did not start; the message says what it said."""


def install(root: Path = ROOT, variant: Variant = "rust", say: Callable[[str], None] | None = None) -> Path:
    """Makes sure the server is installed below ``root``; its environment's folder.

    Several processes may ask at once: one installs, the others wait for it. A folder appears only when it is whole.
    """
    version = VERSIONS[variant]
    target = root / version
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with (root / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        if say is not None:
            say(f"installing the embedded MongoDB server ({DISTRIBUTION} {version}) into {target}")
        partial = root / f"{version}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        # The Rust server is one binary in the wheel; the Python one needs what it depends on.
        alone = ("--no-deps",) if variant == "rust" else ()
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts")
        wanted = f"{DISTRIBUTION}=={version}"
        done = subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
            [*pip, *alone, "--target", str(partial), wanted], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(partial, ignore_errors=True)
            raise EmbeddedServerFailed(f"could not install {wanted}: {done.stderr.strip()[-500:]}")
        partial.rename(target)
    return target


class EmbeddedMongo:
    """A running server over ``data_dir``, from its first answer to the end of the block. Port 0 takes a free one.

    Both ``with`` and ``async with``; each gives the URI. ``say`` gets a line when something takes long.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        variant: Variant = "rust",
        root: Path = ROOT,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._port = port
        self._variant = variant
        self._root = root
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def __enter__(self) -> str:
        self._start(install(self._root, self._variant, self._say))
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while (uri := self._uri_once_it_answers(deadline)) is None:
                time.sleep(POLL_S)
        except BaseException:
            self._stop()
            raise
        return uri

    def __exit__(self, *_: object) -> None:
        self._stop()

    async def __aenter__(self) -> str:
        # Installing may take seconds and runs aside; starting stays on this thread, whose end the server follows.
        self._start(await asyncio.to_thread(install, self._root, self._variant, self._say))
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while (uri := self._uri_once_it_answers(deadline)) is None:  # noqa: ASYNC110 - a process has no event
                await asyncio.sleep(POLL_S)
        except BaseException:
            self._stop()
            raise
        return uri

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._stop)

    def _start(self, home: Path) -> None:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the server installed above, arguments of our own
                [
                    *_command(home, self._variant),
                    *("--host", "127.0.0.1", "--port", str(self._port)),
                    *("--storage-path", str(self._data_dir / "store"), *_FLAGS[self._variant]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(home)} if self._variant == "python" else None,
                start_new_session=True,
                preexec_fn=dies_with(os.getpid()),
            )

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _uri_once_it_answers(self, deadline: float) -> str | None:
        assert self._process is not None
        said = self._log.read_text(errors="replace")
        if self._process.poll() is not None:
            raise EmbeddedServerFailed(f"the embedded server ended at its start: {said.strip()[-500:]}")
        if found := _LISTENING.search(said):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(found[1])), timeout=1):
                return f"mongodb://127.0.0.1:{found[1]}/?replicaSet=secantus"
        if time.monotonic() > deadline:
            raise EmbeddedServerFailed(f"the embedded server did not answer within {START_TIMEOUT_S:.0f} s")
        return None

    @property
    def _log(self) -> Path:
        return self._data_dir / "server.log"


def _command(home: Path, variant: Variant) -> list[str]:
    if variant == "rust":
        return [str((home / "secantusdb.scripts" / "secantusd-rs").resolve())]
    return [sys.executable, "-m", "secantus"]
