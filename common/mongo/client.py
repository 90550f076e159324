"""The database of a process: its collections, its transactions, and whether it can be used."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pymongo.errors import ConfigurationError, ConnectionFailure, InvalidOperation, OperationFailure, PyMongoError

from common.mongo.clients import Clients
from common.mongo.collection import INDEX_SECONDS, Database, Session, in_time
from common.mongo.source import AUTHENTICATION_FAILED, Watch, watched
from common.mongo.transactions import TRANSACTION_ATTEMPTS, transact
from common.mongo.trial import REFUSED
from common.server_clock import ServerClock

T = TypeVar("T")

READY_SECONDS = 2.0
"""The time-out of the readiness check: below the probe's own time-out of 4 s."""

LISTS_AT_ONCE = 16
"""How many lists and counts run at a time; the others wait their turn. A sixth of the pool's 100 connections, and a
quarter of motor's threads: slow lists leave the rest to the saga's calls and to the readiness check.
"""

_STANDALONE_HELP = (
    "MongoDB at {address} is a standalone server, which has no transactions. Make it a replica set of one member: "
    "restart mongod with --replSet rs0, then run once: mongosh --eval 'rs.initiate()'"
)


class Mongo:
    """A client; it connects when first used, so that a service starts without a database."""

    def __init__(
        self,
        url: str,
        *,
        url_file: Path | None = None,
        ca_file: Path | None = None,
        driver: str = "pymongo",
        timeout_ms: int = 2000,
        watch: Watch | None = None,
    ) -> None:
        """`url_file`: a file with the URI, in the place of `url`. `ca_file`: the database speaks TLS, and is checked
        with the authorities (PEM) in it; with the system's, while there is no such file.

        What takes their place is used without a restart, as soon as the database lets it in; until then what was before
        goes on. Raises ValueError if there is no URI in the file. `watch` is told of each operation.
        """
        self.driver = driver
        self._clock = ServerClock()
        self._lists = asyncio.Semaphore(LISTS_AT_ONCE)
        self._clients = Clients(
            url, url_file=url_file, ca_file=ca_file, driver=driver, timeout_ms=timeout_ms, clock=self._clock
        )
        self._clients.watch = watch

    def __getitem__(self, name: str) -> Database:
        return Database(self._clients, name, self._lists, self._clock)

    async def drop(self, name: str) -> None:
        """Drop a whole database; only tests do. It is repeated, since a late heartbeat resets the driver's connections
        and the driver doesn't repeat this command.
        """
        with in_time(INDEX_SECONDS):
            for _ in range(2):
                with contextlib.suppress(ConnectionFailure):
                    await self._clients.current().drop_database(name)
                    return
            await self._clients.current().drop_database(name)

    async def close(self) -> None:
        """Close all connections."""
        await self._clients.close()

    async def why_not_ready(self) -> str | None:
        """None if the database can be used, else one sentence that says why not and what to do."""
        try:
            with in_time(READY_SECONDS):
                hello = await self._clients.current().admin.command("hello")
        except PyMongoError as error:
            if REFUSED in str(error):
                return "MongoDB refuses the user or the password: check ORDERSAGA_MONGODB_URL, or the Secret it is in"
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
        with watched(self._clients, "transaction"):
            return await self._transaction(body, attempts)

    async def _transaction(self, body: Callable[[Session], Awaitable[T]], attempts: int) -> T:
        client = self._clients.current()
        has_ended = False

        async def noted(session: Session) -> T:
            nonlocal has_ended
            has_ended = False
            result = await body(session)
            has_ended = True
            return result

        try:
            return await transact(client, noted, attempts=attempts)
        except OperationFailure as error:
            # Not if it is the commit that was refused: the one before may have happened.
            if error.code != AUTHENTICATION_FAILED or has_ended or not await self._clients.let_in():
                raise
        except (ConfigurationError, InvalidOperation) as error:
            # A connection that was opened while mongod wasn't a replica set never has sessions, even when mongod is one
            # by now. A new client opens new connections; a transaction that another call began on the old client is run
            # again on the new one.
            is_in_use = self._clients.current() is client
            if is_in_use and (isinstance(error, InvalidOperation) or await self.why_not_ready()):
                raise
            if self._clients.current() is client:  # while this one asked, another transaction may have been here
                self._clients.renew()
        return await transact(self._clients.current(), body, attempts=attempts)
