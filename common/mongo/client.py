"""The client: one for each process, made anew when its connections are of no use any more."""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, ConnectionFailure, InvalidOperation, PyMongoError

from common.mongo.collection import INDEX_SECONDS, OPERATION_SECONDS, Database, Session, in_time
from common.mongo.transactions import TRANSACTION_ATTEMPTS, transact
from common.server_clock import ServerClock

T = TypeVar("T")

READY_SECONDS = 2.0
"""The time-out of the readiness check: below the probe's own time-out of 4 s."""

ANEW_SECONDS = 2.0
"""Between two clients that are made because the last one has no server left to ask."""

LOOK_SECONDS = 0.1
"""Between two looks at what the client knows of its servers, which cost as much as a small operation."""

LISTS_AT_ONCE = 16
"""How many lists and counts run at a time; the others wait their turn. A sixth of the pool's 100 connections, and a
quarter of motor's threads: slow lists leave the rest to the saga's calls and to the readiness check.
"""

_STANDALONE_HELP = (
    "MongoDB at {address} is a standalone server, which has no transactions. Make it a replica set of one member: "
    "restart mongod with --replSet rs0, then run once: mongosh --eval 'rs.initiate()'"
)


def _motor() -> Any:
    """motor's client, which only a process that uses it imports.

    motor reads the environment then. Its own default is five threads for each core, which a few slow reads use up; an
    operation waits for the server nearly all of its time, so threads cost memory only, and 64 are below the 100
    connections of the pool.
    """
    os.environ.setdefault("MOTOR_MAX_WORKERS", "64")
    from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415

    return AsyncIOMotorClient


class Mongo:
    """A client; it connects when first used, so that a service starts without a database."""

    def __init__(self, url: str, *, driver: str = "pymongo", timeout_ms: int = 2000) -> None:
        self.driver = driver
        self._url, self._timeout_ms = url, timeout_ms
        self._clock = ServerClock()
        self._lists = asyncio.Semaphore(LISTS_AT_ONCE)
        self._client = self._new_client()
        self._made = time.monotonic()
        self._look_at = 0.0
        self._retired: list[Any] = []
        self._closing: set[asyncio.Future[None]] = set()

    def _new_client(self) -> Any:
        make: Any = _motor() if self.driver == "motor" else AsyncMongoClient
        return make(
            self._url,
            serverSelectionTimeoutMS=self._timeout_ms,
            connectTimeoutMS=self._timeout_ms,
            # For what isn't done through this file's methods, which have their own time-outs.
            timeoutMS=round(OPERATION_SECONDS * 1000),
            event_listeners=[self._clock],
            w="majority",
            journal=True,
            readConcernLevel="majority",
            retryWrites=True,
            tz_aware=True,
            appname="ordersaga",
        )

    def __getitem__(self, name: str) -> Database:
        return Database(self._current, name, self._lists, self._clock)

    def _current(self) -> Any:
        """The client, made anew if it has no server left to ask.

        A driver forgets a server for good that isn't a member of the replica set that was asked for: a mongod that was
        started once as a standalone server, or a name that led to another set for a moment. Of a set of one member
        nothing is left then, and the client never looks again.
        """
        if (now := time.monotonic()) < self._look_at:
            return self._client
        self._look_at = now + LOOK_SECONDS
        if not self._client.topology_description.server_descriptions() and now > self._made + ANEW_SECONDS:
            self._retired.append(self._client)
            self._client, self._made = self._new_client(), time.monotonic()
            while len(self._retired) > 1:  # the last one may still have calls that wait in vain
                closing = self._retired.pop(0).close()
                if closing is not None:
                    self._closing.add(task := asyncio.ensure_future(closing))
                    task.add_done_callback(self._closing.discard)
        return self._client

    async def drop(self, name: str) -> None:
        """Drop a whole database; only tests do. It is repeated, since a late heartbeat resets the driver's connections
        and the driver doesn't repeat this command.
        """
        with in_time(INDEX_SECONDS):
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
            with in_time(READY_SECONDS):
                hello = await self._current().admin.command("hello")
        except PyMongoError as error:
            return f"MongoDB doesn't answer ({type(error).__name__}): check ORDERSAGA_MONGODB_URL, and that mongod runs"
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            return _STANDALONE_HELP.format(address=hello.get("me") or "ORDERSAGA_MONGODB_URL")
        if not hello.get("isWritablePrimary"):
            return "MongoDB has no primary at the moment: wait for the election, or look at rs.status()"
        return None

    async def transaction(self, body: Callable[[Session], Awaitable[T]], *, attempts: int = TRANSACTION_ATTEMPTS) -> T:
        """Run `body(session)` in a transaction and commit it; all of it happens, or nothing.

        `body` is run again when the server says that the transaction may be repeated (a write conflict, an election),
        so it must do nothing but database work. An exception that it raises aborts the transaction and is passed on.
        With `attempts=1` it isn't run again: a conflict raises Contended at once.
        """
        client = self._current()
        try:
            return await transact(client, body, attempts=attempts)
        except (ConfigurationError, InvalidOperation) as error:
            # A connection that was opened while mongod wasn't a replica set never has sessions, even when mongod is one
            # by now. A new client opens new connections; a transaction that another call began on the old client is run
            # again on the new one.
            if self._client is client and (isinstance(error, InvalidOperation) or await self.why_not_ready()):
                raise
            if self._client is client:
                self._retired.append(client)
                self._client = self._new_client()
            return await transact(self._client, body, attempts=attempts)
