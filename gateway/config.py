"""Every setting and every limit of the gateway: named, with its unit and its default.

What belongs here: the settings as data, and turning a wrong value into one clear line. What does not: acting on them.
Only ``gateway.__main__`` builds ``Settings`` from the environment (``load``); everything else is handed the object.

The environment names are ``GALLERIA_<NAME>``; a limit's is ``GALLERIA_LIMITS__<NAME>``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Count = Annotated[int, Field(gt=0)]
Milliseconds = Annotated[int, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Seconds = Annotated[int, Field(gt=0)]


class Limits(BaseModel):
    """What one client may ask for. Each is generous for a person's query and small for a machine's mischief."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes_max: Bytes = 1_000_000
    """A request body; more is refused while it is still arriving."""
    body_ms_max: Milliseconds = 10_000
    """How long a request body may take to arrive; connections that only trickle are given up."""
    document_tokens_max: Count = 10_000
    """Lexical tokens of a document; bounds parsing, which happens before anything is known about it."""
    depth_max: Count = 30
    """Fields below each other, fragments followed. The introspection query that tools send needs 15."""
    aliases_max: Count = 200
    """Aliased fields, fragments followed: aliases are how one request asks for the same expensive field many times."""
    root_fields_max: Count = 50
    """Root fields of the operation, fragments followed."""
    selections_max: Count = 10_000
    """Selected fields, fragments followed: nested fragments double at each level without this."""
    directives_max: Count = 200
    """Directives written in the document; each costs validation time and says little."""
    deferred_max: Count = 20
    """Uses of ``@defer`` and ``@stream``, fragments followed: each is fetched by itself."""
    validation_errors_max: Count = 20
    """Errors shown for one document or one set of variables; the rest would help nobody."""
    request_ms_max: Milliseconds = 30_000
    """From the first byte to the answer, all fetches included. Events of a subscription have it each."""
    subgraph_ms_max: Milliseconds = 20_000
    """One fetch to one subgraph. Longer than orders lets a buyer wait for a payment, or every slow payment would look like
    a subgraph that fails."""
    subgraph_reply_bytes_max: Bytes = 32_000_000
    """One subgraph's reply."""
    subgraph_connections_max: Count = 512
    """Connections open at once to one subgraph's host and port; further fetches wait for one, in the order they came."""
    representations_max: Count = 500
    """Representations in one ``_entities`` request; more go out as several requests side by side."""
    subscription_queue_max: Count = 64
    """Events waiting for one slow subscriber; then the oldest are dropped and counted in ``extensions.gap``."""
    upstream_reconnect_s: Seconds = 60
    """How long a cut upstream stream is asked for again, with growing pauses, before its subscribers are told."""
    subscriptions_max: Count = 10_000
    """Subscriptions open at once in this process, over all transports."""
    socket_operations_max: Count = 100
    """Operations open at once on one WebSocket."""
    socket_message_bytes_max: Bytes = 1_000_000
    """One WebSocket message from a client."""
    socket_init_ms_max: Milliseconds = 5_000
    """How long a WebSocket may stay silent before ``connection_init``."""
    header_characters_max: Count = 64
    """A context header (``x-uc-*``) or request id; a longer one is ignored."""
    token_characters_max: Count = 8_192
    """A bearer token."""


TAGS_MAX = 100
CONTRACTS_MAX = 32
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")]
ContractName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Contract(BaseModel):
    """A view of the supergraph by ``@tag``; see ``gateway.contracts`` for the rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: Annotated[frozenset[Tag], Field(max_length=TAGS_MAX)] = frozenset()
    """With any, a field needs one of them, or its type does."""
    exclude: Annotated[frozenset[Tag], Field(max_length=TAGS_MAX)] = frozenset()
    """Whatever carries one of them is hidden."""
    hide_unreachable: bool = True
    """Hide also the types that nothing visible leads to."""


class Settings(BaseSettings):
    """How this gateway runs. The defaults serve any supergraph on the loopback, safely, with nothing signed."""

    model_config = SettingsConfigDict(
        env_prefix="GALLERIA_", env_nested_delimiter="__", frozen=True, extra="ignore", env_ignore_empty=True
    )

    supergraph: Path | None = None
    """The supergraph SDL to serve."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 4000
    """0 lets the system choose; the start line says which."""
    development: bool = False
    """Shows subgraphs' own error texts, serves ``POST /plan`` and the development issuer. Never on in production."""
    introspection: bool = True
    """Whether clients may ask ``__schema`` and ``__type``."""
    incremental_delivery: bool = True
    """Whether clients may use ``@defer`` and ``@stream``; off, the schema has neither."""
    operations: Path | None = None
    """A directory of named operations; by default ``operations`` beside the supergraph, if there is one."""
    probe_subgraphs_ms: Milliseconds = 2_000
    """How long ``/ready?subgraphs`` waits for each subgraph."""
    reload_s: Annotated[float, Field(ge=0)] = 1.0
    """How often to look whether the supergraph's file has changed, to serve the new one without a restart; 0: never."""
    subgraph_urls: dict[str, str] = {}
    """Subgraph name → URL, instead of the one in the supergraph."""
    subgraph_authorities: Path | None = None
    """A PEM file of authorities that sign the certificates of subgraphs, besides those the system trusts."""
    subgraph_streams: dict[str, Annotated[str, Field(pattern="^(auto|sse|websocket|wss?://.+)$")]] = {}
    """Subgraph name → how it serves subscriptions: ``sse``, ``websocket`` (``graphql-transport-ws`` at the same URL), the
    ``ws://`` or ``wss://`` URL of its socket, or ``auto``, which the others are: first SSE, then the socket."""
    share_fetches: bool = True
    """Identical query fetches under way to a subgraph, on behalf of one identity, are one request."""
    share_answers: bool = False
    """Identical queries of clients under way, of those who are not signed in and say the same of where they stand, are
    executed once. A query shared in this way has the trace and the deadline of the first."""
    compile_after: Annotated[int, Field(ge=0)] = 10
    """How often a query's plan runs before it is compiled. 1: at once, 0: never."""
    subscription_join: Literal["start", "any"] = "start"
    """When equal subscriptions may join one upstream stream: before its first event, or at any time. A late joiner
    misses what the stream began with, for example a snapshot."""
    contracts: Annotated[dict[ContractName, Contract], Field(max_length=CONTRACTS_MAX)] = {}
    """Contract name → what its clients see, for example ``{"agent": {"exclude": ["staff"]}}``. A token's claim
    ``contract`` decides which one serves a request; without the claim the header ``x-galleria-contract`` may choose one,
    and without both the whole API schema is served."""
    agents_contract: str | None = None
    """The contract of the agents' tools, for callers whose token does not name another."""
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    identity_secret: SecretStr | None = None
    """Shared with the subgraphs; signs who is asking. Without it nothing is signed."""
    jwks: str | None = None
    """A file or an http(s) URL with the keys that prove client tokens. Without it every token is refused."""
    jwt_audience: str | None = None
    jwt_issuer: str | None = None
    jwt_leeway_s: Annotated[int, Field(ge=0, le=300)] = 10
    """Clock difference forgiven between the issuer and this machine."""
    jwks_refresh_s: Seconds = 300
    """Keys from a URL are asked again after this time."""
    jwks_cooldown_s: Seconds = 10
    """After asking, an unknown key id does not make us ask again for this time."""
    dev_issuer_key_file: Path | None = None
    """A private JWK; with it, in development alone, ``POST /dev/token`` issues tokens."""
    dev_token_s: Seconds = 12 * 3600
    """How long a development token is good."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Browser origins that may call us, separated by commas; ``*`` is any."""
    console: bool = True
    """Serve the page for people at ``/``."""
    sse_heartbeat_s: Annotated[float, Field(gt=0)] = 12.0
    """A comment line on an idle event stream this often, so that proxies keep it open."""
    socket_ping_s: Annotated[float, Field(gt=0)] = 20.0
    """A WebSocket protocol ping this often; no pong for as long again closes the socket."""
    stop_grace_s: Seconds = 10
    """How long running requests may take to end after SIGTERM."""

    document_cache_bytes_max: Bytes = 100_000
    """Text of the documents remembered as trees, which are at least seventy times larger, and of those refused. A tree is
    asked only for operations of it that are not remembered yet."""
    operation_cache_bytes_max: Bytes = 2_000_000
    """Text of the documents whose operations are remembered; with their plans they are some twenty-five times larger."""
    plan_cache_max: Count = 1_000
    """Plans remembered; fewer, where the text of their operations is more than ``operation_cache_bytes_max``."""
    constant_answers_bytes_max: Bytes = 8_000_000
    """Answers remembered of what asks no subgraph and has no variables, above all introspection; as JSON."""
    request_cache_bytes_max: Bytes = 4_000_000
    """Request bodies without variables whose meaning is remembered, and the heads of requests on connections that stay
    open: so much of each."""

    limits: Limits = Limits()

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _agents_contract_exists(self) -> Settings:
        if self.agents_contract is not None and self.agents_contract not in self.contracts:
            raise ValueError(f"agents_contract: there is no contract named {self.agents_contract!r}")
        return self

    @field_validator("subgraph_authorities")
    @classmethod
    def _authorities_file(cls, value: Path | None) -> Path | None:
        if value is not None and b"-----BEGIN CERTIFICATE-----" not in _read(value):
            raise ValueError(f"{value} has no certificate in PEM")
        return value

    @field_validator("jwks")
    @classmethod
    def _jwks_place(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")) and not Path(value).is_file():
            raise ValueError(f"{value!r} is neither an http(s) URL nor a file")
        return value


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as failure:
        raise ValueError(f"{file} cannot be read: {failure.strerror or failure}") from None


class SettingsInvalid(Exception):
    """A setting cannot be used; the text is one line for the person at the keyboard."""


def load(**given: Any) -> Settings:
    """Settings from the environment, with what the command line gave on top (``None`` means not given).

    Raises SettingsInvalid with the first wrong value, named as its environment variable.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        name = "GALLERIA_" + "__".join(str(part).upper() for part in first["loc"])
        # A rule between settings stands at no one of them, and names them itself.
        raise SettingsInvalid(f"{name}: {first['msg']}" if first["loc"] else f"Settings: {first['msg']}") from None
    except Exception as wrong:  # noqa: BLE001  pydantic-settings raises SettingsError for values that are not JSON
        raise SettingsInvalid(" ".join(str(wrong).split())) from None
