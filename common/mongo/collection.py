"""Collections: each operation is one call of the driver, and ends in time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import pymongo
from pymongo import IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, ExecutionTimeout, OperationFailure

from common.deadline import left
from common.mongo.source import Source, once_more_if_refused, watched
from common.mongo.spans import Operation, spanned
from common.server_clock import ServerClock
from common.tracing.current import recorded

T = TypeVar("T")
Document = dict[str, Any]
Filter = Mapping[str, Any]
Change = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""An update document, or an aggregation pipeline whose stages may compute fields from others."""
Session = Any
"""A transaction's session: `Mongo.transaction` gives it to its body, which passes it on with every call."""

OPERATION_SECONDS = 4.0
"""The time-out of one operation, and of a transaction with its repetitions: below the caller's time-out of 5 s, so that
the caller is told what is wrong.
"""

STREAM_BATCH = 20
"""Documents that `Collection.stream` holds at a time: an order of 100 lines is 12 KB, and never more than 40."""

DUPLICATE_KEY = 11000
"""The server's code for what a unique index refuses."""

INDEX_SECONDS = 600.0
"""The time-out for creating indexes: over millions of documents that takes minutes, and nobody waits for it."""


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


@contextlib.contextmanager
def in_time(at_most: float = OPERATION_SECONDS) -> Iterator[None]:
    """Each operation in the block ends in `at_most` seconds, or at the request's deadline; raises ExecutionTimeout if
    that has passed.
    """
    if (seconds := left(at_most)) <= 0:
        raise ExecutionTimeout("the time of this request was up before this operation began")
    with pymongo.timeout(seconds):
        yield


async def ended(operation: Awaitable[T], session: Session) -> T:
    """The operation's result. One of a transaction isn't left before it has ended, even when cancelled: a write that
    reaches the server after the abort would begin the transaction again, with nobody to end it.
    """
    if session is None:
        return await operation
    running = asyncio.ensure_future(operation)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})  # it ends in time, by its own time-out
        raise


class Collection:
    """One collection. Every method raises PyMongoError if the database doesn't answer; the app answers 503 then."""

    def __init__(self, source: Source, database: str, name: str, lists: asyncio.Semaphore) -> None:
        self.source = source
        self.place = (database, name)
        self._lists = lists
        self._made: tuple[Any, Any] = (None, None)
        """A client and its collection, which is made once: that costs the driver as much as a small operation."""

    @property
    def _native(self) -> Any:
        """The driver's collection, of the current client."""
        client = self.source.current()
        if client is not self._made[0]:
            database, name = self.place
            self._made = (client, client[database][name])
        return self._made[1]

    @contextlib.asynccontextmanager
    async def _list(self, session: Session) -> AsyncIterator[None]:
        """The turn of a list, and its time."""
        if session is not None:
            with in_time():
                yield
            return
        try:
            async with asyncio.timeout(left(OPERATION_SECONDS)):
                await self._lists.acquire()
        except TimeoutError as error:
            raise ExecutionTimeout("other lists took all the time of this request: ask again later") from error
        try:
            with in_time():
                yield
        finally:
            self._lists.release()

    @spanned("find")
    @once_more_if_refused
    async def find_one(self, where: Filter, *, session: Session = None) -> Document | None:
        """The first document that matches, or None."""
        with in_time():
            found: Document | None = await ended(self._native.find_one(where, session=session), session)
        return found

    @spanned("find")
    @once_more_if_refused
    async def find(
        self,
        where: Filter,
        *,
        sort: str = "_id",
        skip: int = 0,
        limit: int = 0,
        fields: Sequence[str] | None = None,
        session: Session = None,
    ) -> list[Document]:
        """All matching documents in ascending order of `sort`, with these `fields` (default: all); with limit 0 there
        is no limit.
        """
        async with self._list(session):
            cursor = self._native.find(where, list(fields) if fields is not None else None, session=session)
            found: list[Document] = await ended(cursor.sort(sort, 1).skip(skip).limit(limit).to_list(None), session)
        return found

    async def stream(
        self, where: Filter, *, sort: str = "_id", skip: int = 0, limit: int = 0, without: Sequence[str] = ()
    ) -> AsyncGenerator[Document, None]:
        """The same as `find`, a few documents at a time, without the fields named in `without`.

        Whoever has seen enough leaves the loop and closes this iterator (`contextlib.aclosing`).
        """
        fields = dict.fromkeys(without, 0) or None
        cursor = self._native.find(where, fields).sort(sort, 1).skip(skip).limit(limit).batch_size(STREAM_BATCH)
        ends = time.monotonic() + OPERATION_SECONDS
        here = recorded()
        span = None if here is None else Operation(here, "find", self.place)
        documents = aiter(cursor)
        failed: BaseException | None = None
        try:
            while True:
                with in_time(ends - time.monotonic()):
                    try:
                        document: Document = await anext(documents)
                    except StopAsyncIteration:
                        return
                yield document
        except BaseException as error:
            failed = error
            raise
        finally:
            if span is not None:
                span.end(failed)
            await cursor.close()

    @spanned("aggregate")
    @once_more_if_refused
    async def count(self, where: Filter) -> int:
        """How many documents match."""
        async with self._list(None):
            number: int = await self._native.count_documents(where)
        return number

    @spanned("insert")
    @once_more_if_refused
    async def insert(self, document: Document, *, session: Session = None) -> None:
        """Insert one document; raises DuplicateKeyError if a unique index has it already."""
        with in_time():
            await ended(self._native.insert_one(document, session=session), session)

    async def insert_all(self, documents: Sequence[Document], *, session: Session) -> None:
        """Insert several documents in a transaction, in one call; raises DuplicateKeyError as `insert` does."""
        if len(documents) == 1:
            await self.insert(documents[0], session=session)
            return
        await self._insert_many(documents, session)

    @spanned("insert")
    async def _insert_many(self, documents: Sequence[Document], session: Session) -> None:
        with watched(self.source, "insert_all"), in_time():
            try:
                await ended(self._native.insert_many(documents, session=session), session)
            except BulkWriteError as error:
                if any(each.get("code") == DUPLICATE_KEY for each in (error.details or {}).get("writeErrors", ())):
                    raise DuplicateKeyError(str(error), DUPLICATE_KEY, error.details) from error
                raise

    async def update_all(self, changes: Sequence[tuple[Filter, Change]], *, session: Session) -> bool:
        """Make several changes in a transaction, in one call, each of the first document that matches. Whether each has
        found one; those that have are made in any case.
        """
        if len(changes) == 1:
            return await self.update(*changes[0], session=session)
        return await self._update_each(changes, session)

    @spanned("update")
    async def _update_each(self, changes: Sequence[tuple[Filter, Change]], session: Session) -> bool:
        with watched(self.source, "update_all"), in_time():
            made = [UpdateOne(where, change) for where, change in changes]
            result = await ended(self._native.bulk_write(made, session=session), session)
        return bool(result.matched_count == len(changes))

    @spanned("update")
    @once_more_if_refused
    async def update(
        self, where: Filter, change: Change, *, upsert: bool = False, hint: str | None = None, session: Session = None
    ) -> bool:
        """Change the first document that matches. True if there was one, or if it was inserted. `hint` names the index
        to use, where the server would weigh several.
        """
        with in_time():
            change_it = self._native.update_one(where, change, upsert=upsert, hint=hint, session=session)
            result = await ended(change_it, session)
        return bool(result.matched_count or result.upserted_id is not None)

    @spanned("update")
    @once_more_if_refused
    async def update_many(self, where: Filter, change: Change) -> None:
        """Change all documents that match: as many as can be changed in time."""
        with in_time():
            await self._native.update_many(where, change)

    @spanned("findAndModify")
    @once_more_if_refused
    async def find_and_update(
        self, where: Filter, change: Change, *, sort: str = "_id", upsert: bool = False, session: Session = None
    ) -> Document | None:
        """Change the first document that matches and return it as it is afterwards; None if there is none."""
        with in_time():
            change_it = self._native.find_one_and_update(
                where,
                change,
                sort=[(sort, 1)],
                upsert=upsert,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            found: Document | None = await ended(change_it, session)
        return found

    @spanned("delete")
    @once_more_if_refused
    async def delete(self, where: Filter, *, session: Session = None) -> bool:
        """Delete the first document that matches. True if there was one."""
        with in_time():
            result = await ended(self._native.delete_one(where, session=session), session)
        return bool(result.deleted_count)

    @spanned("aggregate")
    @once_more_if_refused
    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]], *, session: Session = None) -> list[Document]:
        """The whole result of a pipeline."""
        async with self._list(session):
            cursor = self._native.aggregate(list(pipeline), session=session)
            if asyncio.iscoroutine(cursor):  # PyMongo's is a coroutine of a cursor, motor's is the cursor
                cursor = await cursor
            found: list[Document] = await ended(cursor.to_list(None), session)
        return found

    async def ensure(self, indexes: Sequence[Index]) -> None:
        """Create the indexes that don't exist yet; raises OperationFailure if one exists with other options."""
        models = [IndexModel(list(i.keys), name=i.name, **dict(i.options)) for i in indexes]
        with in_time(INDEX_SECONDS):
            await self._native.create_indexes(models)

    async def drop_index(self, name: str) -> None:
        """Drop the index of that name, if there is one."""
        with in_time(), contextlib.suppress(OperationFailure):
            await self._native.drop_index(name)


class Database:
    """One service's database."""

    def __init__(self, source: Source, name: str, lists: asyncio.Semaphore, clock: ServerClock) -> None:
        self._source = source
        self._name = name
        self._lists = lists
        self._clock = clock

    def now(self) -> datetime:
        """Now by the server's clock, in UTC: the same for every replica."""
        return self._clock.now()

    def __getitem__(self, name: str) -> Collection:
        return Collection(self._source, self._name, name, self._lists)
