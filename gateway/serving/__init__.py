"""Bytes to exchanges and back: HTTP, Server-Sent Events, WebSockets, the page for people, probes.

Takes   connections, by way of uvicorn, and of Starlette, which is imported in this room alone.
Gives   an ASGI application around one ``Pipeline``, and a straight way past it for what nearly all requests are.
Never   decides what a request may ask or how it is answered; keeps no state of its own but open connections.
Theory  A media type or a body that is wrong is refused before the pipeline hears of it, and no refusal allocates more
        than the limits allow. The WebSocket protocol is a table (``websocket_protocol``); its driver only moves bytes.
"""
