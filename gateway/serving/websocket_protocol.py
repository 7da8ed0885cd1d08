"""``graphql-transport-ws`` as a machine without sockets: inputs go in, effects come out, one table says all.

Theory of operation
-------------------
A socket is in one of four states::

    WAITING ──INIT──▶ PROVING ──PROVED──▶ READY
       │                 │                  │
       └── any breach, timeout, refusal, expiry, drain, or the client leaving ──▶ CLOSED

Everything that can happen is an ``Input``: a message kind from the client, or news from the driver (the init timer
fired, the credentials were proved or refused, an operation has a result or has ended …). ``TABLE`` gives one handler
for **every** pair of state and input, so no sequence of frames, however hostile, meets an undefined case; a test checks
that the table is total, and a random walk checks that the machine never leaves it. Handlers only change the machine's
own fields and return effects for the driver: ``Send``, ``Prove``, ``Start``, ``Stop``, ``Close``.

Three rules are easy to get wrong and are kept here, away from I/O:

* An operation's id is free again as soon as the client completes it or we send ``error``/``complete`` for it. Results
  that arrive for an id that is no longer open are dropped: the client completed it while the result was on its way.
* A client may send ``complete`` for an id we have just completed ourselves. That is a race, not a breach.
* After ``Close`` nothing more is sent. ``CLOSED`` answers every input with no effects.

Each start of an operation gets a number of its own, because an id can be used again at once: news of the earlier use
must not reach the later one. The driver passes the number back with its news.

Reference: the protocol document of the ``graphql-ws`` library (subprotocol ``graphql-transport-ws``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import Any, TypeAlias

from gateway.errors import LimitExceeded, RequestError
from gateway.exchange import GraphQLRequest, decode, encode, read_request

SUBPROTOCOL = "graphql-transport-ws"


class CloseCode(IntEnum):
    """Why we close; the first is RFC 6455's own."""

    GOING_AWAY = 1001
    INVALID_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITS = 4429


class State(Enum):
    WAITING = auto()
    PROVING = auto()
    READY = auto()
    CLOSED = auto()


class Input(Enum):
    # From the client.
    INIT = auto()
    PING = auto()
    PONG = auto()
    SUBSCRIBE = auto()
    COMPLETE = auto()
    INVALID = auto()
    # From the driver.
    INIT_TIMED_OUT = auto()
    PROVED = auto()
    REFUSED = auto()
    RESULT = auto()
    FAILED = auto()
    ENDED = auto()
    EXPIRED = auto()
    DRAINED = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Send:
    text: str


@dataclass(frozen=True, slots=True)
class Prove:
    """Find out who is asking, from the payload of ``connection_init``; answer ``PROVED`` or ``REFUSED``."""

    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    id: str
    number: int
    request: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody wants the operation's results any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Close:
    code: CloseCode
    reason: str


Effect: TypeAlias = "Send | Prove | Start | Stop | Close"
Effects: TypeAlias = tuple[Effect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What an input carries; each input reads the fields it needs."""

    id: str = ""
    number: int = 0
    payload: Mapping[str, Any] = field(default_factory=dict)
    request: GraphQLRequest | None = None
    body: bytes = b""
    """A result or a list of errors, already JSON: equal subscribers share one encoding."""
    text: str = ""


@dataclass(slots=True)
class Machine:
    """One socket's side of the conversation."""

    operations_max: int
    state: State = State.WAITING
    open: dict[str, int] = field(default_factory=dict)
    """Operation id → the number of its start."""
    starts: int = 0

    def receive(self, frame: str | bytes) -> Effects:
        """A message from the client."""
        kind, news = _read(frame)
        return self.happen(kind, news)

    def happen(self, kind: Input, news: News | None = None) -> Effects:
        return TABLE[self.state, kind](self, news or News())

    def is_open(self, id: str, number: int) -> bool:
        return self.open.get(id) == number


Handler: TypeAlias = Callable[[Machine, News], Effects]


def _ignore(machine: Machine, news: News) -> Effects:
    return ()


def _close(machine: Machine, code: CloseCode, reason: str) -> Effects:
    machine.state = State.CLOSED
    stops = tuple(Stop(number) for number in machine.open.values())
    machine.open.clear()
    return (*stops, Close(code, shortened(reason)))


def _closing(code: CloseCode, reason: str) -> Handler:
    return lambda machine, news: _close(machine, code, news.text or reason)


def _prove(machine: Machine, news: News) -> Effects:
    machine.state = State.PROVING
    return (Prove(news.payload),)


def _acknowledge(machine: Machine, news: News) -> Effects:
    machine.state = State.READY
    return (Send('{"type":"connection_ack"}'),)


def _pong(machine: Machine, news: News) -> Effects:
    return (Send('{"type":"pong"}'),)


def _subscribe(machine: Machine, news: News) -> Effects:
    if news.id in machine.open:
        return _close(machine, CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {news.id} already exists")
    if len(machine.open) >= machine.operations_max:
        refusal = LimitExceeded(
            "MAX_SOCKET_OPERATIONS_EXCEEDED",
            f"At most {machine.operations_max} operations may be open on one socket.",
        )
        return (Send(_message("error", news.id, encode([refusal.as_graphql()]))),)
    assert news.request is not None
    machine.starts += 1
    machine.open[news.id] = machine.starts
    return (Start(news.id, machine.starts, news.request),)


def _complete(machine: Machine, news: News) -> Effects:
    number = machine.open.pop(news.id, None)
    return () if number is None else (Stop(number),)


def _result(machine: Machine, news: News) -> Effects:
    if not machine.is_open(news.id, news.number):
        return ()
    return (Send(_message("next", news.id, news.body)),)


def _failed(machine: Machine, news: News) -> Effects:
    if not machine.is_open(news.id, news.number):
        return ()
    del machine.open[news.id]
    return (Send(_message("error", news.id, news.body)),)


def _ended(machine: Machine, news: News) -> Effects:
    if not machine.is_open(news.id, news.number):
        return ()
    del machine.open[news.id]
    return (Send(_message("complete", news.id)),)


def _gone(machine: Machine, news: News) -> Effects:
    machine.state = State.CLOSED
    stops = tuple(Stop(number) for number in machine.open.values())
    machine.open.clear()
    return stops


_unauthorized = _closing(CloseCode.UNAUTHORIZED, "Unauthorized")
_too_many_inits = _closing(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")
_invalid = _closing(CloseCode.INVALID_MESSAGE, "Invalid message")
_init_timed_out = _closing(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
_refused = _closing(CloseCode.FORBIDDEN, "Forbidden")
_expired = _closing(CloseCode.UNAUTHORIZED, "Credentials expired")
_drained = _closing(CloseCode.GOING_AWAY, "Going away")

TABLE: Mapping[tuple[State, Input], Handler] = {
    (State.WAITING, Input.INIT): _prove,
    (State.WAITING, Input.PING): _pong,
    (State.WAITING, Input.PONG): _ignore,
    (State.WAITING, Input.SUBSCRIBE): _unauthorized,
    (State.WAITING, Input.COMPLETE): _ignore,
    (State.WAITING, Input.INVALID): _invalid,
    (State.WAITING, Input.INIT_TIMED_OUT): _init_timed_out,
    (State.WAITING, Input.PROVED): _ignore,
    (State.WAITING, Input.REFUSED): _refused,
    (State.WAITING, Input.RESULT): _ignore,
    (State.WAITING, Input.FAILED): _ignore,
    (State.WAITING, Input.ENDED): _ignore,
    (State.WAITING, Input.EXPIRED): _expired,
    (State.WAITING, Input.DRAINED): _drained,
    (State.WAITING, Input.GONE): _gone,
    # The init message is in; whether the timer fires while its proof is looked up no longer matters.
    (State.PROVING, Input.INIT): _too_many_inits,
    (State.PROVING, Input.PING): _pong,
    (State.PROVING, Input.PONG): _ignore,
    (State.PROVING, Input.SUBSCRIBE): _unauthorized,
    (State.PROVING, Input.COMPLETE): _ignore,
    (State.PROVING, Input.INVALID): _invalid,
    (State.PROVING, Input.INIT_TIMED_OUT): _ignore,
    (State.PROVING, Input.PROVED): _acknowledge,
    (State.PROVING, Input.REFUSED): _refused,
    (State.PROVING, Input.RESULT): _ignore,
    (State.PROVING, Input.FAILED): _ignore,
    (State.PROVING, Input.ENDED): _ignore,
    (State.PROVING, Input.EXPIRED): _expired,
    (State.PROVING, Input.DRAINED): _drained,
    (State.PROVING, Input.GONE): _gone,
    (State.READY, Input.INIT): _too_many_inits,
    (State.READY, Input.PING): _pong,
    (State.READY, Input.PONG): _ignore,
    (State.READY, Input.SUBSCRIBE): _subscribe,
    (State.READY, Input.COMPLETE): _complete,
    (State.READY, Input.INVALID): _invalid,
    (State.READY, Input.INIT_TIMED_OUT): _ignore,
    (State.READY, Input.PROVED): _ignore,
    (State.READY, Input.REFUSED): _refused,
    (State.READY, Input.RESULT): _result,
    (State.READY, Input.FAILED): _failed,
    (State.READY, Input.ENDED): _ended,
    (State.READY, Input.EXPIRED): _expired,
    (State.READY, Input.DRAINED): _drained,
    (State.READY, Input.GONE): _gone,
    **{(State.CLOSED, kind): _ignore for kind in Input},
}


def shortened(reason: str) -> str:
    """A close reason that fits the 123 bytes a close frame has room for."""
    return reason.encode()[:123].decode(errors="ignore")


def _message(kind: str, id: str, body: bytes | None = None) -> str:
    head = encode({"id": id, "type": kind})
    return (head if body is None else head[:-1] + b',"payload":' + body + b"}").decode()


def _read(frame: str | bytes) -> tuple[Input, News]:
    try:
        message = decode(frame)
    except RequestError:
        return Input.INVALID, News(text="Invalid message: not JSON")
    if not isinstance(message, dict):
        return Input.INVALID, News(text="Invalid message: not an object")
    id, payload = message.get("id"), message.get("payload")
    match message.get("type"):
        case "connection_init" | "ping" | "pong" as kind:
            if payload is not None and not isinstance(payload, dict):
                return Input.INVALID, News(text=f"Invalid message: the payload of {kind} is not an object")
            kinds = {"connection_init": Input.INIT, "ping": Input.PING, "pong": Input.PONG}
            return kinds[kind], News(payload=payload or {})
        case "subscribe" | "complete" as kind:
            if not isinstance(id, str) or not id:
                return Input.INVALID, News(text=f"Invalid message: {kind} needs an id")
            if kind == "complete":
                return Input.COMPLETE, News(id=id)
            try:
                return Input.SUBSCRIBE, News(id=id, request=read_request(payload))
            except RequestError as wrong:
                return Input.INVALID, News(text=f"Invalid message: {wrong.message}")
        case kind:
            return Input.INVALID, News(text=f"Invalid message: unknown type {kind!r}")
