"""One subscription to a subgraph over a WebSocket of its own, by ``graphql-transport-ws``: the client's side.

Most foreign subgraphs serve subscriptions no other way. What does not belong here: sharing, coming back after a cut.
The engine opens a WebSocket nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from gateway.errors import RequestMalformed, SubgraphReplyInvalid, SubgraphTimedOut, SubgraphUnreachable
from gateway.event_stream import Event
from gateway.exchange import decode, encode

OPENED: Final = Event("open", b"")
"""What a stream yields first, itself and no equal: the subgraph has accepted."""

_PROTOCOL: Final = Subprotocol("graphql-transport-ws")
_ID: Final = "1"


async def socket_stream(
    name: str, url: str, body: bytes, headers: Mapping[str, str], *, open_s: float, message_bytes_max: int
) -> AsyncGenerator[Event, None]:
    """``OPENED``, a ``next`` for each result, ``complete``; raises a ``SubgraphError`` when the socket says otherwise."""
    address = "ws" + url.removeprefix("http") if url.startswith("http") else url
    try:
        async with connect(
            address,
            subprotocols=[_PROTOCOL],
            additional_headers=dict(headers),
            open_timeout=open_s,
            close_timeout=1,
            max_size=message_bytes_max,
            proxy=None,
        ) as socket:
            await _send(socket, {"type": "connection_init"})
            async with asyncio.timeout(open_s):
                while (await _receive(name, socket)).get("type") != "connection_ack":
                    pass
            await socket.send(b'{"id":"%b","type":"subscribe","payload":%b}' % (_ID.encode(), body), text=True)
            yield OPENED
            while True:
                message = await _receive(name, socket)
                match message.get("type"):
                    case "next":
                        yield Event("next", encode(message.get("payload")))
                    case "error":
                        # The subgraph refused: its errors are the one result.
                        yield Event("next", encode({"errors": message.get("payload")}))
                        yield Event("complete", b"")
                        return
                    case "complete":
                        yield Event("complete", b"")
                        return
                    case _:
                        pass
    except TimeoutError:
        raise SubgraphTimedOut(name, f"The subgraph {name!r} did not open its socket in time.") from None
    except (InvalidHandshake, InvalidURI) as wrong:
        raise SubgraphUnreachable(name, f"The subgraph {name!r} refused the socket.", detail=str(wrong)) from wrong
    except (WebSocketException, OSError) as wrong:
        raise SubgraphUnreachable(name, f"The subgraph {name!r} broke off its socket.", detail=str(wrong)) from wrong


async def _receive(name: str, socket: ClientConnection) -> dict[str, Any]:
    """The next message that is not about the connection's own health."""
    while True:
        try:
            message = decode(await socket.recv())
        except RequestMalformed:
            message = None
        if not isinstance(message, dict):
            raise SubgraphReplyInvalid(name, f"The subgraph {name!r} sent a message that is no JSON object.")
        if message.get("type") == "ping":
            await _send(socket, {"type": "pong"})
        else:
            return message


async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(encode(message), text=True)
