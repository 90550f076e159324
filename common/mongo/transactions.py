"""Transactions: run, repeated when the server says so, committed or aborted, all in time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pymongo
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from common.deadline import left, within
from common.mongo.collection import OPERATION_SECONDS, Session, ended, in_time
from common.mongo.spans import seen
from common.tracing.current import recorded

T = TypeVar("T")

TRANSACTION_ATTEMPTS = 30
"""How often a transaction is run when others that want the same product win; with back-off that takes about 3 s."""

LAST_ATTEMPT_SECONDS = 0.3
"""A transaction isn't run again when less of its time is left: it would be cut off in the middle."""

ABORT_SECONDS = 1.0
"""The time-out of an abort. If it isn't heard, the server aborts the transaction by itself."""

TRANSACTION_LIFETIME_SECONDS = 3
"""What mongod's parameter transactionLifetimeLimitSeconds should be, and is wherever OrderSaga runs mongod: a process
that is killed in a transaction leaves it open, and what it has written is locked until the server aborts it. The
server looks every 1.5 s. Our own transactions take some 10 ms, and one that is aborted this way is run again.
"""

_CONFLICTS = frozenset({24, 112, 251})
"""LockTimeout, WriteConflict, NoSuchTransaction (the server aborted it): another transaction has the same documents."""

_MAJORITY = WriteConcern(w="majority", j=True)


class Contended(PyMongoError):  # noqa: N818 - it reads as what happened
    """Other transactions hold the same documents, and went on doing so for as long as this one was repeated. It left
    nothing behind: repeat it later.
    """


async def transact(client: Any, body: Callable[[Session], Awaitable[T]], *, attempts: int = TRANSACTION_ATTEMPTS) -> T:
    """Run `body` in a transaction of this driver's client; see `Mongo.transaction`."""
    session = client.start_session()
    if asyncio.iscoroutine(session) or isinstance(session, asyncio.Future):
        session = await session
    async with session:
        with within(OPERATION_SECONDS):
            return await _repeated(session, body, attempts)


async def _repeated(session: Session, body: Callable[[Session], Awaitable[T]], attempts: int) -> T:
    for attempt in range(attempts):
        # Full jitter: calls that lost the same race don't try again at the same moment.
        pause = random.uniform(0, min(0.002 * 2**attempt, 0.2))  # noqa: S311
        try:
            return await _once(session, body)
        except (OperationFailure, ConnectionFailure) as error:
            if not error.has_error_label("TransientTransactionError"):
                raise
            if attempt == attempts - 1 or left(OPERATION_SECONDS) <= pause + LAST_ATTEMPT_SECONDS:
                if getattr(error, "code", None) in _CONFLICTS:
                    raise Contended("other transactions hold the same documents: repeat it later") from error
                raise
        await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def _once(session: Session, body: Callable[[Session], Awaitable[T]]) -> T:
    started = session.start_transaction(
        read_concern=ReadConcern("snapshot"), write_concern=_MAJORITY, read_preference=ReadPreference.PRIMARY
    )
    if asyncio.iscoroutine(started):  # PyMongo's is a coroutine, motor's has started already
        await started
    try:
        result = await body(session)
    except BaseException:
        # Its own time, also when the request has none left: what isn't aborted stays locked.
        with pymongo.timeout(ABORT_SECONDS):
            await ended(session.abort_transaction(), session)
        raise
    try:
        await _commit(session)
    except (OperationFailure, ConnectionFailure) as error:
        # The commit may have happened: committing again is the way to find out, running it again is not.
        if not error.has_error_label("UnknownTransactionCommitResult"):
            raise
        await _commit(session)
    return result


async def _commit(session: Session) -> None:
    here = recorded()
    committing = _commit_in_time(session)
    await (committing if here is None else seen(here, "commitTransaction", ("", ""), committing))


async def _commit_in_time(session: Session) -> None:
    with in_time():
        await ended(session.commit_transaction(), session)
