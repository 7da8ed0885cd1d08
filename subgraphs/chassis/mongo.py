"""The one door to MongoDB: the same small, typed, awaitable API over motor and over PyMongo's own async client.

Nothing outside this file imports ``motor``, ``pymongo`` or ``bson``. Documents are plain dictionaries; datetimes are
aware and UTC. Which of the two drivers works behind the door is a setting; what differs between them (who awaits
what) is in the two ``_Driver`` classes and nowhere else.

Rules for everybody who writes queries (they hold on a real replica set and on the embedded server alike):

1. Take things with ``update_one({_id, guard}, {"$inc": …})`` and look at ``.modified``; guards are plain fields.
2. Patterns only as ``{"$regex": text, "$options": "i"}``, never compiled.
3. No ``$text``. 4. No snapshot sessions: ``transact`` reads at snapshot. 5. Page by an indexed key, look up by ``$in``
on ``_id``, no top-level ``$or`` on large collections. 6. ``transact`` bodies may run more than once: they build
everything they write anew. 7. One change stream a process, on a client of its own; fan out in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from importlib.metadata import version
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pymongo
from bson.binary import Binary
from bson.codec_options import CodecOptions
from bson.int64 import Int64
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import AsyncMongoClient, ReadPreference
from pymongo import errors as driver_errors
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from subgraphs.kernel.errors import RequestInFlight
from subgraphs.kernel.money import Money

Document = dict[str, Any]
Filter = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]
DriverName = Literal["motor", "pymongo"]
T = TypeVar("T")

ASCENDING, DESCENDING = 1, -1

TRANSACTION_ATTEMPTS_MAX = 12
TRANSACTION_BACKOFF_MS = 4.0
TRANSACTION_BACKOFF_MS_MAX = 250.0
COMMIT_ATTEMPTS_MAX = 5
SERVER_SELECTION_TIMEOUT_MS = 5_000
WATCH_AWAIT_MS = 250

_DUPLICATE_KEY = 11000
_WRITE_CONFLICT = 112


class MongoError(Exception):
    """The database could not do it; the cause is the driver's own error."""


class DuplicateKey(MongoError):
    """A unique index refused the write. Inside a transaction the transaction is lost: let it out of the body."""

    def __init__(self, collection: str, key: Mapping[str, Any]) -> None:
        super().__init__(f"duplicate key in {collection}: {', '.join(key) or 'unknown'}")
        self.collection = collection
        self.key = dict(key)


class TransientConflict(MongoError):
    """Another transaction holds what this one needs, or the primary moved; the whole body may be run again."""


class DatabaseUnreachable(MongoError):
    """No server answered in time."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index. ``keys`` are field names, ascending, or ``(field, direction)`` pairs."""

    keys: Sequence[str | tuple[str, int]]
    unique: bool = False
    sparse: bool = False
    expire_after_s: int | None = None
    partial: Mapping[str, Any] | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """One update of a bulk write; ``many`` changes every match."""

    filter: Filter
    update: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    upsert: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Insert:
    """One insertion of a bulk write."""

    document: Document


@dataclass(frozen=True, slots=True)
class Replace:
    """One replacement of a bulk write."""

    filter: Filter
    document: Document
    upsert: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """One deletion of a bulk write; ``many`` removes every match."""

    filter: Filter
    many: bool = False


Write = Update | Insert | Replace | Delete


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did. ``upserted`` is the identity of a document an upsert made."""

    matched: int = 0
    modified: int = 0
    inserted: int = 0
    deleted: int = 0
    upserted: Any = None


class Session:
    """A transaction's session; made by ``transact`` and handed on to every call that takes part."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw


def money_to_doc(money: Money) -> Document:
    """``{m: Int64, c: "EUR"}``, so that ``$inc`` and ``$sum`` stay exact."""
    return {"m": Int64(money.minor), "c": money.currency}


def money_from_doc(document: Mapping[str, Any]) -> Money:
    """The money of ``{m, c}``."""
    return Money(int(document["m"]), str(document["c"]))


class SessionBook(Protocol):
    """Who is told of the sessions that transactions run in, by their identities; see ``orphans``."""

    async def opened(self, session: bytes) -> None: ...
    def lost_touch(self, session: bytes) -> None: ...


class _Driver(Protocol):
    """Where motor and PyMongo's async client differ."""

    @property
    def label(self) -> str: ...
    def client(self, uri: str, options: Mapping[str, Any]) -> Any: ...
    async def close(self, client: Any) -> None: ...
    async def start_session(self, client: Any) -> Any: ...
    async def end_session(self, session: Any) -> None: ...
    async def start_transaction(self, session: Any, options: Mapping[str, Any]) -> None: ...
    async def aggregate(self, collection: Any, pipeline: Sequence[Any], options: Mapping[str, Any]) -> Any: ...
    async def watch(self, target: Any, pipeline: Sequence[Any], options: Mapping[str, Any]) -> Any: ...


class _MotorDriver:
    label = f"motor {version('motor')}"

    def client(self, uri: str, options: Mapping[str, Any]) -> Any:
        return AsyncIOMotorClient(uri, **options)

    async def close(self, client: Any) -> None:
        client.close()

    # Motor sends both to a thread. Neither says a word to the server, but for an end that finds a transaction open.
    async def start_session(self, client: Any) -> Any:
        return AsyncIOMotorClientSession(client.delegate.start_session(), client)

    async def end_session(self, session: Any) -> None:
        if session.in_transaction:
            await session.end_session()
        else:
            session.delegate.end_session()

    async def start_transaction(self, session: Any, options: Mapping[str, Any]) -> None:
        session.start_transaction(**options)

    async def aggregate(self, collection: Any, pipeline: Sequence[Any], options: Mapping[str, Any]) -> Any:
        return collection.aggregate(pipeline, **options)

    async def watch(self, target: Any, pipeline: Sequence[Any], options: Mapping[str, Any]) -> Any:
        return target.watch(pipeline, **options)


class _PyMongoDriver:
    label = f"pymongo {version('pymongo')}"

    def client(self, uri: str, options: Mapping[str, Any]) -> Any:
        return AsyncMongoClient(uri, **options)

    async def close(self, client: Any) -> None:
        await client.close()

    async def start_session(self, client: Any) -> Any:
        return client.start_session()

    async def end_session(self, session: Any) -> None:
        await session.end_session()

    async def start_transaction(self, session: Any, options: Mapping[str, Any]) -> None:
        await session.start_transaction(**options)

    async def aggregate(self, collection: Any, pipeline: Sequence[Any], options: Mapping[str, Any]) -> Any:
        return await collection.aggregate(pipeline, **options)

    async def watch(self, target: Any, pipeline: Sequence[Any], options: Mapping[str, Any]) -> Any:
        return await target.watch(pipeline, **options)


_DRIVERS: dict[DriverName, type[_Driver]] = {"motor": _MotorDriver, "pymongo": _PyMongoDriver}
_URI_OPTIONS = {"w": "majority", "journal": "true", "retryWrites": "true"}
_CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)
_TRANSACTION: dict[str, Any] = {
    "read_concern": ReadConcern("snapshot"),
    "write_concern": WriteConcern("majority", j=True),
    "read_preference": ReadPreference.PRIMARY,
}


def with_house_options(uri: str) -> str:
    """The URI with the write concern the house relies on, wherever it does not say otherwise itself."""
    parts = urlsplit(uri)
    options = dict(parse_qsl(parts.query))
    present = {name.lower() for name in options}
    options |= {name: value for name, value in _URI_OPTIONS.items() if name.lower() not in present}
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", urlencode(options), ""))


class Mongo:
    """A connection to one server or replica set; one per process. Use ``async with await Mongo.connect(uri)``."""

    def __init__(self, uri: str, driver: DriverName, pool_size_max: int) -> None:
        self._uri = with_house_options(uri)
        self._driver = _DRIVERS[driver]()
        self._options: dict[str, Any] = {
            "maxPoolSize": pool_size_max,
            "serverSelectionTimeoutMS": SERVER_SELECTION_TIMEOUT_MS,
            "appname": "galleria",
        }
        self._client = self._driver.client(self._uri, self._options)
        self._watching = False
        self.sessions: SessionBook | None = None

    @classmethod
    async def connect(cls, uri: str, driver: DriverName = "motor", *, pool_size_max: int = 64) -> Mongo:
        """Connects and waits for the server to answer; ``DatabaseUnreachable`` if none does."""
        mongo = cls(uri, driver, pool_size_max)
        try:
            await mongo.ping()
        except BaseException:
            await mongo.close()
            raise
        return mongo

    async def __aenter__(self) -> Mongo:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._driver.close(self._client)

    async def ping(self) -> None:
        """Returns when the server answers."""
        with _translated("admin"):
            await self._client.admin.command("ping")

    async def describe(self) -> str:
        """Which server and which driver: ``MongoDB 8.0.0 (secantus embedded) through motor 3.7.1``."""
        with _translated("admin"):
            build = await self._client.admin.command("buildInfo")
            hello = await self._client.admin.command("hello")
        name = hello.get("setName")
        kind = "secantus embedded" if name == "secantus" else f"replica set {name}" if name else "no replica set"
        return f"MongoDB {build.get('version', 'unknown')} ({kind}) through {self._driver.label}"

    def database(self, name: str) -> Database:
        """The database of that name; nothing is sent."""
        return Database(self, self._client.get_database(name, codec_options=_CODEC), name)


class Database:
    """One database. Each service has its own and touches no other."""

    def __init__(self, mongo: Mongo, raw: Any, name: str) -> None:
        self._mongo = mongo
        self._raw = raw
        self.name = name

    def collection(self, name: str) -> Collection:
        """The collection of that name; nothing is sent."""
        return Collection(self, self._raw[name], name)

    async def ping(self) -> None:
        await self._mongo.ping()

    async def describe(self) -> str:
        return await self._mongo.describe()

    async def collections(self) -> list[str]:
        """Names of the collections that exist, sorted."""
        with _translated(self.name):
            return sorted(await self._raw.list_collection_names())

    async def drop(self) -> None:
        """Removes the whole database."""
        with _translated(self.name):
            await self._mongo._client.drop_database(self.name)

    async def ensure_indexes(self, indexes: Mapping[str, Sequence[Index]]) -> None:
        """Creates the collections and indexes that are missing. Run before the first transaction."""
        existing = set(await self.collections())
        for name, wanted in indexes.items():
            if name not in existing:
                with _translated(name), contextlib.suppress(driver_errors.CollectionInvalid):
                    await self._raw.create_collection(name)
            if wanted:
                await self.collection(name).create_indexes(wanted)

    async def transact(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Runs ``body`` in a transaction: snapshot reads, majority writes, all or nothing.

        On a conflict the whole body runs again after a random, growing pause, a bounded number of times; then
        ``RequestInFlight``. So a body has no effects but its writes. What it raises aborts the transaction and comes
        out unchanged.
        """
        driver, book = self._mongo._driver, self._mongo.sessions
        for attempt in range(TRANSACTION_ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(_backoff_s(attempt))
            with _translated(self.name):
                raw = await driver.start_session(self._mongo._client)
            try:
                if book is not None:
                    await book.opened(raw.session_id["id"])
                with _translated(self.name):
                    await driver.start_transaction(raw, _TRANSACTION)
                try:
                    result = await body(Session(raw))
                except BaseException:
                    # The server forgets the transaction anyway if it cannot be told.
                    with contextlib.suppress(driver_errors.PyMongoError):
                        await raw.abort_transaction()
                    raise
                await self._commit(raw)
                return result
            except BaseException as error:
                if book is not None and _lost_touch(error):
                    book.lost_touch(raw.session_id["id"])
                if not isinstance(error, TransientConflict):
                    raise
            finally:
                await driver.end_session(raw)
        raise RequestInFlight(
            "too many requests are changing the same thing; try again", int(TRANSACTION_BACKOFF_MS_MAX)
        )

    async def _commit(self, raw: Any) -> None:
        for attempt in range(1, COMMIT_ATTEMPTS_MAX + 1):
            try:
                with _translated(self.name):
                    await raw.commit_transaction()
                return
            except MongoError as error:
                cause = error.__cause__
                unknown = isinstance(cause, driver_errors.PyMongoError) and cause.has_error_label(
                    "UnknownTransactionCommitResult"
                )
                # Committing again is safe: the server answers for the same transaction number.
                if not unknown or attempt == COMMIT_ATTEMPTS_MAX:
                    raise
                await asyncio.sleep(_backoff_s(attempt))

    async def end_sessions(self, sessions: Sequence[bytes]) -> None:
        """Ends sessions, whoever opened them; a transaction that is open in one is aborted."""
        with _translated("admin"):
            await self._mongo._client.admin.command({"killSessions": [{"id": Binary(one, 4)} for one in sessions]})

    async def watch(self, pipeline: Sequence[Filter] = ()) -> AsyncIterator[Document]:
        """Changes of this database from now on, filtered by ``pipeline``, on a client of its own.

        The first item is ``{}``: the stream is open, and what is committed from here on will be heard. Exactly one
        stream a process may be open; it ends with a ``MongoError`` when the server goes away.
        """
        mongo = self._mongo
        assert not mongo._watching, "one change stream a process: fan out in memory"
        mongo._watching = True
        client = mongo._driver.client(mongo._uri, {**mongo._options, "maxPoolSize": 2})
        try:
            with _translated(self.name):
                target = client.get_database(self.name, codec_options=_CODEC)
                stream = await mongo._driver.watch(target, list(pipeline), {"max_await_time_ms": WATCH_AWAIT_MS})
                async with stream:
                    # motor opens the cursor at the first look; only then does the server keep changes for us.
                    first = await stream.try_next()
                    yield {}
                    if first is not None:
                        yield first
                    async for change in stream:
                        yield change
        finally:
            mongo._watching = False
            await mongo._driver.close(client)


class Collection:
    """One collection; every method takes the session of the transaction it is part of, if any."""

    def __init__(self, database: Database, raw: Any, name: str) -> None:
        self._database = database
        self._raw = raw
        self.name = name

    async def find_one(
        self,
        filter: Filter,
        *,
        projection: Any = None,
        sort: Sort | None = None,
        session: Session | None = None,
    ) -> Document | None:
        """The first match, or nothing."""
        with _translated(self.name):
            found: Document | None = await self._raw.find_one(
                filter, projection=projection, sort=_sort(sort), session=_raw(session)
            )
            return found

    async def find(
        self,
        filter: Filter,
        *,
        projection: Any = None,
        sort: Sort | None = None,
        limit: int = 0,
        skip: int = 0,
        session: Session | None = None,
    ) -> list[Document]:
        """All matches, or the first ``limit`` of them, as a list."""
        with _translated(self.name):
            cursor = self._raw.find(
                filter, projection=projection, sort=_sort(sort), limit=limit, skip=skip, session=_raw(session)
            )
            found: list[Document] = await cursor.to_list(None)
            return found

    async def insert_one(self, document: Document, *, session: Session | None = None) -> None:
        """Adds a document; ``DuplicateKey`` if a unique index has it already."""
        with _translated(self.name):
            await self._raw.insert_one(document, session=_raw(session))

    async def insert_many(
        self, documents: Sequence[Document], *, ordered: bool = True, session: Session | None = None
    ) -> None:
        """Adds documents; none given is fine."""
        if documents:
            with _translated(self.name):
                await self._raw.insert_many(documents, ordered=ordered, session=_raw(session))

    async def insert_each(self, documents: Sequence[Document]) -> frozenset[int]:
        """Adds each document that no unique index refuses, all in one round trip; the places of those refused."""
        try:
            await self.insert_many(documents, ordered=False)
        except DuplicateKey as refused:
            cause = refused.__cause__
            assert isinstance(cause, driver_errors.BulkWriteError), "many documents are written in bulk"
            faults = cause.details["writeErrors"]
            if cause.details["writeConcernErrors"] or any(fault["code"] != _DUPLICATE_KEY for fault in faults):
                raise MongoError(str(cause)) from cause
            return frozenset(fault["index"] for fault in faults)
        return frozenset()

    async def update_one(
        self,
        filter: Filter,
        update: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        upsert: bool = False,
        session: Session | None = None,
    ) -> Written:
        """Changes the first match; ``.modified`` says whether a guard held."""
        with _translated(self.name):
            result = await self._raw.update_one(filter, update, upsert=upsert, session=_raw(session))
            return Written(matched=result.matched_count, modified=result.modified_count, upserted=result.upserted_id)

    async def update_many(
        self,
        filter: Filter,
        update: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        session: Session | None = None,
    ) -> Written:
        """Changes every match."""
        with _translated(self.name):
            result = await self._raw.update_many(filter, update, session=_raw(session))
            return Written(matched=result.matched_count, modified=result.modified_count)

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        projection: Any = None,
        sort: Sort | None = None,
        upsert: bool = False,
        return_new: bool = True,
        session: Session | None = None,
    ) -> Document | None:
        """Changes the first match and gives it back, as it is after (or with ``return_new=False`` before)."""
        with _translated(self.name):
            found: Document | None = await self._raw.find_one_and_update(
                filter,
                update,
                projection=projection,
                sort=_sort(sort),
                upsert=upsert,
                return_document=return_new,
                session=_raw(session),
            )
            return found

    async def replace_one(
        self, filter: Filter, document: Document, *, upsert: bool = False, session: Session | None = None
    ) -> Written:
        """Puts a document in place of the first match."""
        with _translated(self.name):
            result = await self._raw.replace_one(filter, document, upsert=upsert, session=_raw(session))
            return Written(matched=result.matched_count, modified=result.modified_count, upserted=result.upserted_id)

    async def delete_one(self, filter: Filter, *, session: Session | None = None) -> Written:
        """Removes the first match."""
        with _translated(self.name):
            result = await self._raw.delete_one(filter, session=_raw(session))
            return Written(deleted=result.deleted_count)

    async def delete_many(self, filter: Filter, *, session: Session | None = None) -> Written:
        """Removes every match."""
        with _translated(self.name):
            result = await self._raw.delete_many(filter, session=_raw(session))
            return Written(deleted=result.deleted_count)

    async def count(self, filter: Filter, *, limit: int | None = None, session: Session | None = None) -> int:
        """How many match, counted up to ``limit``."""
        with _translated(self.name):
            options = {"limit": limit} if limit else {}
            counted: int = await self._raw.count_documents(filter, session=_raw(session), **options)
            return counted

    async def aggregate(self, pipeline: Sequence[Filter], *, session: Session | None = None) -> list[Document]:
        """The whole result of a pipeline."""
        with _translated(self.name):
            cursor = await self._database._mongo._driver.aggregate(
                self._raw, list(pipeline), {"session": _raw(session)}
            )
            found: list[Document] = await cursor.to_list(None)
            return found

    async def distinct(self, key: str, filter: Filter | None = None, *, session: Session | None = None) -> list[Any]:
        """The different values of a field among the matches."""
        with _translated(self.name):
            values: list[Any] = await self._raw.distinct(key, filter or {}, session=_raw(session))
            return values

    async def bulk_write(
        self, writes: Sequence[Write], *, ordered: bool = True, session: Session | None = None
    ) -> Written:
        """Many writes in one round trip; none given is fine."""
        if not writes:
            return Written()
        with _translated(self.name):
            result = await self._raw.bulk_write(
                [_bulk(write) for write in writes], ordered=ordered, session=_raw(session)
            )
            return Written(
                matched=result.matched_count,
                modified=result.modified_count,
                inserted=result.inserted_count,
                deleted=result.deleted_count,
            )

    async def create_indexes(self, indexes: Sequence[Index]) -> None:
        """Creates the indexes that are missing."""
        with _translated(self.name):
            await self._raw.create_indexes([_index(index) for index in indexes])

    async def drop(self) -> None:
        """Removes the collection and its indexes."""
        with _translated(self.name):
            await self._raw.drop()


def _raw(session: Session | None) -> Any:
    return None if session is None else session._raw


def _sort(sort: Sort | None) -> list[tuple[str, int]] | None:
    return list(sort) if sort else None


def _bulk(write: Write) -> Any:
    match write:
        case Update(filter, update, upsert, many):
            operation = pymongo.UpdateMany if many else pymongo.UpdateOne
            return operation(filter, update, upsert=upsert)
        case Insert(document):
            return pymongo.InsertOne(document)
        case Replace(filter, document, upsert):
            return pymongo.ReplaceOne(filter, document, upsert=upsert)
        case Delete(filter, many):
            return (pymongo.DeleteMany if many else pymongo.DeleteOne)(filter)


def _index(index: Index) -> pymongo.IndexModel:
    keys = [(key, ASCENDING) if isinstance(key, str) else key for key in index.keys]
    options: dict[str, Any] = {"unique": index.unique, "sparse": index.sparse}
    if index.expire_after_s is not None:
        options["expireAfterSeconds"] = index.expire_after_s
    if index.partial is not None:
        options["partialFilterExpression"] = index.partial
    if index.name is not None:
        options["name"] = index.name
    return pymongo.IndexModel(keys, **{name: value for name, value in options.items() if value is not False})


def _lost_touch(error: BaseException) -> bool:
    """Whether it is unknown what the server made of a transaction that ended so."""
    return isinstance(error, asyncio.CancelledError) or isinstance(error.__cause__, driver_errors.ConnectionFailure)


def _backoff_s(attempt: int) -> float:
    """Full jitter: anywhere up to a bound that doubles each time, so that colliding transactions spread out."""
    return random.uniform(0, min(TRANSACTION_BACKOFF_MS_MAX, TRANSACTION_BACKOFF_MS * 2**attempt)) / 1000  # noqa: S311


@contextlib.contextmanager
def _translated(where: str) -> Iterator[None]:
    """The driver's errors as ours, with the driver's as the cause."""
    try:
        yield
    except driver_errors.DuplicateKeyError as error:
        raise DuplicateKey(where, (error.details or {}).get("keyPattern") or {}) from error
    except driver_errors.BulkWriteError as error:
        faults = error.details.get("writeErrors", [])
        duplicate = next((fault for fault in faults if fault.get("code") == _DUPLICATE_KEY), None)
        if duplicate is not None:
            raise DuplicateKey(where, duplicate.get("keyPattern") or {}) from error
        if any(fault.get("code") == _WRITE_CONFLICT for fault in faults):
            raise TransientConflict(str(error)) from error
        raise MongoError(str(error)) from error
    except driver_errors.PyMongoError as error:
        if error.has_error_label("TransientTransactionError"):
            raise TransientConflict(str(error)) from error
        if isinstance(error, driver_errors.ConnectionFailure):
            raise DatabaseUnreachable(str(error)) from error
        raise MongoError(str(error)) from error
