"""Puts the data set into the five services' databases, or into files with a manifest.

A marker in a database of its own says what was loaded. A load that was cut short is begun again; data that did not come
from here is never touched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from subgraphs.chassis.config import ServiceSettings
from subgraphs.chassis.mongo import Database, Mongo
from subgraphs.kernel.clock import iso
from subgraphs.seed.documents import Batch, documents
from subgraphs.seed.world import SCALES, World

MARKER_DATABASE, MARKERS = "seed", "loads"
ROWS_A_WRITE = 1_000


async def load(settings: Sequence[ServiceSettings], *, scale: str, seed: int) -> None:
    """Loads unless the same data set is there. Exits with a clear line when another, or foreign data, is."""
    first = settings[0]
    names = {each.name: each.database_name for each in settings}
    async with await Mongo.connect(first.mongodb_uri, first.mongodb_driver) as mongo:
        typer.echo(f"  database   {await mongo.describe()}")
        marker = mongo.database(first.database_prefix + MARKER_DATABASE).collection(MARKERS)
        known = await marker.find_one({"_id": "current"})
        wanted = {"scale": scale, "seed": seed}
        if known is not None and known["state"] == "LOADED":
            if {"scale": known["scale"], "seed": known["seed"]} == wanted:
                typer.echo(f"  seed       {scale} #{seed} is there already")
                return
            typer.echo(
                f"This database holds the data set {known['scale']} #{known['seed']}, not {scale} #{seed}."
                " Empty it (make clean for the embedded one), or choose another GALLERIA_DATABASE_PREFIX.",
                err=True,
            )
            raise typer.Exit(1)
        batches = list(documents(World(SCALES[scale], seed)))
        databases = {service: mongo.database(name) for service, name in names.items()}
        if known is None:
            await _must_be_empty(databases, batches)
        else:
            for batch in batches:
                await databases[batch.service].collection(batch.collection).drop()
        await marker.update_one({"_id": "current"}, {"$set": {"state": "LOADING", **wanted}}, upsert=True)
        await _write(databases, batches, f"{scale} #{seed}")
        await marker.update_one({"_id": "current"}, {"$set": {"state": "LOADED"}})


async def drop(settings: Sequence[ServiceSettings]) -> None:
    """Removes the five databases and the marker."""
    first = settings[0]
    async with await Mongo.connect(first.mongodb_uri, first.mongodb_driver) as mongo:
        for name in (*(each.database_name for each in settings), first.database_prefix + MARKER_DATABASE):
            await mongo.database(name).drop()


def write_files(directory: Path, *, scale: str, seed: int) -> dict[str, str]:
    """NDJSON, a file a collection, and ``manifest.json`` with the sha256 of each. Returns the manifest's files."""
    directory.mkdir(parents=True, exist_ok=True)
    sums: dict[str, str] = {}
    for batch in documents(World(SCALES[scale], seed)):
        name = f"{batch.service}.{batch.collection}.ndjson"
        text = "".join(_line(document) for document in batch.documents).encode()
        (directory / name).write_bytes(text)
        sums[name] = hashlib.sha256(text).hexdigest()
    manifest = {"scale": scale, "seed": seed, "files": dict(sorted(sums.items()))}
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return sums


async def _must_be_empty(databases: dict[str, Database], batches: Sequence[Batch]) -> None:
    for batch in batches:
        database = databases[batch.service]
        if await database.collection(batch.collection).count({}, limit=1):
            typer.echo(
                f"Database {database.name} already has {batch.collection} that were not loaded from here; nothing was"
                " touched. Choose another GALLERIA_DATABASE_PREFIX, or empty it yourself.",
                err=True,
            )
            raise typer.Exit(1)


async def _write(databases: dict[str, Database], batches: Sequence[Batch], what: str) -> None:
    total = sum(len(batch.documents) for batch in batches)
    columns = (TextColumn("  seed       {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(what, total=total)
        for batch in batches:
            collection = databases[batch.service].collection(batch.collection)
            for begin in range(0, len(batch.documents), ROWS_A_WRITE):
                rows = batch.documents[begin : begin + ROWS_A_WRITE]
                await collection.insert_many(rows, ordered=False)
                progress.advance(task, len(rows))


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, default=_plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def _plain(value: object) -> str | int:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, int):  # the driver's 64-bit integers
        return int(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
