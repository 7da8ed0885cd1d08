"""``House``: the database, the five subgraphs, the seed and the gateway, started in order and stopped in reverse.

What belongs here: which processes there are, their environment and ports. What does not: what people read on a
terminal (``up``, ``demo``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from gateway.local.processes import Process, StartFailed, free_port, port_is_taken
from gateway.pipeline.issuer import create_key_file
from subgraphs.chassis.embedded_mongo import EmbeddedMongo

SUBGRAPHS = ("catalog", "inventory", "orders", "customers", "loyalty")
DEFAULT_PORTS: Mapping[str, int] = {
    "gateway": 4000,
    "catalog": 4001,
    "inventory": 4002,
    "orders": 4003,
    "customers": 4004,
    "loyalty": 4005,
}
CONTRACTS: Mapping[str, Mapping[str, list[str]]] = {
    "agent": {"exclude": ["staff"]},
    "partner": {"include": ["partner"], "exclude": ["staff", "personal"]},
}
"""What agents and partners see of the graph, by the tags of the subgraphs' schemas (`schema/README.md`)."""
READY_DEADLINE_S = 60.0
RESTART_AFTER_S = 2.0
"""A subgraph that died is started again after this long: enough for a page without it to be seen, and for somebody to
start it by hand."""


def ephemeral_ports() -> dict[str, int]:
    return {name: free_port() for name in DEFAULT_PORTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseSettings:
    data_directory: Path
    supergraph: Path
    ports: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_PORTS))
    mongodb_uri: str | None = None
    """None starts the embedded server."""
    mongodb_driver: str = "motor"
    database_prefix: str = "galleria_"
    scale: str = "small"
    restart: bool = True
    """Start a subgraph again when it dies."""
    drop_at_end: bool = False
    """Remove the house's databases when it is left: for tours and tests on somebody else's server."""
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    subgraph_urls: Mapping[str, str] = field(default_factory=dict)
    """Where the gateway reaches a subgraph, if not where it listens: through a test's proxy."""
    process_environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What one process, by name, is told beside what all are told."""


class House:
    """An async context manager. ``say`` gets one line a step; ``show_seed`` lets the seed's progress reach the terminal."""

    def __init__(
        self, settings: HouseSettings, *, say: Callable[[str], None] = lambda line: None, show_seed: bool = False
    ) -> None:
        self.settings = settings
        self.processes: dict[str, Process] = {}
        self.mongodb_uri = settings.mongodb_uri or ""
        self._say = say
        self._show_seed = show_seed
        self._stack = contextlib.AsyncExitStack()
        self._watcher: asyncio.Task[None] | None = None
        self._expected_down: set[str] = set()

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.ports['gateway']}"

    @property
    def graphql_url(self) -> str:
        return f"{self.gateway_url}/graphql"

    def subgraph_url(self, name: str) -> str:
        return self.settings.subgraph_urls.get(name, f"http://127.0.0.1:{self.settings.ports[name]}")

    async def __aenter__(self) -> House:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def wait_until_broken(self) -> None:
        """Returns only when the gateway itself has ended; raises StartFailed then."""
        gateway = self.processes["gateway"]
        await gateway.wait()
        raise StartFailed(f"The gateway ended with status {gateway.returncode}.\n{gateway.log_tail()}")

    async def kill(self, name: str) -> None:
        """``kill -9`` a process and leave it down until ``revive``."""
        self._expected_down.add(name)
        await self.processes[name].kill()

    async def revive(self, name: str) -> None:
        """Start a process that was killed, and wait until it is ready."""
        await self.processes[name].start()
        await self.processes[name].wait_ready(self._ready_url(name), deadline_s=READY_DEADLINE_S)
        self._expected_down.discard(name)

    async def _start(self) -> None:
        settings = self.settings
        # Customers' records and the signing keys are in it; the database makes its own files readable by everybody.
        settings.data_directory.mkdir(parents=True, exist_ok=True)
        settings.data_directory.chmod(0o700)
        for name, port in settings.ports.items():
            if port_is_taken(port):
                raise StartFailed(
                    f"Port {port} ({name}) is taken by another program. Stop it, or choose other ports with --port."
                )
        if not self.mongodb_uri:
            server = EmbeddedMongo(settings.data_directory / "mongodb", say=self._say)
            self.mongodb_uri = await self._stack.enter_async_context(server)
        if settings.drop_at_end:
            self._stack.push_async_callback(self._subgraphs, "drop", "--yes")
        await self._subgraphs("seed", "--scale", settings.scale)
        self._prepare()
        for name in SUBGRAPHS:
            await self.processes[name].start()
            self._stack.push_async_callback(self.processes[name].stop)
        async with asyncio.TaskGroup() as group:
            for name in SUBGRAPHS:
                group.create_task(self.processes[name].wait_ready(self._ready_url(name), deadline_s=READY_DEADLINE_S))
        await self.processes["gateway"].start()
        self._stack.push_async_callback(self.processes["gateway"].stop)
        await self.processes["gateway"].wait_ready(self._ready_url("gateway"), deadline_s=READY_DEADLINE_S)
        if settings.restart:
            self._watcher = asyncio.create_task(self._watch(), name="house-watcher")
            self._stack.push_async_callback(self._stop_watching)

    def _ready_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.settings.ports[name]}/ready"

    def environment(self) -> dict[str, str]:
        """What every process of the house shares, for ``make serve-subgraph`` too."""
        settings = self.settings
        return {
            "MONGODB_URI": self.mongodb_uri,
            "GALLERIA_MONGODB_DRIVER": settings.mongodb_driver,
            "GALLERIA_DATABASE_PREFIX": settings.database_prefix,
            "GALLERIA_IDENTITY_SECRET": _secret(settings.data_directory / "identity.secret"),
            "GALLERIA_DEVELOPMENT": "true",
            "GALLERIA_PEERS": json.dumps({name: self.subgraph_url(name) for name in SUBGRAPHS}),
            **settings.extra_environment,
        }

    async def _subgraphs(self, *command: str) -> None:
        """Runs a command of the subgraphs' command line to its end. The seed prints its own progress."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "subgraphs", *command),
            env={**os.environ, **self.environment()},
            stdout=None if self._show_seed else asyncio.subprocess.PIPE,
            stderr=None if self._show_seed else asyncio.subprocess.STDOUT,
        )
        output, _ = await child.communicate()
        if child.returncode != 0:
            said = (output or b"").decode()[-3000:]
            raise StartFailed(f"subgraphs {command[0]} failed with status {child.returncode}.\n{said}")

    def _prepare(self) -> None:
        settings = self.settings
        shared = self.environment()
        data = settings.data_directory
        _write_private(data / "house.env", "".join(f"{key}={shlex.quote(value)}\n" for key, value in shared.items()))
        for name in SUBGRAPHS:
            self.processes[name] = Process(
                name,
                (sys.executable, "-m", "subgraphs", "serve", name, "--port", str(settings.ports[name])),
                environment={**shared, **settings.process_environment.get(name, {})},
                log=data / "logs" / f"{name}.log",
            )
        overrides = [part for name in SUBGRAPHS for part in ("--subgraph", f"{name}={self.subgraph_url(name)}/graphql")]
        create_key_file(data / "dev-issuer.jwk")
        self.processes["gateway"] = Process(
            "gateway",
            (
                sys.executable,
                *("-m", "gateway", "serve", "--supergraph", str(settings.supergraph)),
                *("--operations", str(settings.supergraph.parent / "operations")),
                *("--port", str(settings.ports["gateway"]), *overrides),
            ),
            environment={
                "GALLERIA_CONTRACTS": json.dumps(CONTRACTS),
                "GALLERIA_AGENTS_CONTRACT": "agent",
                **shared,
                **settings.process_environment.get("gateway", {}),
                "GALLERIA_DEV_ISSUER_KEY_FILE": str(data / "dev-issuer.jwk"),
            },
            log=data / "logs" / "gateway.log",
        )

    async def _watch(self) -> None:
        """Starts a dead subgraph again. Each has its own watcher, so one that keeps dying delays no other."""
        async with asyncio.TaskGroup() as group:
            for name in SUBGRAPHS:
                group.create_task(self._keep_alive(name))

    async def _keep_alive(self, name: str) -> None:
        process = self.processes[name]
        while True:
            await process.wait()
            await asyncio.sleep(RESTART_AFTER_S)
            if name in self._expected_down or process.running:
                continue
            if port_is_taken(self.settings.ports[name]):
                continue
            self._say(f"{name} ended with status {process.returncode}; starting it again")
            await process.start()

    async def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher


def _write_private(file: Path, text: str) -> None:
    """Replaces a file by one that nobody but its owner could read at any moment."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)


def _secret(file: Path) -> str:
    """The house's signing secret: made once, kept beside the data, readable by its owner alone."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_private(file, secrets.token_hex(32))
    return file.read_text().strip()
