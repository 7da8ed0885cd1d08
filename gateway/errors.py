"""Every error the gateway can raise, as one tree. Nothing here knows HTTP objects, logs or sockets.

::

    GatewayError
    ├─ RequestError          the client's fault; built only from what the client sent, so safe to show
    │   ├─ DocumentInvalid            GRAPHQL_PARSE_FAILED | GRAPHQL_VALIDATION_FAILED
    │   ├─ OperationUnknown           OPERATION_RESOLUTION_FAILURE
    │   ├─ VariableInvalid            BAD_USER_INPUT
    │   ├─ LimitExceeded              one code a limit, for example MAX_DEPTH_EXCEEDED
    │   ├─ RequestMalformed           BAD_REQUEST
    │   ├─ BodyTooLarge               PAYLOAD_TOO_LARGE
    │   ├─ BodyTooSlow                REQUEST_TIMEOUT
    │   ├─ MethodNotAllowed           METHOD_NOT_ALLOWED
    │   ├─ MediaTypeUnsupported       UNSUPPORTED_MEDIA_TYPE
    │   ├─ MediaTypeNotAcceptable     NOT_ACCEPTABLE
    │   ├─ ContractUnknown            CONTRACT_UNKNOWN
    │   ├─ ClientLeft                 CLIENT_CLOSED_REQUEST
    │   └─ NotAuthenticated           UNAUTHENTICATED
    ├─ SubgraphError         the subgraph's fault; its own text is masked outside development
    │   ├─ SubgraphTimedOut           SUBGRAPH_TIMEOUT
    │   ├─ SubgraphUnreachable        SUBGRAPH_UNREACHABLE
    │   ├─ SubgraphReplyInvalid       SUBGRAPH_REPLY_INVALID
    │   └─ SubgraphCircuitOpen        SUBGRAPH_CIRCUIT_OPEN
    ├─ KeysUnavailable       the keys that prove tokens cannot be had just now; 503, try again
    ├─ SupergraphInvalid     the file given to ``serve`` or ``plan`` is no supergraph; start-up only
    ├─ ContractInvalid       the tags of a contract leave no valid schema; carries every CompositionError; start-up only
    ├─ PlanningFailed        a valid operation has no plan: the supergraph was not satisfiable
    └─ CompositionError      build time only; carries the published federation code

Safe-to-show is the *branch of the tree*, never a flag. Composition reports all its errors, the run time the first.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GatewayError(Exception):
    """The root. ``code`` becomes ``extensions.code``; ``http_status`` applies before execution began."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions: dict[str, Any] = extensions

    def as_graphql(self) -> dict[str, Any]:
        """The error as one entry of a GraphQL response's ``errors``."""
        return {"message": self.message, "extensions": {**self.extensions, "code": self.code}}


class RequestError(GatewayError):
    code = "BAD_REQUEST"
    http_status = 400


class DocumentInvalid(RequestError):
    """The document does not parse (``GRAPHQL_PARSE_FAILED``) or does not validate; carries every error found."""

    def __init__(self, errors: list[dict[str, Any]], *, parsed: bool) -> None:
        super().__init__(errors[0]["message"] if errors else "The document is invalid.")
        self.errors = errors
        self.graphql_code = "GRAPHQL_VALIDATION_FAILED" if parsed else "GRAPHQL_PARSE_FAILED"

    def as_graphql(self) -> dict[str, Any]:
        return {"message": self.message, "extensions": {"code": self.graphql_code}}


class OperationUnknown(RequestError):
    code = "OPERATION_RESOLUTION_FAILURE"


class VariableInvalid(RequestError):
    code = "BAD_USER_INPUT"


class LimitExceeded(RequestError):
    """A named limit of ``config.Limits`` was passed; the message names the limit, the value and the maximum."""

    def __init__(self, limit_code: str, message: str) -> None:
        super().__init__(message)
        self.limit_code = limit_code

    def as_graphql(self) -> dict[str, Any]:
        return {"message": self.message, "extensions": {"code": self.limit_code}}


class RequestMalformed(RequestError):
    pass


class BodyTooLarge(RequestError):
    code = "PAYLOAD_TOO_LARGE"
    http_status = 413


class BodyTooSlow(RequestError):
    code = "REQUEST_TIMEOUT"
    http_status = 408


class MethodNotAllowed(RequestError):
    code = "METHOD_NOT_ALLOWED"
    http_status = 405


class MediaTypeUnsupported(RequestError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    http_status = 415


class MediaTypeNotAcceptable(RequestError):
    code = "NOT_ACCEPTABLE"
    http_status = 406


class ContractUnknown(RequestError):
    """The client's token or header names a contract that this gateway does not have."""

    code = "CONTRACT_UNKNOWN"


class ClientLeft(RequestError):
    """The client closed its connection before it had its answer; nobody reads this, but the log."""

    code = "CLIENT_CLOSED_REQUEST"
    http_status = 499


class NotAuthenticated(RequestError):
    code = "UNAUTHENTICATED"
    http_status = 401


class SubgraphError(GatewayError):
    """A fetch failed as a whole. ``message`` names the subgraph; ``detail`` is for logs and for development only."""

    code = "SUBGRAPH_ERROR"
    http_status = 502

    def __init__(self, subgraph: str, message: str, *, detail: str = "") -> None:
        super().__init__(message, service=subgraph)
        self.subgraph = subgraph
        self.detail = detail


class SubgraphTimedOut(SubgraphError):
    code = "SUBGRAPH_TIMEOUT"
    http_status = 504


class SubgraphUnreachable(SubgraphError):
    code = "SUBGRAPH_UNREACHABLE"


class SubgraphReplyInvalid(SubgraphError):
    code = "SUBGRAPH_REPLY_INVALID"


class SubgraphCircuitOpen(SubgraphError):
    code = "SUBGRAPH_CIRCUIT_OPEN"
    http_status = 503


class KeysUnavailable(GatewayError):
    """Nobody can be authenticated for now; tokens are neither good nor bad."""

    code = "AUTHENTICATION_UNAVAILABLE"
    http_status = 503


class SupergraphInvalid(GatewayError):
    code = "SUPERGRAPH_INVALID"


class PlanningFailed(GatewayError):
    code = "QUERY_PLANNING_FAILED"


class CompositionError(GatewayError):
    """One finding of composition: published code, where (``Type.field(arg:)``), which subgraphs, the smallest fix."""

    def __init__(
        self, published_code: str, message: str, *, coordinate: str | None = None, subgraphs: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.published_code = published_code
        self.coordinate = coordinate
        self.subgraphs = subgraphs

    def __repr__(self) -> str:
        return f"CompositionError({self.published_code}: {self.message})"


class ContractInvalid(GatewayError):
    """What a contract hides, something visible leans on; ``errors`` has every finding."""

    code = "CONTRACT_INVALID"

    def __init__(self, errors: tuple[CompositionError, ...]) -> None:
        super().__init__("\n".join(error.message for error in errors))
        self.errors = errors
