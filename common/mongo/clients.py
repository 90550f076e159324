"""The client in use: made when a process starts, and anew when its connections are of no use any more or its address is
another one.
"""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from common.mongo.address import Address
from common.mongo.collection import OPERATION_SECONDS
from common.mongo.source import Watch
from common.mongo.trial import Trial, close
from common.server_clock import ServerClock

log = logging.getLogger("ordersaga.mongo")

ANEW_SECONDS = 2.0
"""Between two clients that are made because the last one has no server left to ask."""

LOOK_SECONDS = 0.1
"""Between two looks at what the client knows of its servers, which cost as much as a small operation."""

RETIRED_SECONDS = 3 * OPERATION_SECONDS
"""How long a client that another has replaced is kept for what it had begun."""


def _motor() -> Any:
    """motor's client, which only a process that uses it imports.

    motor reads the environment then. Its own default is five threads for each core, which a few slow reads use up; an
    operation waits for the server nearly all of its time, so threads cost memory only, and 64 are below the 100
    connections of the pool.
    """
    os.environ.setdefault("MOTOR_MAX_WORKERS", "64")
    from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415

    return AsyncIOMotorClient


class Clients:
    """The one in use, those that it has replaced, and one that the database doesn't let in yet."""

    def __init__(
        self, url: str, *, url_file: Path | None, ca_file: Path | None, driver: str, timeout_ms: int, clock: ServerClock
    ) -> None:
        """As of `Mongo`. Raises ValueError if there is no URI in the file."""
        self.watch: Watch | None = None
        self._driver, self._timeout_ms, self._clock = driver, timeout_ms, clock
        self._address = Address(url, url_file, ca_file)
        self._access = (self._address.url, self._address.tls)
        """What the client in use was made with."""
        self._client = self._new_client(*self._access)
        self._made = time.monotonic()
        self._look_at = 0.0
        self._trial: Trial | None = None
        self._retired: dict[int, Any] = {}
        """By identity: clients of the same address count as equal."""
        self._closing: set[asyncio.Task[None]] = set()

    def _new_client(self, url: str, tls: dict[str, Any]) -> Any:
        make: Any = _motor() if self._driver == "motor" else AsyncMongoClient
        return make(
            url,
            **tls,
            serverSelectionTimeoutMS=self._timeout_ms,
            connectTimeoutMS=self._timeout_ms,
            # For what isn't done through this package's methods, which have their own time-outs.
            timeoutMS=round(OPERATION_SECONDS * 1000),
            # Otherwise a server that has refused one new connection is forgotten, with the connections that it has let
            # in before, until it says something by itself: for up to ten seconds.
            serverMonitoringMode="poll",
            event_listeners=[self._clock],
            w="majority",
            journal=True,
            readConcernLevel="majority",
            retryWrites=True,
            tz_aware=True,
            appname="ordersaga",
        )

    def current(self) -> Any:
        """The one to use, made anew if it has no server left to ask, or if the database lets in a new address.

        A driver forgets a server for good that isn't a member of the replica set that was asked for: a mongod that was
        started once as a standalone server, or a name that led to another set for a moment. Of a set of one member
        nothing is left then, and the client never looks again.
        """
        if (now := time.monotonic()) < self._look_at:
            return self._client
        self._look_at = now + LOOK_SECONDS
        lost = not self._client.topology_description.server_descriptions() and now > self._made + ANEW_SECONDS
        if self._address.has_changed():
            self._try_the_address()
        if (trial := self._trial) is not None and trial.is_over:
            self._trial, self._access = None, trial.access
            self._replace(trial.client)
            log.info("the MongoDB URI is a new one, or what is beside it in its Secret: new operations use it")
        elif lost:
            self.renew()
        return self._client

    def renew(self) -> None:
        """A client with new connections, of the same address."""
        self._replace(self._new_client(*self._access))

    async def let_in(self) -> bool:
        """Ask for the new address now, if there is one: the server has refused the user of an operation, and has done
        nothing. Whether another client is in use afterwards.
        """
        before, self._look_at = self._client, 0.0
        if self.current() is before and self._trial is not None:
            await self._trial.ask()
            self._look_at = 0.0
        return self.current() is not before

    def _try_the_address(self) -> None:
        """The last one that was found counts, whatever became of those before it."""
        access = (self._address.url, self._address.tls)
        try:
            client = self._new_client(*access)
        except Exception as error:  # of the driver, which reads the URI: its words may quote the password
            log.error("the new MongoDB URI can't be used, going on with the one before: %s", type(error).__name__)
            return
        if self._trial is not None:
            self._keep(self._trial.end())
        self._trial = Trial(client, access)

    def _replace(self, client: Any) -> None:
        """This client takes the place of the one before, which ends what it has begun."""
        before, self._client, self._made = self._client, client, time.monotonic()
        self._retired[id(before)] = before
        self._keep(self._close_later(before))

    def _keep(self, closing: Coroutine[Any, Any, None]) -> None:
        self._closing.add(task := asyncio.ensure_future(closing))
        task.add_done_callback(self._closing.discard)

    async def _close_later(self, client: Any) -> None:
        await asyncio.sleep(RETIRED_SECONDS)
        del self._retired[id(client)]
        await close(client)

    async def close(self) -> None:
        """Close all connections."""
        for task in self._closing:
            task.cancel()
        if self._trial is not None:
            await self._trial.end()
        for client in (self._client, *self._retired.values()):
            await close(client)
