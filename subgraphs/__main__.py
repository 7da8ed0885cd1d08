"""The command line of the subgraphs: serve them, print their schemas, load the seed, audit what they have written.

The environment is read here, into ``ServiceSettings``, and nowhere below. What a subgraph is stands in its ``app.py``.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvicorn
from pydantic import ValidationError

from subgraphs.audit.books import Books, read
from subgraphs.audit.invariants import audit, unrest
from subgraphs.audit.report import as_json, as_text
from subgraphs.chassis.app import Service, create_app, drain
from subgraphs.chassis.config import PORTS, ServiceSettings, local_peers, settings_error_line
from subgraphs.chassis.http_bounds import IDLE_S, BoundedHttp
from subgraphs.chassis.mongo import DatabaseUnreachable, Mongo
from subgraphs.chassis.process import dies_with
from subgraphs.chassis.telemetry import configure_logging
from subgraphs.kernel.clock import SystemClock

NAMES = tuple(PORTS)
GARBAGE_OBJECTS = 10_000
"""So many more objects made than freed have a serving process look for garbage. Python's own 700 is less than one request."""

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


class Form(StrEnum):
    """How to print."""

    text = "text"
    json = "json"


class Scale(StrEnum):
    """How much data to load."""

    tiny = "tiny"
    small = "small"


def find_service(name: str) -> Service:
    """The subgraph of that name: ``SERVICE`` in ``subgraphs.<name>.app``."""
    if name not in NAMES:
        raise typer.BadParameter(f"no subgraph is called {name!r}; there are {', '.join(NAMES)}")
    service: Service = importlib.import_module(f"subgraphs.{name}.app").SERVICE
    return service


def read_settings(name: str, port: int | None = None) -> ServiceSettings:
    """The settings of one subgraph from the environment; a wrong value ends the process with one line."""
    given = {"name": name, "port": PORTS[name] if port is None else port}
    try:
        return ServiceSettings(**given)  # type: ignore[arg-type] # the environment supplies the rest
    except ValidationError as error:
        typer.echo(settings_error_line(error), err=True)
        raise typer.Exit(2) from None


class _Server(uvicorn.Server):
    """uvicorn, which tells the application to end its streams before it waits for the connections to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        drain(self.config.app)  # type: ignore[arg-type] # always the application made below
        super().handle_exit(sig, frame)


@cli.command()
def serve(
    name: Annotated[str | None, typer.Argument(help="The subgraph to serve.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; the subgraph's usual one by default.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Serve all subgraphs, each in a process of its own.")] = False,
) -> None:
    """Serve a subgraph until told to stop."""
    if all_ == (name is not None):
        raise typer.BadParameter("name one subgraph, or say --all")
    if name is None:
        raise typer.Exit(_serve_all())
    service = find_service(name)
    settings = read_settings(name, port)
    if not asyncio.run(_database_answers(settings)):
        typer.echo(f"no MongoDB server answers at {_address(settings.mongodb_uri)}", err=True)
        raise typer.Exit(2)
    configure_logging(settings.log_format, settings.log_level, settings.name)
    server = _Server(
        uvicorn.Config(
            create_app(service, settings, SystemClock(timedelta(seconds=settings.clock_offset_s))),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http=BoundedHttp,
            ws="websockets-sansio",
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=int(settings.drain_timeout_s),
        )
    )
    # The schema is there for good, and what a request leaves behind is small: looking for garbage among all of it after
    # every few hundred objects took a tenth of a busy service's CPU.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    server.run()
    if not server.started:
        raise typer.Exit(1)


async def _database_answers(settings: ServiceSettings) -> bool:
    try:
        async with await Mongo.connect(settings.mongodb_uri, settings.mongodb_driver):
            return True
    except DatabaseUnreachable:
        return False


def _address(uri: str) -> str:
    """Hosts and ports of a URI, without the credentials it may carry."""
    return urlsplit(uri).netloc.rpartition("@")[2]


def _serve_all() -> int:
    """One child a subgraph; when one ends, or we are told to stop, all do."""
    children = {
        name: subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "subgraphs", "serve", name], preexec_fn=dies_with(os.getpid())
        )
        for name in NAMES
    }

    def stop(*_: object) -> None:
        for child in children.values():
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    pid, status = os.wait()
    ended = next(name for name, child in children.items() if child.pid == pid)
    typer.echo(f"{ended} has ended; stopping the others", err=True)
    stop()
    for child in children.values():
        if child.pid != pid:
            child.wait()
    return os.waitstatus_to_exitcode(status) and 1


@cli.command("print")
def print_(
    name: Annotated[str | None, typer.Argument(help="The subgraph whose schema to print.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Print all of them.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write NAME.graphql into, instead of printing.")] = None,
    format_: Annotated[
        Form, typer.Option("--format", help="json gives the list of name, url and sdl that compose takes.")
    ] = Form.text,
) -> None:
    """Print the SDL of a subgraph, as its gateway sees it."""
    if all_ == (name is not None):
        raise typer.BadParameter("name one subgraph, or say --all")
    printed = {each: find_service(each).schema.as_str().strip() + "\n" for each in (NAMES if name is None else (name,))}
    if format_ is Form.json:
        peers = local_peers()
        subgraphs = [{"name": each, "url": f"{peers[each]}/graphql", "sdl": sdl} for each, sdl in printed.items()]
        typer.echo(json.dumps(subgraphs))
        return
    for each, sdl in printed.items():
        if out is None:
            typer.echo(sdl, nl=False)
        else:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{each}.graphql").write_text(sdl)


@cli.command()
def seed(
    scale: Annotated[Scale, typer.Option(help="How much to load.")] = Scale.tiny,
    version: Annotated[int, typer.Option(help="The seed number: the same number, the same data.")] = 1,
) -> None:
    """Load the deterministic data set into the databases of all five services, unless it is there already."""
    from subgraphs.seed.load import load  # the generator is needed by this command alone

    settings = [read_settings(name) for name in NAMES]
    asyncio.run(load(settings, scale=scale.value, seed=version))


@cli.command("seed-files")
def seed_files(
    out: Annotated[Path, typer.Argument(help="Folder to write into.")],
    scale: Annotated[Scale, typer.Option(help="How much to write.")] = Scale.tiny,
    version: Annotated[int, typer.Option(help="The seed number.")] = 1,
) -> None:
    """Write the data set as NDJSON files with a manifest of their sha256."""
    from subgraphs.seed.load import write_files

    for name, digest in write_files(out, scale=scale.value, seed=version).items():
        typer.echo(f"{digest}  {name}")


@cli.command("settlement")
def settlement_(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day, UTC.")],
    out: Annotated[Path | None, typer.Option(help="File to write, instead of printing.")] = None,
    format_: Annotated[
        Form, typer.Option("--format", help="json gives the variables that settlementImport takes, text a CSV file.")
    ] = Form.text,
    mismatches: Annotated[float, typer.Option(min=0, max=1, help="Chance of a row to be wrong, such as 0.003.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Which rows are wrong: the same number, the same rows.")] = 1,
) -> None:
    """Write the sandbox provider's settlement file for a day; what was planted in it is told on the error output."""
    from subgraphs.orders.model import settlement
    from subgraphs.orders.payments import mismatches as wrong
    from subgraphs.orders.payments import sandbox

    async def read() -> list[settlement.Row]:
        settings = read_settings("orders")
        async with await Mongo.connect(settings.mongodb_uri, settings.mongodb_driver) as mongo:
            return await sandbox.SandboxProvider(mongo.database(settings.database_name)).settlement(day.date())

    planted = wrong.plant(asyncio.run(read()), mismatches, seed)
    text = settlement.as_csv(planted.rows)
    for name, refs in (("amount", planted.amount), ("missing", planted.missing), ("unknown", planted.unknown)):
        for ref in refs:
            typer.echo(f"planted {name} {ref}", err=True)
    if format_ is Form.json:
        rows = [
            {
                "providerRef": row.provider_ref,
                "kind": row.kind,
                "gross": {"minor": row.gross.minor, "currency": row.gross.currency},
                "fee": {"minor": row.fee.minor, "currency": row.fee.currency},
            }
            for row in planted.rows
        ]
        variables = {"provider": sandbox.NAME, "fileSha256": settlement.digest(text), "rows": rows}
        text = (json.dumps(variables) + "\n").encode()
    if out is None:
        typer.echo(text.decode(), nl=False)
    else:
        out.write_bytes(text)


@cli.command("audit")
def audit_(
    at_rest: Annotated[bool, typer.Option("--at-rest", help="Nothing may be under way any more, either.")] = False,
    format_: Annotated[
        Form, typer.Option("--format", help="json gives every violation, text the first ones.")
    ] = Form.text,
) -> None:
    """Check the invariants of the whole house against what its databases hold; exit 1 on any violation."""

    async def books() -> Books:
        async with await Mongo.connect(settings.mongodb_uri, settings.mongodb_driver) as mongo:
            return await read(mongo, settings.database_prefix)

    settings = read_settings(NAMES[0])
    try:
        found = asyncio.run(books())
    except DatabaseUnreachable:
        typer.echo(f"no MongoDB server answers at {_address(settings.mongodb_uri)}", err=True)
        raise typer.Exit(2) from None
    findings, waiting = audit(found), unrest(found)
    typer.echo(as_json(findings, waiting) if format_ is Form.json else as_text(findings, waiting))
    if not all(finding.ok for finding in findings) or (at_rest and waiting):
        raise typer.Exit(1)


@cli.command("drop")
def drop_(
    yes: Annotated[bool, typer.Option("--yes", help="Really remove the databases of all five services.")] = False,
) -> None:
    """Remove the databases of all five services, and what the seed remembers of them."""
    from subgraphs.seed.load import drop

    if not yes:
        raise typer.BadParameter("say --yes to remove the databases")
    asyncio.run(drop([read_settings(name) for name in NAMES]))


def main() -> None:
    """The entry point of ``python -m subgraphs``."""
    cli()


if __name__ == "__main__":
    main()
