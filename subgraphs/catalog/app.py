"""Wires catalog: its schema, its services, and the job that keeps the search index true. It hears nobody."""

from __future__ import annotations

from subgraphs.catalog.schema import SCHEMA
from subgraphs.catalog.service.catalog import Catalog
from subgraphs.catalog.store import INDEXES, Store
from subgraphs.chassis.app import Resources, Service


async def build(resources: Resources) -> Catalog:
    """The services of one process."""
    return Catalog(
        Store(resources.database),
        resources.outbox,
        resources.hub,
        resources.idempotency,
        resources.clock,
        resources.codec("cursors"),
        resources.codec("quotes"),
    )


async def keep_shelf(_: Resources, services: Catalog) -> None:
    """Keeps the search index true, for ever."""
    await services.shelf.keep()


SERVICE = Service(name="catalog", schema=SCHEMA, build=build, indexes=INDEXES, background=[keep_shelf])
