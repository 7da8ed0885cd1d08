"""The refusals every domain may speak, as one small tree. Nothing here knows GraphQL, HTTP or MongoDB.

::

    DomainError              the business says no; carries the facts needed to recover
    ├─ InvalidInput          the request can never succeed as written
    ├─ NotFound              no such thing, or not one this principal may see
    ├─ Forbidden             the principal lacks scopes; names them
    ├─ IdempotencyConflict   the key was used before with other arguments
    ├─ RequestInFlight       the same request, or too many for one document, is being worked on; try again later
    └─ VersionConflict       the thing has changed since the caller read it

A domain subclasses ``DomainError`` for its own refusals. A bug is never a ``DomainError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

Severity = Literal["RECOVERABLE", "REQUIRES_BUYER_INPUT", "REQUIRES_BUYER_REVIEW", "UNRECOVERABLE"]


class DomainError(Exception):
    """The business says no. ``path`` names the argument at fault in GraphQL spelling, outermost first."""

    severity: ClassVar[Severity] = "UNRECOVERABLE"

    def __init__(self, message: str, *, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path: tuple[str, ...] = tuple(path)


class InvalidInput(DomainError):
    """The request can never succeed as written; the message says what to change."""

    severity = "RECOVERABLE"


class NotFound(DomainError):
    """Nothing with that identity is visible to this principal."""

    severity = "RECOVERABLE"


class Forbidden(DomainError):
    """The principal is known but lacks ``missing_scopes``."""

    severity = "UNRECOVERABLE"

    def __init__(self, message: str, missing_scopes: Sequence[str] = (), *, path: Sequence[str] = ()) -> None:
        super().__init__(message, path=path)
        self.missing_scopes: tuple[str, ...] = tuple(missing_scopes)


class IdempotencyConflict(DomainError):
    """The key already names a request with other arguments, whose fingerprint is ``original_request_hash``."""

    severity = "UNRECOVERABLE"

    def __init__(self, message: str, original_request_hash: str, *, path: Sequence[str] = ("idempotencyKey",)) -> None:
        super().__init__(message, path=path)
        self.original_request_hash = original_request_hash


class RequestInFlight(DomainError):
    """The work is being done, or contended for, right now; ask again after ``retry_after_ms`` milliseconds."""

    severity = "RECOVERABLE"

    def __init__(self, message: str, retry_after_ms: int, *, path: Sequence[str] = ()) -> None:
        super().__init__(message, path=path)
        self.retry_after_ms = retry_after_ms


class VersionConflict(DomainError):
    """The caller acted on version ``expected``; the thing is now at version ``actual``."""

    severity = "RECOVERABLE"

    def __init__(self, message: str, expected: int, actual: int, *, path: Sequence[str] = ()) -> None:
        super().__init__(message, path=path)
        self.expected = expected
        self.actual = actual
