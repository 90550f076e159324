"""The clock of the database server: one clock for all replicas of a service, whatever their hosts believe.

Every heartbeat of the driver (each 10 s, the first one with the first connection) brings the server's time; in between
it is reckoned by this process's monotonic clock.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

from common.wire import utcnow


class ServerClock(ServerHeartbeatListener):
    """Reads the server's time out of the heartbeats; until the first one, this host's clock counts."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._sample: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Now, in UTC, cut to the millisecond."""
        if self._sample is None:
            return utcnow()
        told, then = self._sample
        now = told + timedelta(seconds=self._monotonic() - then)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def heard(self, local_time: object) -> None:
        """The server says that it is `local_time` now; anything but a time is ignored."""
        if isinstance(local_time, datetime):
            aware = local_time.replace(tzinfo=UTC) if local_time.tzinfo is None else local_time
            self._sample = (aware, self._monotonic())

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """A heartbeat begins."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """A heartbeat was answered. Only the primary's time counts, since all writes go there."""
        if event.reply.is_writable:
            self.heard(event.reply.document.get("localTime"))

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """A heartbeat failed: the last time that was heard goes on."""
