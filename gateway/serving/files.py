"""What the gateway serves, read from files: the supergraph with its subgraphs' addresses, the registered operations.

What does not belong here: the settings, which ``gateway.config`` reads; when files are read again (``reload``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.config import Settings
from gateway.errors import SupergraphInvalid
from gateway.supergraph import Supergraph
from subgraphs.chassis.telemetry import logger


class StartRefused(Exception):
    """The gateway cannot start; the text is for the person at the keyboard: one line, or one a fault."""


def load_supergraph(settings: Settings) -> Supergraph:
    """The supergraph of the settings, its subgraphs at the addresses of the settings. Raises StartRefused."""
    file = settings.supergraph
    assert file is not None
    try:
        found = Supergraph.parse(file.read_text())
    except (OSError, UnicodeDecodeError) as failure:
        raise StartRefused(f"{file} cannot be read: {getattr(failure, 'strerror', None) or failure}.") from None
    except SupergraphInvalid as wrong:
        raise StartRefused(f"{file}: {wrong}") from None
    return at_addresses(found, settings.subgraph_urls)


def at_addresses(supergraph: Supergraph, urls: Mapping[str, str]) -> Supergraph:
    """The supergraph with these addresses instead of its own; every subgraph must have one in the end."""
    unknown = sorted(set(urls) - set(supergraph.subgraphs))
    if unknown:
        known = ", ".join(supergraph.subgraphs)
        raise StartRefused(f"There is no subgraph named {unknown[0]!r}. There are: {known}.")
    placed = {name: replace(each, url=urls.get(name, each.url)) for name, each in supergraph.subgraphs.items()}
    for name, each in placed.items():
        if not each.url.startswith(("http://", "https://")):
            raise StartRefused(f"Subgraph {name!r} has no http(s) address; give one with --subgraph {name}=URL.")
    return replace(supergraph, subgraphs=placed)


def operations_of(settings: Settings) -> Path | None:
    """The directory of the registered operations, if there is one."""
    if settings.operations is not None:
        return settings.operations
    beside = settings.supergraph.parent / "operations" if settings.supergraph is not None else None
    return beside if beside is not None and beside.is_dir() else None


def documents_in(operations: Path | None) -> list[str]:
    """The registered operations, as far as they can be read."""
    found: list[str] = []
    for file in sorted(operations.rglob("*.graphql")) if operations is not None else ():
        try:
            found.append(file.read_text())
        except (OSError, UnicodeDecodeError) as failure:
            logger("warm-up").warning("a registered operation cannot be read", file=str(file), reason=str(failure))
    return found
