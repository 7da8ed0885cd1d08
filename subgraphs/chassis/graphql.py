"""What the five schemas share: scalars, value types, errors as data, the request's context, how a schema is built.

The SDL of everything shared here must be equal in every subgraph, which is why it is written once. A domain's own types
and any decision stay out. (No ``from __future__ import annotations``: Strawberry reads annotations at run time.)

Errors. What the business says no to is *data*: ``to_graphql_error`` turns a ``DomainError`` into its shared or
registered type, for a payload's ``errors``. What a query raises is a GraphQL error: a ``DomainError`` keeps its message
and gets a code, anything else is logged whole and, outside development, shown as ``INTERNAL_SERVER_ERROR`` only.
"""

import datetime
import decimal
import enum
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Final, NewType, TypeVar

import strawberry
from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    execute,
    parse,
    specified_rules,
)
from graphql.error import GraphQLSyntaxError
from prometheus_client import Counter
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.federation.schema import FederationAny
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import validate_document
from strawberry.schema_directive import Location
from strawberry.types.execution import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from subgraphs.chassis.execution import Memory, ServiceExecutor
from subgraphs.chassis.identity import Identity, Principal, RequestContext
from subgraphs.chassis.loaders import Loaders
from subgraphs.chassis.peers import PeerFailed
from subgraphs.chassis.telemetry import logger
from subgraphs.kernel import errors as kernel
from subgraphs.kernel.clock import from_iso, iso
from subgraphs.kernel.money import MINOR_MAX, is_currency
from subgraphs.kernel.money import Money as DomainMoney
from subgraphs.kernel.pages import Page

FEDERATION_VERSION: Final = "2.7"
LIVE_SPECIFICATION: Final = "https://specs.galleria.example/live/v1.0"
DOCUMENTS_CACHED_MAX = 1_000
ENTITIES_MAX = 5_000

REPRESENTATIONS = Counter(
    "galleria_representations",
    "Entities asked for by key. With galleria_request_seconds_count and process_cpu_seconds_total: the CPU of a request, and of a representation.",
)

_log = logger(__name__)

DateTime = datetime.datetime
Date = datetime.date
Decimal = decimal.Decimal
MinorUnits = NewType("MinorUnits", int)
CurrencyCode = NewType("CurrencyCode", str)
CountryCode = NewType("CountryCode", str)
IdempotencyKey = NewType("IdempotencyKey", str)


@strawberry.federation.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Events of this field tell the state of things: the gateway may fold them, and resume them by token.",
    name="live",
    compose=True,
    import_url=LIVE_SPECIFICATION,
)
class Live:
    """On a subscription field. Names are those of fields of its event."""

    items: str | None = strawberry.directive_field(name="items", default=None)
    """The list of items of which only the newest of each ``key`` matters; without it every event does."""
    key: str | None = strawberry.directive_field(name="key", default=None)
    kind: str | None = strawberry.directive_field(name="kind", default=None)
    """The field that tells a SNAPSHOT from a DELTA."""
    resume: str | None = strawberry.directive_field(name="resume", default=None)
    """The token to go on from: the name of the event's field and of the argument."""


def _instant(value: object) -> datetime.datetime:
    try:
        return from_iso(_text(value))
    except ValueError:
        raise GraphQLError("DateTime is RFC 3339 with an offset, such as 2026-03-01T09:30:00Z") from None


def _day(value: object) -> datetime.date:
    try:
        return datetime.date.fromisoformat(_text(value))
    except ValueError:
        raise GraphQLError("Date is YYYY-MM-DD") from None


def _decimal(value: object) -> decimal.Decimal:
    try:
        number = decimal.Decimal(_text(value))
    except decimal.InvalidOperation:
        raise GraphQLError("Decimal is a base-10 number in a string") from None
    if not number.is_finite():
        raise GraphQLError("Decimal is finite")
    return number


def _minor(value: object) -> int:
    if type(value) is not int or not -MINOR_MAX <= value <= MINOR_MAX:
        raise GraphQLError("MinorUnits is a whole number of at most 2^53-1 in size")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or not is_currency(value):
        raise GraphQLError("CurrencyCode is an active ISO 4217 code, such as EUR")
    return value


def _country(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{2}", value):
        raise GraphQLError("CountryCode is an ISO 3166-1 alpha-2 code, such as DE")
    return value


def _key(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 255:
        raise GraphQLError("IdempotencyKey is a string of 1 to 255 characters")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise GraphQLError(f"a string is needed, not {type(value).__name__}")
    return value


SCALARS: Mapping[object, Any] = {
    datetime.datetime: strawberry.scalar(
        name="DateTime", description="RFC 3339 instant, UTC, milliseconds.", serialize=iso, parse_value=_instant
    ),
    datetime.date: strawberry.scalar(
        name="Date", description="Calendar day, YYYY-MM-DD.", serialize=datetime.date.isoformat, parse_value=_day
    ),
    decimal.Decimal: strawberry.scalar(
        name="Decimal", description="Exact base-10 number in a string.", serialize=str, parse_value=_decimal
    ),
    MinorUnits: strawberry.scalar(
        name="MinorUnits",
        description="Signed 53-bit whole number of a currency's ISO 4217 minor units.",
        serialize=int,
        parse_value=_minor,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode", description="ISO 4217 alpha-3 code.", serialize=str, parse_value=_currency
    ),
    CountryCode: strawberry.scalar(
        name="CountryCode", description="ISO 3166-1 alpha-2 code.", serialize=str, parse_value=_country
    ),
    IdempotencyKey: strawberry.scalar(
        name="IdempotencyKey",
        description="Opaque, 1 to 255 characters; the same key with the same arguments is done once.",
        serialize=str,
        parse_value=_key,
    ),
}


@strawberry.federation.type(name="Money", shareable=True, description="An amount of one currency.", tags=["partner"])
class MoneyType:
    amount: Decimal = strawberry.field(description="Exact decimal amount with all the currency's decimals.")
    minor: MinorUnits = strawberry.field(description="The amount in minor units: cents of EUR, whole yen of JPY.")
    currency: CurrencyCode = strawberry.field(description="The currency, ISO 4217.")

    @classmethod
    def of(cls, money: DomainMoney) -> "MoneyType":
        """The GraphQL form of an amount."""
        return cls(amount=Decimal(money.amount), minor=MinorUnits(money.minor), currency=CurrencyCode(money.currency))


@strawberry.federation.type(
    name="PageInfo", shareable=True, description="Where a page stands in its list.", tags=["partner"]
)
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are items after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first item of the page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last item of the page.")

    @classmethod
    def of(cls, page: Page[Any]) -> "PageInfo":
        """The GraphQL form of where a page stands."""
        return cls(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=page.start_cursor,
            end_cursor=page.end_cursor,
        )


@strawberry.federation.type(name="GeoPoint", shareable=True, description="A place on Earth, WGS 84.", tags=["partner"])
class GeoPoint:
    lat: float = strawberry.field(description="Latitude in degrees, north positive.")
    lng: float = strawberry.field(description="Longitude in degrees, east positive.")


@strawberry.input(name="GeoPointInput", description="A place on Earth, WGS 84.")
class GeoPointInput:
    lat: float = strawberry.field(description="Latitude in degrees, north positive.")
    lng: float = strawberry.field(description="Longitude in degrees, east positive.")


@strawberry.input(name="MoneyInput", description="An amount of one currency, in minor units only.")
class MoneyInput:
    minor: MinorUnits = strawberry.field(description="The amount in minor units.")
    currency: CurrencyCode = strawberry.field(description="The currency, ISO 4217.")

    def to_money(self) -> DomainMoney:
        """The amount the client meant."""
        return DomainMoney(self.minor, self.currency)


@strawberry.enum(name="ChannelKind", description="The kind of place a sale is made.")
class ChannelKind(enum.Enum):
    WEB = "WEB"
    MOBILE_APP = "MOBILE_APP"
    SOCIAL = "SOCIAL"
    MARKETPLACE = "MARKETPLACE"
    POS = "POS"
    AGENT = "AGENT"


@strawberry.enum(name="StreamEventKind", description="What an event of a live stream is.")
class StreamEventKind(enum.Enum):
    SNAPSHOT = strawberry.enum_value("SNAPSHOT", description="The whole selected state.")
    DELTA = strawberry.enum_value("DELTA", description="What changed since the last event.")
    HEARTBEAT = strawberry.enum_value("HEARTBEAT", description="Nothing changed; the stream is alive.")
    RESYNC = strawberry.enum_value("RESYNC", description="Continuity was lost; a SNAPSHOT follows.")


@strawberry.enum(name="ErrorSeverity", description="Who can do something about an error.")
class ErrorSeverity(enum.Enum):
    RECOVERABLE = strawberry.enum_value("RECOVERABLE", description="The client can correct it and try again.")
    REQUIRES_BUYER_INPUT = strawberry.enum_value("REQUIRES_BUYER_INPUT", description="The buyer must decide.")
    REQUIRES_BUYER_REVIEW = strawberry.enum_value("REQUIRES_BUYER_REVIEW", description="The buyer must approve.")
    UNRECOVERABLE = strawberry.enum_value("UNRECOVERABLE", description="Trying again will not help.")


@strawberry.interface(name="UserError", description="A refusal by the business; the type says which.")
class UserError:
    message: str = strawberry.field(description="What went wrong, for people.")
    path: list[str] | None = strawberry.field(description="The argument at fault, outermost name first.")
    severity: ErrorSeverity = strawberry.field(description="Who can do something about it.")


@strawberry.federation.type(shareable=True, description="The request can never succeed as written.")
class InvalidInput(UserError):
    pass


@strawberry.federation.type(shareable=True, description="Nothing with that identity is visible to this principal.")
class NotFound(UserError):
    pass


@strawberry.federation.type(shareable=True, description="The principal lacks scopes.")
class Forbidden(UserError):
    missing_scopes: list[str] = strawberry.field(description="The scopes that would have allowed it.")


@strawberry.federation.type(shareable=True, description="The idempotency key was used with other arguments.")
class IdempotencyConflict(UserError):
    original_request_hash: str = strawberry.field(description="SHA-256 of the first request's arguments.")


@strawberry.federation.type(shareable=True, description="The same thing is being worked on right now.")
class RequestInFlight(UserError):
    retry_after_ms: int = strawberry.field(description="Milliseconds after which to ask again.")


@strawberry.federation.type(shareable=True, description="The thing has changed since the client read it.")
class VersionConflict(UserError):
    expected: int = strawberry.field(description="The version the client acted on.")
    actual: int = strawberry.field(description="The version it has now.")


class NotAuthenticated(kernel.DomainError):
    """The field needs a principal that is known, and this one is anonymous."""


T = TypeVar("T")
D = TypeVar("D", bound=kernel.DomainError)
_CONVERTERS: dict[type[kernel.DomainError], Callable[[Any], Any]] = {}


def register_error(
    domain: type[D], graphql: type[Any], convert: Callable[[D], Mapping[str, Any]] | None = None
) -> None:
    """Says which GraphQL type shows a domain's refusal; ``convert`` gives the fields beyond ``UserError``'s."""

    def build(error: D) -> Any:
        return graphql(**_shared_fields(error), **(convert(error) if convert else {}))

    _CONVERTERS[domain] = build


def to_graphql_error(error: kernel.DomainError) -> Any:
    """The refusal as data: an instance of the type registered for its class, or for the nearest base class."""
    for cls in type(error).__mro__:
        if cls in _CONVERTERS:
            return _CONVERTERS[cls](error)
    raise AssertionError(f"no GraphQL type is registered for {type(error).__name__}")


def _shared_fields(error: kernel.DomainError) -> dict[str, Any]:
    return {
        "message": error.message,
        "path": list(error.path) or None,
        "severity": ErrorSeverity[error.severity],
    }


register_error(kernel.InvalidInput, InvalidInput)
register_error(kernel.NotFound, NotFound)
register_error(kernel.Forbidden, Forbidden, lambda error: {"missing_scopes": list(error.missing_scopes)})
register_error(
    kernel.IdempotencyConflict,
    IdempotencyConflict,
    lambda error: {"original_request_hash": error.original_request_hash},
)
register_error(kernel.RequestInFlight, RequestInFlight, lambda error: {"retry_after_ms": error.retry_after_ms})
register_error(
    kernel.VersionConflict, VersionConflict, lambda error: {"expected": error.expected, "actual": error.actual}
)

# The request's context


class ServiceContext:
    """What every resolver reaches through ``info.context``: who asks, from where, the loaders, the domain's services."""

    def __init__(
        self, identity: Identity, services: Any, loaders: Loaders, request_id: str, entities_max: int = ENTITIES_MAX
    ) -> None:
        self.identity = identity
        self.services = services
        self.loaders = loaders
        self.request_id = request_id
        self.entities_max = entities_max
        self._asked: tuple[OperationDefinitionNode, frozenset[str]] | None = None
        self._made: dict[tuple[Hashable, int], tuple[object, Any]] = {}

    def once(self, what: Hashable, source: object, make: Callable[[], T]) -> T:
        """What is made of one and the same object, made once a request; who uses it does not change it.

        A stream's context serves for hours: there it is made anew.
        """
        if not self.loaders.remember:
            return make()
        key = (what, id(source))
        # The source is kept: no other object has its id as long.
        _, found = self._made.get(key) or self._made.setdefault(key, (source, make()))
        made: T = found
        return made

    def asked(
        self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> frozenset[str]:
        """The names of all fields in the operation. A socket's context serves several operations; the last is remembered."""
        if self._asked is None or self._asked[0] is not operation:
            self._asked = operation, _field_names(operation, fragments)
        return self._asked[1]

    @property
    def principal(self) -> Principal:
        return self.identity.principal

    @property
    def request_context(self) -> RequestContext:
        return self.identity.context


Info = strawberry.Info[ServiceContext, None]


def asked(info: Info, parts: Collection[str]) -> frozenset[str]:
    """Those of the parts that a field of the operation is named after, wherever it stands: the others need not be read
    from the database. A part that resolvers read for a field of another name is none of these."""
    raw = info._raw_info  # the library's own view of the whole operation costs a walk a field
    return info.context.asked(raw.operation, raw.fragments).intersection(parts)


def _field_names(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> frozenset[str]:
    names: set[str] = set()
    waiting = [operation.selection_set, *(each.selection_set for each in fragments.values())]
    for selections in waiting:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                names.add(node.name.value)
            if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                waiting.append(node.selection_set)
    return frozenset(names)


def require_authenticated(info: Info) -> Principal:
    """The principal, unless it is anonymous: then ``NotAuthenticated``. The gateway has checked before; this is depth."""
    principal = info.context.principal
    if not principal.authenticated:
        raise NotAuthenticated("sign in first")
    return principal


def require_scopes(info: Info, *scopes: str) -> Principal:
    """The principal, if it has all of these scopes; else ``Forbidden`` naming the missing ones."""
    principal = info.context.principal
    missing = [scope for scope in scopes if not principal.has(scope)]
    if missing:
        raise kernel.Forbidden(f"missing scopes: {', '.join(missing)}", missing)
    return principal


@dataclass(frozen=True, slots=True)
class Prepared:
    """A valid document of one operation, a query or mutation."""

    document: DocumentNode
    operation: OperationType
    name: str | None
    memory: Memory | None
    """None where directives may make it another selection with other variables."""


class ServiceSchema(strawberry.federation.Schema):
    """A federation schema that bounds ``_entities``, reads a document once, and lets no unexpected error out.

    ``development`` shows their text; the app sets it from the settings before it serves.
    """

    development = False

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._documents: LRUCache[str, Prepared] = LRUCache(DOCUMENTS_CACHED_MAX)

    def prepared(self, query: str, operation_name: str | None) -> Prepared | None:
        """The document, read and found valid, and remembered; None where there is more to say or to ask."""
        known = self._documents.get(query)
        if known is None:
            known = _prepare(self, query)
            if known is None:
                return None
            self._documents[query] = known
        return known if operation_name is None or operation_name == known.name else None

    async def answer(
        self, prepared: Prepared, variables: dict[str, Any] | None, context: Any, root: Any = None
    ) -> ExecutionResult:
        """Data and errors, which are safe to show."""
        answered = execute(
            self._schema,
            prepared.document,
            root_value=root,
            context_value=context,
            variable_values=variables,
            executor_class=ServiceExecutor,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # a plain bool, as Strawberry has it
            memory=prepared.memory,
        )
        result = await answered if isawaitable(answered) else answered
        if result.errors:
            self.process_errors(result.errors)
        return ExecutionResult(data=result.data, errors=result.errors)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """As the library's, which has the word where a document is not simply answered."""
        prepared = self.prepared(query, operation_name) if query else None
        if prepared is None or (
            allowed_operation_types is not None and prepared.operation not in allowed_operation_types
        ):
            return await super().execute(
                query,
                variable_values,
                context_value,
                root_value,
                operation_name,
                allowed_operation_types,
                operation_extensions,
            )
        return await self.answer(prepared, variable_values, context_value, root_value)

    def entities_resolver(self, info: strawberry.Info, representations: list[FederationAny]) -> list[FederationAny]:
        limit = info.context.entities_max
        if len(representations) > limit:
            raise kernel.InvalidInput(f"at most {limit} representations in one request, not {len(representations)}")
        REPRESENTATIONS.inc(len(representations))
        # The library takes __typename out of what it is given; a variable may be used by two aliases.
        return super().entities_resolver(info, [dict(item) for item in representations])  # type: ignore[call-overload]

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Logs what nobody expected, then gives every error its code and hides what is nobody's business, in place."""
        for error in errors:
            fault = _cause(error)
            if fault is not None and not isinstance(fault, kernel.DomainError):
                _log.error("resolver failed", path=error.path, exc_info=fault)
        errors[:] = [_safe(error, self.development) for error in errors]


def _prepare(schema: ServiceSchema, query: str) -> Prepared | None:
    try:
        document = parse(query)
    except GraphQLError:
        return None
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) != 1 or validate_document(schema._schema, document, tuple(specified_rules)):
        return None
    kind = OperationType(operations[0].operation.value)
    if kind is OperationType.SUBSCRIPTION:
        return None
    name = operations[0].name.value if operations[0].name is not None else None
    return Prepared(document, kind, name, None if "@" in query else Memory())


def build_schema(
    query: type,
    mutation: type | None = None,
    subscription: type | None = None,
    types: Iterable[type] = (),
) -> ServiceSchema:
    """The subgraph's schema: Federation 2.7, shared scalars, documents parsed and validated once, errors made safe."""
    return ServiceSchema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=types,
        federation_version=FEDERATION_VERSION,
        execution_context_class=ServiceExecutor,
        config=StrawberryConfig(scalar_map=dict(SCALARS)),
        extensions=[
            lambda: ParserCache(maxsize=DOCUMENTS_CACHED_MAX),
            lambda: ValidationCache(maxsize=DOCUMENTS_CACHED_MAX),
        ],
    )


_CODES: dict[type[kernel.DomainError], str] = {
    NotAuthenticated: "UNAUTHENTICATED",
    kernel.Forbidden: "FORBIDDEN",
    kernel.InvalidInput: "BAD_USER_INPUT",
}


def error_code(error: kernel.DomainError) -> str:
    """``extensions.code`` of a refusal raised by a query: its class name in capitals, but for the well-known ones."""
    for cls in type(error).__mro__:
        if cls in _CODES:
            return _CODES[cls]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__).upper()


def _cause(error: GraphQLError) -> Exception | None:
    """What a resolver raised, under however many layers of GraphQL errors; nothing for the document's own faults."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _safe(error: GraphQLError, development: bool) -> GraphQLError:
    cause = _cause(error)
    if cause is None:
        if "code" in (error.extensions or {}):
            return error
        # An error with a path came from a resolver or coercion; one without is about the document or its variables.
        code = (
            "GRAPHQL_PARSE_FAILED"
            if isinstance(error, GraphQLSyntaxError)
            else "BAD_USER_INPUT"
            if error.path
            else "GRAPHQL_VALIDATION_FAILED"
        )
        return _recoded(error, error.message, {**(error.extensions or {}), "code": code})
    if isinstance(cause, kernel.DomainError):
        facts: dict[str, Any] = {"code": error_code(cause)}
        if isinstance(cause, kernel.Forbidden):
            facts["missingScopes"] = list(cause.missing_scopes)
        if isinstance(cause, kernel.RequestInFlight):
            facts["retryAfterMs"] = cause.retry_after_ms
        return _recoded(error, cause.message, facts)
    if isinstance(cause, PeerFailed):
        text = f"{cause.peer} does not answer; ask again, with the same key"
        return _recoded(error, text, {"code": "DEPENDENCY_UNAVAILABLE"})
    text = f"{type(cause).__name__}: {cause}" if development else "internal server error"
    return _recoded(error, text, {"code": "INTERNAL_SERVER_ERROR"})


def _recoded(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    nodes: Sequence[Any] | None = error.nodes
    return GraphQLError(
        message,
        nodes=nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
