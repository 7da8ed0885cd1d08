"""What a subgraph's reply is worth: a GraphQL response, or the ``SubgraphError`` that names what is wrong with it.

What belongs here: looking at replies, and the words for what went wrong on the way. What does not: getting them (transport).
"""

from __future__ import annotations

from typing import Any, Final

from gateway.errors import RequestMalformed, SubgraphReplyInvalid, SubgraphTimedOut, SubgraphUnreachable
from gateway.exchange import decode

DETAIL_CHARACTERS_MAX: Final = 300
MEDIA_TYPES: Final = ("application/json", "application/graphql-response+json")
"""What an answer may be."""


def response_in(name: str, reply: bytes) -> dict[str, Any]:
    """A GraphQL response, whatever the HTTP status: subgraphs answer 400 and 500 with perfectly good ones."""
    try:
        response = decode(reply)
    except RequestMalformed as wrong:
        detail = f"{wrong.message}: {reply[:DETAIL_CHARACTERS_MAX].decode(errors='replace')}"
        raise SubgraphReplyInvalid(name, f"The subgraph {name!r} did not answer with JSON.", detail=detail) from None
    return read_response(name, response)


def read_response(name: str, response: Any) -> dict[str, Any]:
    """A decoded reply, checked to have the form of a GraphQL response. Raises ``SubgraphReplyInvalid``."""
    if (
        not isinstance(response, dict)
        or not ("data" in response or "errors" in response)
        or not isinstance(response.get("data"), dict | None)
        or not isinstance(response.get("errors"), list | None)
    ):
        raise SubgraphReplyInvalid(name, f"The subgraph {name!r} did not answer with a GraphQL response.")
    return response


def no_json(name: str, status: int, media_type: str, body: bytes) -> SubgraphReplyInvalid:
    text = body[:DETAIL_CHARACTERS_MAX].decode(errors="replace")
    detail = f"HTTP {status}, {media_type[:DETAIL_CHARACTERS_MAX] or 'no media type'}: {text}"
    message = f"The subgraph {name!r} did not answer with JSON (HTTP status {status})."
    return SubgraphReplyInvalid(name, message, detail=detail)


def timed_out(name: str, seconds: float) -> SubgraphTimedOut:
    return SubgraphTimedOut(name, f"The subgraph {name!r} did not answer in time.", detail=f"after {seconds:.3f} s")


def unreachable(name: str, wrong: Exception) -> SubgraphUnreachable:
    return SubgraphUnreachable(name, f"The subgraph {name!r} cannot be reached.", detail=detail(wrong))


def detail(wrong: Exception) -> str:
    """What the client says went wrong, down to the cause."""
    causes = (getattr(wrong, "details", None) or {}).get("causes") or ()
    return "; ".join([getattr(wrong, "message", str(wrong)), *(cause["message"] for cause in causes)])


def media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def too_large(name: str, limit: int) -> SubgraphReplyInvalid:
    return SubgraphReplyInvalid(name, f"The subgraph {name!r} sent more than {limit} bytes.")
