"""The indexes of a service's database, made in the background, again and again until they exist.

A service starts without its database and becomes ready later: nothing is asked of it before its indexes exist, since
some of them are what keeps an effect from happening twice.
"""

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby

from common.background import Rounds
from common.mongo import Database, Index, PyMongoError

log = logging.getLogger("ordersaga.app")

RETRY_SECONDS = 1.0
"""Pause between two attempts: a database that comes up late delays readiness by at most this."""

SILENT_SECONDS = 3600.0
"""How long creating them may take before it counts as hanging: each collection's have ten minutes."""


class Indexes:
    """What is wanted, and whether it is there."""

    def __init__(self, wanted: Sequence[Index]) -> None:
        self._wanted = sorted(wanted, key=lambda index: index.collection)
        self._exist = not wanted

    async def ensure(self, database: Database) -> None:
        """Create those that don't exist yet; raises PyMongoError if the database doesn't answer."""
        for collection, indexes in groupby(self._wanted, key=lambda index: index.collection):
            await database[collection].ensure(list(indexes))
        self._exist = True

    async def keep_creating(self, database: Database, rounds: Rounds) -> None:
        """Create them, however long the database is away."""
        while not self._exist:
            try:
                await self.ensure(database)
            except PyMongoError as error:
                log.warning("the indexes can't be created yet: %s", str(error)[:200])
                rounds.failed(str(error))
                await asyncio.sleep(RETRY_SECONDS)
        log.info("the indexes exist")

    def why_not_ready(self) -> str | None:
        """One sentence if they don't exist yet."""
        if not self._exist:
            return "the indexes of the database are being created: wait; if this doesn't end, the log says why"
        return None
