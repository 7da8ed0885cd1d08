"""``make up``: start the house, say when it is ready, serve until Ctrl-C. What people read on the terminal while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time

from rich.console import Console

from gateway.local.house import SUBGRAPHS, House, HouseSettings
from gateway.local.processes import StartFailed


def main(settings: HouseSettings) -> int:
    """Exit status: 0 after Ctrl-C, 1 when something did not start or the gateway died."""
    return asyncio.run(_up(settings, Console(highlight=False)))


async def _up(settings: HouseSettings, console: Console) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for which in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(which, stop.set)
    began = time.monotonic()
    house = House(settings, say=lambda line: console.print(f"  {line}"), show_seed=True)
    console.print("[bold]Galleria[/] is starting …")
    starting = asyncio.ensure_future(house.__aenter__())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return 0
    try:
        starting.result()
    except StartFailed as failed:
        stopping.cancel()
        console.print(f"[red]It did not start.[/] {failed}", markup=True)
        return 1
    try:
        _announce(console, house, time.monotonic() - began)
        broken = asyncio.ensure_future(house.wait_until_broken())
        await asyncio.wait({broken, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            console.print(f"[red]{broken.exception()}[/]")
            return 1
        broken.cancel()
        console.print("Stopping …")
        return 0
    finally:
        stopping.cancel()
        await house.__aexit__(None, None, None)


def _announce(console: Console, house: House, seconds: float) -> None:
    ports = house.settings.ports
    base = house.gateway_url
    logs = house.settings.data_directory / "logs"
    console.print(f"[bold green]Ready[/] after {seconds:.1f} s")
    console.print(f"  console    {base}/")
    console.print(f"  GraphQL    {base}/graphql   (POST, GET; subscriptions: WebSocket and SSE)")
    console.print(f"  agents     {base}/mcp")
    console.print("  subgraphs  " + "  ".join(f"{name} :{ports[name]}" for name in SUBGRAPHS))
    console.print(f"  logs       {logs}")
    console.print("  Ctrl-C stops everything.")
