"""A client of a new address, which is asked until the database lets it in.

Whoever changes a password writes it in two places, the database and the file, and nobody sees both change at once. So
the client from before goes on until the new one is let in: the server keeps the connections that it has let in before.
"""

import asyncio
import contextvars
import logging
import time
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

log = logging.getLogger("ordersaga.mongo")

AGAIN_SECONDS = 0.5
"""Between two questions. Each is a new connection, and costs client and server some 10 ms of CPU."""

ANSWER_SECONDS = 2.0
"""The time-out of a question, as of the readiness check."""

SAY_SECONDS = 60.0
"""Between two lines of the log about the same address: until somebody has mended it, since a restart needs it."""

REFUSED = "Authentication failed"
"""The server's word for a user that it doesn't know, or another password; the driver quotes it as a reason why it knows
no server.
"""


async def close(client: Any) -> None:
    """Close a driver's client."""
    if (closing := client.close()) is not None:  # motor's needs no waiting
        await closing


class Trial:
    """Begins when it is made, in the running event loop."""

    def __init__(self, client: Any, access: Any) -> None:
        """`access`: what the client was made with."""
        self.client, self.access = client, access
        self.is_over = False
        """Whether the database lets the client in."""
        self._said_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._task = self._begun(self._ask_on())

    @staticmethod
    def _begun(work: Any) -> "asyncio.Task[None]":
        """Not in the context of the request that happens to come first: its time would be up soon."""
        return asyncio.get_running_loop().create_task(work, context=contextvars.Context())

    async def _ask_on(self) -> None:
        while not self.is_over:
            await self.ask()
            await asyncio.sleep(AGAIN_SECONDS)

    async def ask(self) -> None:
        """Ask now; those who ask at the same time share the answer."""
        if self._asking is None or self._asking.done():
            self._asking = self._begun(self._ask())
        await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        try:
            with pymongo.timeout(ANSWER_SECONDS):
                await self.client.admin.command("ping")  # over a connection that has said who it is
        except PyMongoError as error:  # whose words may quote the URI
            if time.monotonic() > self._said_at + SAY_SECONDS:
                self._said_at = time.monotonic()
                why = "it refuses the user or the password" if REFUSED in str(error) else type(error).__name__
                log.error("the database doesn't let in the new MongoDB URI, going on with the one before: %s", why)
        else:
            self.is_over = True

    async def end(self) -> None:
        """Ask no more, and close the client."""
        for task in (self._task, self._asking):
            if task is not None:
                task.cancel()
        await close(self.client)
