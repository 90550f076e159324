"""Work that runs beside the requests, for as long as the app does, and how it is seen whether it gets on.

    background = Background("payment", registry)            # one for each app: `Service.background`
    async with background.doing(store.keep_clean, name="expiry", silent=300):
        yield                                               # the work ends with the block

    async def keep_clean(rounds: Rounds) -> None:           # a round after the other, each of which it reports
        while True:
            ...
            rounds.done()                                   # or rounds.failed("the database doesn't answer")
            await asyncio.sleep(60)

Work that fails goes on failing beside requests that are answered well, so no probe is the place for it: /health
describes it, a gauge says for how long it has been failing, and the gauge has an alert.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

from common.text import printable

log = logging.getLogger("ordersaga.background")

PATIENCE_SECONDS = 0.5
"""Pause before a task is cancelled again: a driver that waits for a server has been seen to swallow a cancellation."""
AGAIN_SECONDS = 1.0
LONGEST_SECONDS = 60.0
"""The pauses after an unexpected error: the first, and the longest. Each is twice as long as the one before."""
HEALTHY_SECONDS = 300.0
"""Work that went on for so long before it failed is begun again after the first pause."""
WHY_CHARACTERS = 200

State = Literal["beginning", "ok", "failing", "ended"]


class Hanging(Exception):  # noqa: N818 - it reads as what happens
    """Work wasn't heard for too long."""


class Rounds:
    """How one work gets on, as it says itself. `silent`: seconds without a word after which it counts as hanging."""

    def __init__(
        self,
        silent: float = HEALTHY_SECONDS,
        *,
        count: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`count` is called at each failure."""
        self._silent = silent
        self._count = count
        self._now = now
        self._heard_at = now()
        self._finished_at: float | None = None
        self._failing_since: float | None = None
        self._failed_at = -math.inf
        self._why = ""
        self._has_ended = False

    def going_on(self) -> None:
        """A round is on its way: it takes its time, and doesn't hang."""
        self._heard_at = self._now()

    def done(self) -> None:
        """A round has ended as it should."""
        self._heard_at = self._finished_at = self._now()
        self._failing_since, self._why = None, ""

    def failed(self, why: str) -> None:
        """A round has failed; the next one begins in its turn. `why` is for people, without personal data."""
        self._heard_at = self._failed_at = self._now()
        self._failing_since = self._heard_at if self._failing_since is None else self._failing_since
        self._why = printable(why, WHY_CHARACTERS)
        self._count()

    def ended(self) -> None:
        """The work is done for good."""
        self.done()
        self._has_ended = True

    @property
    def until_hanging(self) -> float:
        """Seconds until it hangs unless it is heard; not positive: it hangs."""
        return self._heard_at + self._silent - self._now()

    @property
    def failing_seconds(self) -> float:
        """For how long it has failed or been silent; 0 while it is well."""
        if self._has_ended:
            return 0.0
        since = self._failing_since
        if since is None and self.until_hanging <= 0:
            since = self._heard_at
        return 0.0 if since is None else self._now() - since

    @property
    def since_failure(self) -> float:
        """Seconds since a round has failed; infinite if none has."""
        return self._now() - self._failed_at

    @property
    def state(self) -> State:
        """`beginning`: no round has ended yet."""
        if self._has_ended:
            return "ended"
        if self.failing_seconds > 0 or self._failing_since is not None:
            return "failing"
        return "beginning" if self._finished_at is None else "ok"

    def described(self) -> dict[str, str | None]:
        """For people: times are in UTC, RFC 3339."""
        found: dict[str, str | None] = {
            "state": self.state,
            "last_finished": None if self._finished_at is None else _ago(self._now() - self._finished_at),
        }
        if self.state == "failing":
            found["failing_since"] = _ago(self.failing_seconds)
            silent = self._now() - self._heard_at
            found["why"] = self._why if self.until_hanging > 0 else f"it was last heard {silent:.0f} s ago"
        return found


Work = Callable[[Rounds], Coroutine[Any, Any, None]]


class Background:
    """All work of one app that runs beside its requests, by name."""

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._service = service
        self._rounds: dict[str, Rounds] = {}
        self._seconds = Gauge(
            "ordersaga_background_failing_seconds",
            "For how long work beside the requests has failed or been silent; 0 while it is well.",
            ["service", "work"],
            registry=registry,
        )
        self._failures = Counter(
            "ordersaga_background_failures_total",
            "Rounds of work beside the requests that have failed.",
            ["service", "work"],
            registry=registry,
        )

    def described(self) -> dict[str, dict[str, str | None]]:
        """How each work gets on."""
        return {name: rounds.described() for name, rounds in self._rounds.items()}

    @property
    def is_well(self) -> bool:
        """Whether nothing fails."""
        return all(rounds.state != "failing" for rounds in self._rounds.values())

    @asynccontextmanager
    async def doing(
        self, work: Work, *, name: str, silent: float = HEALTHY_SECONDS, again: float = AGAIN_SECONDS
    ) -> AsyncIterator[None]:
        """Run `work` until the block ends. If it raises, the log says so, and it is begun again after `again` seconds,
        as is what wasn't heard for `silent` seconds. Work that returns is done.
        """
        rounds = Rounds(silent, count=self._failures.labels(self._service, name).inc)
        self._rounds[name] = rounds
        self._seconds.labels(self._service, name).set_function(lambda: rounds.failing_seconds)
        task = asyncio.create_task(_repeated(work, rounds, name, again), name=name)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


async def _repeated(work: Work, rounds: Rounds, name: str, again: float) -> None:
    pause = again
    while True:
        began = time.monotonic()
        rounds.going_on()
        task = asyncio.create_task(work(rounds), name=name)
        try:
            error = await _error_of(task, rounds)
        finally:  # also when the app ends
            await _cancel(task)
        if error is None:
            rounds.ended()
            return
        # Its type is enough for those who ask: what else it says may be of a customer.
        rounds.failed(str(error) if isinstance(error, Hanging) else f"{type(error).__name__}, see the log")
        pause = again if time.monotonic() - began > HEALTHY_SECONDS else pause
        log.error("%s has failed: it is begun again in %g s", name, pause, exc_info=error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_SECONDS)


async def _error_of(task: "asyncio.Task[None]", rounds: Rounds) -> BaseException | None:
    """What the work has failed of; None if it is done. A cancellation that nobody asked for is an error as well: it
    leaks from a task that was waited for.
    """
    while not task.done():
        if (seconds := rounds.until_hanging) <= 0:
            return Hanging("it hangs: it wasn't heard for too long")
        await asyncio.wait({task}, timeout=seconds)
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def _cancel(task: "asyncio.Task[None]") -> None:
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
    if not task.cancelled():
        task.exception()  # what it fails of at its end is no news


def _ago(seconds: float) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
