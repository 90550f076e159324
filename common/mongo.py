"""A thin typed client of MongoDB; the only module that imports motor.

motor has reached its end of life; with ORDERSAGA_MONGODB_DRIVER=pymongo PyMongo's AsyncMongoClient takes its place.
The few places where the two differ (cursors, sessions) are in this file.

Every write is acknowledged by the majority and journaled, and every read sees only what the majority has: an election
can't roll back an answer that the barrier has given. Times are aware datetimes in UTC.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, IndexModel, ReturnDocument
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

__all__ = [
    "Collection",
    "Database",
    "Document",
    "DuplicateKeyError",
    "Filter",
    "Index",
    "Mongo",
    "PyMongoError",
    "Session",
]

T = TypeVar("T")
Document = dict[str, Any]
Filter = Mapping[str, Any]
Change = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""An update document, or an aggregation pipeline whose stages may compute fields from others."""
Session = Any
"""A transaction's session: `Mongo.transaction` gives it to its body, which passes it on with every call."""

TRANSACTION_ATTEMPTS = 30
"""How often a transaction is run when others that want the same product win; with back-off that takes about 3 s."""

STREAM_BATCH = 20
"""Documents that `Collection.stream` holds at a time: an order of 100 lines is 12 KB, and never more than 40."""

_MAJORITY = WriteConcern(w="majority", j=True, wtimeout=4000)  # below the caller's time-out of 5 s
_STANDALONE_HELP = (
    "MongoDB at {address} is a standalone server, which has no transactions. Make it a replica set of one member: "
    "restart mongod with --replSet rs0, then run once: mongosh --eval 'rs.initiate()'"
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index of `collection`; `options` are PyMongo's (unique, partialFilterExpression, expireAfterSeconds)."""

    collection: str
    keys: Sequence[tuple[str, int]]
    options: Mapping[str, Any]

    @classmethod
    def on(cls, collection: str, *keys: str, **options: Any) -> "Index":
        """`Index.on("payments", "customer_id", "status")`: ascending; a key with a leading "-" is descending."""
        pairs = [(key.removeprefix("-"), -1 if key.startswith("-") else 1) for key in keys]
        return cls(collection, pairs, options)

    @property
    def name(self) -> str:
        """The name that MongoDB would give it."""
        return "_".join(f"{key}_{direction}" for key, direction in self.keys)


class Collection:
    """One collection. Every method raises PyMongoError if the database doesn't answer; the app answers 503 then."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    @property
    def _native(self) -> Any:
        """The driver's collection, of the current client."""
        return self._find()

    async def find_one(self, where: Filter, *, session: Session = None) -> Document | None:
        """The first document that matches, or None."""
        found: Document | None = await self._native.find_one(where, session=session)
        return found

    async def find(
        self,
        where: Filter,
        *,
        sort: str = "_id",
        skip: int = 0,
        limit: int = 0,
        session: Session = None,
    ) -> list[Document]:
        """All matching documents in ascending order of `sort`; with limit 0 there is no limit."""
        cursor = self._native.find(where, session=session).sort(sort, 1).skip(skip).limit(limit)
        found: list[Document] = await cursor.to_list(None)
        return found

    async def stream(
        self, where: Filter, *, sort: str = "_id", skip: int = 0, limit: int = 0, without: Sequence[str] = ()
    ) -> AsyncGenerator[Document, None]:
        """The same as `find`, a few documents at a time, without the fields named in `without`.

        Whoever has seen enough leaves the loop and closes this iterator (`contextlib.aclosing`).
        """
        fields = dict.fromkeys(without, 0) or None
        cursor = self._native.find(where, fields).sort(sort, 1).skip(skip).limit(limit).batch_size(STREAM_BATCH)
        try:
            async for document in cursor:
                yield document
        finally:
            await cursor.close()

    async def count(self, where: Filter) -> int:
        """How many documents match."""
        number: int = await self._native.count_documents(where)
        return number

    async def insert(self, document: Document, *, session: Session = None) -> None:
        """Insert one document; raises DuplicateKeyError if a unique index has it already."""
        await self._native.insert_one(document, session=session)

    async def update(self, where: Filter, change: Change, *, upsert: bool = False, session: Session = None) -> bool:
        """Change the first document that matches. True if there was one, or if it was inserted."""
        result = await self._native.update_one(where, change, upsert=upsert, session=session)
        return bool(result.matched_count or result.upserted_id is not None)

    async def find_and_update(
        self, where: Filter, change: Change, *, upsert: bool = False, session: Session = None
    ) -> Document | None:
        """Change the first document that matches and return it as it is afterwards; None if there is none."""
        found: Document | None = await self._native.find_one_and_update(
            where, change, upsert=upsert, return_document=ReturnDocument.AFTER, session=session
        )
        return found

    async def delete(self, where: Filter, *, session: Session = None) -> bool:
        """Delete the first document that matches. True if there was one."""
        result = await self._native.delete_one(where, session=session)
        return bool(result.deleted_count)

    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]], *, session: Session = None) -> list[Document]:
        """The whole result of a pipeline."""
        cursor = self._native.aggregate(list(pipeline), session=session)
        if asyncio.iscoroutine(cursor):  # PyMongo's is a coroutine of a cursor, motor's is the cursor
            cursor = await cursor
        found: list[Document] = await cursor.to_list(None)
        return found

    async def ensure(self, indexes: Sequence[Index]) -> None:
        """Create the indexes that don't exist yet; raises OperationFailure if one exists with other options."""
        await self._native.create_indexes([IndexModel(list(i.keys), name=i.name, **dict(i.options)) for i in indexes])


class Database:
    """One service's database."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getitem__(self, name: str) -> Collection:
        return Collection(lambda: self._find()[name])


class Mongo:
    """A client; it connects when first used, so that a service starts without a database."""

    def __init__(self, url: str, *, driver: str = "motor", timeout_ms: int = 2000) -> None:
        self.driver = driver
        self._url, self._timeout_ms = url, timeout_ms
        self._client = self._new_client()
        self._retired: list[Any] = []

    def _new_client(self) -> Any:
        make: Any = AsyncIOMotorClient if self.driver == "motor" else AsyncMongoClient
        return make(
            self._url,
            serverSelectionTimeoutMS=self._timeout_ms,
            connectTimeoutMS=self._timeout_ms,
            socketTimeoutMS=10_000,  # longer than wtimeout: the server reports its time-out before this one
            w="majority",
            journal=True,
            readConcernLevel="majority",
            retryWrites=True,
            tz_aware=True,
            appname="ordersaga",
        )

    def __getitem__(self, name: str) -> Database:
        return Database(lambda: self._client[name])

    async def drop(self, name: str) -> None:
        """Drop a whole database; only tests do. It is repeated, since a late heartbeat resets the driver's connections
        and the driver doesn't repeat this command.
        """
        for _ in range(2):
            with contextlib.suppress(ConnectionFailure):
                await self._client.drop_database(name)
                return
        await self._client.drop_database(name)

    async def close(self) -> None:
        """Close all connections."""
        for client in (self._client, *self._retired):
            if self.driver == "motor":
                client.close()
            else:
                await client.close()

    async def why_not_ready(self) -> str | None:
        """None if the database can be used, else one sentence that says why not and what to do."""
        try:
            hello = await self._client.admin.command("hello")
        except PyMongoError as error:
            return f"MongoDB doesn't answer ({type(error).__name__}): check ORDERSAGA_MONGODB_URL, and that mongod runs"
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            return _STANDALONE_HELP.format(address=hello.get("me") or "ORDERSAGA_MONGODB_URL")
        if not hello.get("isWritablePrimary"):
            return "MongoDB has no primary at the moment: wait for the election, or look at rs.status()"
        return None

    async def transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Run `body(session)` in a transaction and commit it; all of it happens, or nothing.

        `body` is run again when the server says that the transaction may be repeated (a write conflict, an election),
        so it must do nothing but database work. An exception that it raises aborts the transaction and is passed on.
        """
        client = self._client
        try:
            return await self._transaction(body)
        except (ConfigurationError, InvalidOperation) as error:
            # A connection that was opened while mongod wasn't a replica set never has sessions, even when mongod is one
            # by now. A new client opens new connections; a transaction that another call began on the old client is run
            # again on the new one.
            if self._client is client and (isinstance(error, InvalidOperation) or await self.why_not_ready()):
                raise
            if self._client is client:
                self._retired.append(client)
                self._client = self._new_client()
            return await self._transaction(body)

    async def _transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        session = self._client.start_session()
        if asyncio.iscoroutine(session) or isinstance(session, asyncio.Future):
            session = await session
        async with session:
            for attempt in range(TRANSACTION_ATTEMPTS):
                try:
                    return await self._once(session, body)
                except (OperationFailure, ConnectionFailure) as error:
                    if not error.has_error_label("TransientTransactionError") or attempt == TRANSACTION_ATTEMPTS - 1:
                        raise
                # Full jitter: calls that lost the same race don't try again at the same moment.
                await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, 0.2)))  # noqa: S311
        raise AssertionError("unreachable")

    async def _once(self, session: Session, body: Callable[[Session], Awaitable[T]]) -> T:
        started = session.start_transaction(
            read_concern=ReadConcern("snapshot"), write_concern=_MAJORITY, read_preference=ReadPreference.PRIMARY
        )
        if asyncio.iscoroutine(started):  # PyMongo's is a coroutine, motor's has started already
            await started
        try:
            result = await body(session)
        except BaseException:
            await session.abort_transaction()
            raise
        try:
            await session.commit_transaction()
        except (OperationFailure, ConnectionFailure) as error:
            # The commit may have happened: committing again is the way to find out, running it again is not.
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            await session.commit_transaction()
        return result
