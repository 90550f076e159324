"""Messages on their way to one receiver: in the order of each saga, some at a time, repeated until they are taken.

It is memory, and may be lost: the finished resource with our finalizer on is what remains (see `records.duties`). So it
has bounds, and turns away what exceeds them. A receiver that is away gets one message at a time, ever less often; one
message that it doesn't take holds up its own saga alone.
"""

import asyncio
import heapq
import logging
import random
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client import Counter, Gauge

from saga_operator.engine.records.allowance import Allowance
from saga_operator.engine.tasks import Tasks

log = logging.getLogger(__name__)

CAPACITY: Final = 5_000
"""Messages that wait, 8 MB of events: of a shop with fifty orders a second, those of most of a minute. What comes after
is found by the finalizer that is still on, when there is room again.
"""
REMEMBERED: Final = 30_000
"""Sagas of which it is known what was taken, 12 MB: live ones, and those whose finalizer waits for a quiet moment. Of
one that is forgotten everything is sent again.
"""
FIRST_PAUSE: Final = 0.5
"""Seconds after a receiver has failed. Each failure in a row doubles them."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between two messages to a receiver that is away: so much later than it is it known to be back."""
OWN_PAUSE: Final = 5.0
"""Seconds after a message was refused that isn't the receiver's trouble. Each refusal doubles them."""
LONGEST_OWN_PAUSE: Final = 300.0
"""Seconds: a receiver that is mended takes within five minutes what it has refused. It may ask for as long."""
REPEATS_AT_ONCE: Final = 50
REPEATS_PER_SECOND: Final = 20.0
"""Of what a predecessor may have sent already: 10,000 live sagas in eight minutes, beside what is new."""


class Result(Enum):
    """What has become of an attempt."""

    TAKEN = auto()
    REFUSED = auto()
    """This message, by a receiver that is there."""
    AWAY = auto()
    """The receiver, for any message."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An attempt. `why` it was in vain is for the log; `retry_after` in seconds, if the receiver asked for them."""

    result: Result
    why: str = ""
    retry_after: float | None = None


TAKEN: Final = Answered(Result.TAKEN)


class Message(Protocol):
    """What is sent. The receiver knows a repetition by its id."""

    @property
    def id(self) -> str:
        """The same at each attempt, and that of no other message."""

    @property
    def kind(self) -> str:
        """A label of metrics, one of a few."""

    def about(self) -> Mapping[str, str]:
        """The fields of a log line about its saga."""


M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Tally:
    """Where it is counted, by kind."""

    sent: Counter
    failed: Counter
    waiting: Gauge
    oldest: Gauge


@dataclass(slots=True)
class _Line(Generic[M]):
    """The messages of one saga; the first is sent until it is taken."""

    since: float
    messages: deque[M] = field(default_factory=deque)
    refusals: int = 0
    failed_at: float = float("inf")
    """When the first message first failed."""
    is_done: asyncio.Event = field(default_factory=asyncio.Event)
    is_ready: bool = True
    """It waits for nothing but its turn; else it is being sent, or it pauses."""


class Outbox(Generic[M]):
    """Usable inside one event loop."""

    def __init__(
        self,
        send: Callable[[M], Awaitable[Answered]],
        receiver: str,
        tally: Tally,
        kinds: Iterable[str],
        *,
        concurrency: int,
        capacity: int = CAPACITY,
    ) -> None:
        """`receiver`: its name in the log; `kinds`: all that there are."""
        self._send = send
        self._receiver = receiver
        self._tally = tally
        self._concurrency = concurrency
        self._capacity = capacity
        self._lines: dict[str, _Line[M]] = {}
        """By uid of the saga; in the order in which they began to wait."""
        self._prompt: OrderedDict[str, None] = OrderedDict()
        self._repeats: OrderedDict[str, None] = OrderedDict()
        self._pausing: list[tuple[float, str]] = []
        self._allowance = Allowance(REPEATS_AT_ONCE, REPEATS_PER_SECOND, self._now)
        self._taken: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._waiting = dict.fromkeys(map(str, kinds), 0)
        self._sending = 0
        self._failures = 0
        self._failed_at = float("-inf")
        self._taken_at = float("-inf")
        self._closed_until = float("-inf")
        self._wake = asyncio.Event()
        self._tasks = Tasks()
        self.when_all_is_taken: Callable[[str], None] = lambda _: None
        """Called with the uid of a saga of which nothing waits any more."""
        for kind in self._waiting:  # from 0 on: Prometheus doesn't see the rise to a first value
            tally.sent.labels(kind)
            tally.failed.labels(kind)
            tally.waiting.labels(kind).set_function(partial(self._waiting.__getitem__, kind))
        tally.oldest.set_function(self._oldest)

    def __len__(self) -> int:
        return sum(self._waiting.values())

    @property
    def is_open(self) -> bool:
        """Whether what is added now is likely to be taken soon."""
        return not self._failures and 2 * len(self) <= self._capacity

    def knows(self, uid: str) -> bool:
        """Whether anything of this saga waits, or is known to be taken."""
        return uid in self._lines or uid in self._taken

    def has_taken(self, uid: str, id_: str) -> bool:
        """Whether the receiver is known to have this message of this saga."""
        return id_ in self._taken.get(uid, ())

    def has(self, uid: str, id_: str) -> bool:
        """Whether this message of this saga waits, or is known to be taken."""
        line = self._lines.get(uid)
        return self.has_taken(uid, id_) or (line is not None and any(m.id == id_ for m in line.messages))

    def add(self, uid: str, messages: Iterable[M], *, repeated: bool = False, always: bool = False) -> None:
        """Have these sent in this order, but for those that wait or are taken. Never blocks.

        `repeated`: a predecessor may have sent them, so that what is new goes first. `always`: also if there is little
        room. What there is no room for is left out, with all after it.
        """
        line, room = self._lines.get(uid), (2 if always else 1) * self._capacity - len(self)
        for message in messages:
            if self.has(uid, message.id):
                continue
            if room <= 0:
                break
            if line is None:
                line = self._lines[uid] = _Line(self._now())
            line.messages.append(message)
            self._waiting[str(message.kind)] += 1
            room -= 1
            if line.is_ready:
                self._set_ready(uid, repeated=repeated)

    def forget(self, uid: str) -> None:
        """Nothing will be asked of this saga any more. What waits is sent all the same."""
        self._taken.pop(uid, None)

    async def settled(self, uid: str, seconds: float) -> None:
        """Return when nothing of this saga waits, or after so long."""
        if uid in self._lines:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._lines[uid].is_done.wait()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._wake.clear()
                pause = self._begin()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
        finally:
            await self._tasks.stop()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _oldest(self) -> float:
        line = next(iter(self._lines.values()), None)
        return 0.0 if line is None else max(0.0, self._now() - line.since)

    def _set_ready(self, uid: str, *, repeated: bool) -> None:
        if repeated and uid not in self._prompt:
            self._repeats[uid] = None
        elif not repeated:
            self._repeats.pop(uid, None)
            self._prompt[uid] = None
        self._wake.set()

    def _begin(self) -> float | None:
        """Begin to send what may be sent now. Seconds until more may be; None: something else has to happen first."""
        now = self._now()
        while self._pausing and self._pausing[0][0] <= now:
            _, uid = heapq.heappop(self._pausing)
            self._lines[uid].is_ready = True
            self._prompt[uid] = None
        while (next_uid := self._next(now)) is not None:
            self._sending += 1
            self._lines[next_uid].is_ready = False
            self._tasks.start(self._send_all_of(next_uid), f"messages to {self._receiver}")
        times = [self._pausing[0][0]] if self._pausing else []
        if self._may_begin_another:
            if self._failures and (self._prompt or self._repeats):
                times.append(self._closed_until)
            elif self._repeats:
                times.append(now + self._allowance.pause())
        return max(min(times) - now, 0.001) if times else None

    @property
    def _may_begin_another(self) -> bool:
        return self._sending < (1 if self._failures else self._concurrency)

    def _next(self, now: float) -> str | None:
        if not self._may_begin_another or (self._failures and now < self._closed_until):
            return None
        if self._prompt:
            return self._prompt.popitem(last=False)[0]
        if self._repeats and self._allowance.take():
            return self._repeats.popitem(last=False)[0]
        return None

    async def _send_all_of(self, uid: str) -> None:
        line = self._lines[uid]
        try:
            while line.messages and await self._is_taken(uid, line):
                pass
        finally:
            self._sending -= 1
            self._wake.set()
        if not line.messages:
            del self._lines[uid]
            line.is_done.set()
            self.when_all_is_taken(uid)

    async def _is_taken(self, uid: str, line: _Line[M]) -> bool:
        message, began = line.messages[0], self._now()
        try:
            answered = await self._send(message)
        except (Exception, asyncio.CancelledError) as error:  # of this one alone, which would wait for ever
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # a cancellation that nobody asked for leaks from a task that was waited for
            log.error("%s can't be sent: %r", message.id, error, exc_info=error, extra=message.about())
            answered = Answered(Result.REFUSED, repr(error))
        if answered.result is Result.TAKEN:
            self._note_taken(uid, line)
            return True
        self._tally.failed.labels(str(message.kind)).inc()
        line.failed_at = min(line.failed_at, began)
        # one that fails while others are taken is no trouble of the receiver, whatever it says
        if answered.result is Result.AWAY and self._taken_at <= line.failed_at:
            self._note_away(began, answered)
            line.is_ready = True
            self._prompt[uid] = None  # behind the others: it may be the one that brings the receiver down
        else:
            self._let_pause(uid, line, answered)
        return False

    def _note_taken(self, uid: str, line: _Line[M]) -> None:
        message = line.messages.popleft()
        self._waiting[str(message.kind)] -= 1
        self._tally.sent.labels(str(message.kind)).inc()
        self._taken[uid] = (*self._taken.pop(uid, ()), message.id)
        while len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        line.refusals, line.failed_at, self._taken_at = 0, float("inf"), self._now()
        if self._failures:
            log.info("%s takes messages again; %d wait", self._receiver, len(self))
            self._failures = 0

    def _note_away(self, began: float, answered: Answered) -> None:
        if not self._failures:
            log.warning("%s doesn't take messages: %s; they wait until it does", self._receiver, answered.why)
        if began > self._failed_at:  # those that were under way together fail together
            self._failures += 1
            self._failed_at = self._now()
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE) * (0.5 + random.random() / 2)  # noqa: S311
        asked = min(answered.retry_after or 0.0, LONGEST_OWN_PAUSE)
        self._closed_until = max(self._closed_until, self._now() + max(pause, asked))

    def _let_pause(self, uid: str, line: _Line[M], answered: Answered) -> None:
        line.refusals += 1
        if line.refusals & (line.refusals - 1) == 0:  # the 1st, 2nd, 4th, 8th, …
            first = line.messages[0]
            said = (self._receiver, first.id, line.refusals, answered.why)
            log.warning("%s doesn't take %s (attempt %d): %s", *said, extra=first.about())
        pause = min(OWN_PAUSE * 2.0 ** min(line.refusals - 1, 10), LONGEST_OWN_PAUSE)
        asked = min(answered.retry_after or 0.0, LONGEST_OWN_PAUSE)
        heapq.heappush(self._pausing, (self._now() + max(pause, asked), uid))
