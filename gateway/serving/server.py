"""The gateway as a process: from settings to a running server, and its orderly end.

What belongs here: putting the rooms together and running them under uvicorn. What does not: reading the environment.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from gateway.config import Settings
from gateway.errors import ContractInvalid, GatewayError
from gateway.pipeline.authentication import Authenticator, Keys, authenticator
from gateway.pipeline.issuer import DevelopmentIssuer, create_key_file
from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.snapshot import Snapshot
from gateway.serving.app import Application, create_app
from gateway.serving.files import StartRefused, documents_in, load_supergraph, operations_of
from gateway.serving.reload import Reloader
from gateway.serving.straight import Straight, StraightHttp
from gateway.serving.workers import supervise
from gateway.supergraph import Supergraph
from subgraphs.chassis.http_bounds import IDLE_S
from subgraphs.chassis.identity import IdentitySigner
from subgraphs.chassis.telemetry import configure_logging


@dataclass(frozen=True, slots=True)
class Extension:
    """Another room's endpoints, and what must be running around them."""

    routes: tuple[BaseRoute, ...]
    lifespan: AbstractAsyncContextManager[Any]
    accept: Callable[[Snapshot], None] = lambda snapshot: None
    """Told of every later snapshot before it serves; may refuse it with StartRefused."""


Extend = Callable[[Pipeline, Path | None], Extension | None]
"""Given the loaded pipeline and the directory of named operations."""


def run(settings: Settings, *, extend: Extend | None = None, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests end. Raises StartRefused before anything is served.

    Several ``workers`` share the socket; caches, and the limit on open subscriptions, are each worker's own.
    """
    configure_logging(settings.log_format, settings.log_level.upper(), "gateway")
    supergraph = load_supergraph(settings)
    listening = listen(settings.host, settings.port)
    address = f"http://{_shown(settings.host)}:{listening.getsockname()[1]}/graphql"
    names = ", ".join(supergraph.subgraphs)
    signed = "signed" if settings.identity_secret is not None else "unsigned"
    mode = ", development" if settings.development else ""
    count = f", worker {{pid}} of {workers}" if workers > 1 else ""
    ready = f"Gateway ready on {address}: {names}; requests to them {signed}{mode}{count}"

    def serve() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, supergraph, extend, listening, ready.format(pid=os.getpid())))

    if workers == 1:
        serve()
        return
    # What makes a start impossible is found out once, here, and not by every worker.
    asyncio.run(_rehearse(settings, supergraph, extend))
    status = supervise(workers, serve)
    if status:
        raise StartRefused("The workers cannot be kept alive; the log says why.")


async def _run(
    settings: Settings, supergraph: Supergraph, extend: Extend | None, listening: socket.socket, ready: str
) -> None:
    gateway = Gateway(settings, supergraph, extend=extend)
    # In one piece: several workers say it to one terminal.
    await gateway.serve(listening, on_start=lambda: print(ready + "\n", end="", file=sys.stderr, flush=True))


async def _rehearse(settings: Settings, supergraph: Supergraph, extend: Extend | None) -> None:
    """Put everything together without serving it. Raises StartRefused."""
    async with Gateway(settings, supergraph, extend=extend).pipeline:
        pass


class Gateway:
    """The rooms put together around one supergraph. Make it where an event loop runs; it serves one socket, once."""

    def __init__(self, settings: Settings, supergraph: Supergraph, *, extend: Extend | None = None) -> None:
        self._settings = settings
        issuer, proves = _authentication(settings)
        signer = (
            IdentitySigner(settings.identity_secret.get_secret_value(), "gateway")
            if settings.identity_secret is not None
            else None
        )
        self._operations = operations = operations_of(settings)
        self.pipeline = Pipeline(settings, proves, signer)
        try:
            self.pipeline.load(supergraph)
        except ContractInvalid as wrong:
            raise StartRefused(wrong.message) from None
        self.application = Application(self.pipeline, issuer=issuer, operations=operations, probe=self._probe)
        extension = extend(self.pipeline, operations) if extend is not None else None
        self.app = create_app(
            self.application,
            routes=extension.routes if extension else (),
            lifespans=(self.pipeline, *((extension.lifespan,) if extension else ())),
        )
        self._reloader = _reloader(settings, self.pipeline, extension)
        self._straight = Straight(self.application, self.pipeline, settings)
        self._server = _Server(_uvicorn_config(self.app, self._straight, settings), self.application.stopping)

    async def serve(self, listening: socket.socket, *, on_start: Callable[[], None] = lambda: None) -> None:
        """Serve on this socket until ``stop`` or a signal."""
        self._server.on_start = on_start
        # Before the first client: a plan that is made then is a client's wait.
        await self.pipeline.warm(documents_in(self._operations))
        watching = asyncio.ensure_future(self._reloader.watch(self._settings.reload_s)) if self._reloader else None
        try:
            await self._server.serve([listening])
        finally:
            if watching is not None:
                watching.cancel()

    async def _probe(self) -> dict[str, bool]:
        assert self.pipeline.snapshot is not None
        return await probe(self.pipeline.snapshot.supergraph, self._settings)

    def stop(self) -> None:
        self._server.should_exit = True


def _reloader(settings: Settings, pipeline: Pipeline, extension: Extension | None) -> Reloader | None:
    """Who watches the supergraph's file, if there is one and it is to be watched."""
    if settings.supergraph is None or not settings.reload_s:
        return None
    return Reloader(
        settings.supergraph,
        pipeline,
        read=partial(load_supergraph, settings),
        documents=lambda: documents_in(operations_of(settings)),
        accept=extension.accept if extension is not None else lambda snapshot: None,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which tells us when it has started and when it begins to stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self.on_start: Callable[[], None] = lambda: None
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn's own would raise the signal again once everything has ended well, and turn that into a failure.
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams end first, by their own protocols' words; uvicorn would only cut them off.
        self._stopping.set()
        await super().shutdown(sockets)


def _uvicorn_config(app: Starlette, straight: Straight, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast("type[StraightHttp]", partial(StraightHttp, straight)),  # only ever called
        ws="websockets-sansio",
        ws_max_size=settings.limits.socket_message_bytes_max,
        ws_ping_interval=settings.socket_ping_s,
        ws_ping_timeout=settings.socket_ping_s,
        ws_per_message_deflate=False,  # small JSON frames: the CPU costs more than the bytes
        lifespan="on",
        log_config=None,
        log_level="warning",  # what it has to say of starting and stopping, our own line says better
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=settings.stop_grace_s,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StartRefused when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as failure:
        listening.close()
        raise StartRefused(f"Cannot listen on {_shown(host)}:{port}: {failure.strerror or failure}.") from None
    listening.set_inheritable(True)
    return listening


async def probe(supergraph: Supergraph, settings: Settings) -> dict[str, bool]:
    """Which subgraphs answer at all; any HTTP answer counts."""
    import httpx

    timeout_s = settings.probe_subgraphs_ms / 1000
    async with httpx.AsyncClient(timeout=timeout_s, trust_env=False) as client:

        async def answers(url: str) -> bool:
            try:
                await client.get(url)
            except httpx.HTTPError:
                return False
            return True

        async with asyncio.TaskGroup() as tasks:
            asked = {name: tasks.create_task(answers(each.url)) for name, each in supergraph.subgraphs.items()}
    return {name: task.result() for name, task in asked.items()}


def _authentication(settings: Settings) -> tuple[DevelopmentIssuer | None, Authenticator]:
    """Who issues tokens here, if anybody, and who proves them. Raises StartRefused for a key file that is none."""
    try:
        issuer, keys = _issuer(settings)
    except (OSError, ValueError, GatewayError) as wrong:
        raise StartRefused(f"{settings.dev_issuer_key_file} is no private key: {wrong}") from None
    try:
        return issuer, authenticator(settings, keys)
    except (OSError, ValueError, GatewayError) as wrong:
        raise StartRefused(f"{settings.jwks} is no key set: {wrong}") from None


def _issuer(settings: Settings) -> tuple[DevelopmentIssuer | None, Keys | None]:
    """The development issuer, and its key as the key set when no other is configured."""
    file = settings.dev_issuer_key_file
    if file is None or not settings.development:
        return None, None
    create_key_file(file)
    issuer = DevelopmentIssuer(
        file, token_s=settings.dev_token_s, audience=settings.jwt_audience, issuer=settings.jwt_issuer
    )
    if settings.jwks is not None:
        return issuer, None
    return issuer, Keys(issuer.key_set(), refresh_s=settings.jwks_refresh_s, cooldown_s=settings.jwks_cooldown_s)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
