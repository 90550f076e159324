"""Reservations that share a transaction: those that wait while one is under way go together in the next one.

A reservation alone is three round trips, and its product is locked for all of them. Together they cost little more than
one: the documents in one insert, the stock of each product in one update, one commit. So orders for one product don't
queue for a round trip each, and under load a reservation costs a part of what it costs alone.

    a group     those that want exactly the same products at the same prices; it has their turn (`Turns`)
    a round     all groups whose turn it is, in one transaction; one round at a time

All of a round happens, or nothing: a process that is killed in the middle leaves what it leaves of any transaction. If
it fails, each group goes on by itself, and if that fails, each reservation: one that is refused, repeated or meets a
product that another process has locked takes nobody along. Nothing has to be known of why a round failed, nor whether
it did (a commit may have happened without an answer): the barrier of each order says what became of it.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from contextvars import Context
from dataclasses import dataclass, field

from common.barrier import Answer, Call
from common.deadline import left, within
from common.errors import Unavailable
from common.mongo import OPERATION_SECONDS, Contended, DuplicateKeyError, PyMongoError
from common.tracing.current import Here, recorded, together
from services.inventory.models import ReserveRequest
from services.inventory.turns import Turns

MOST = 32
"""Reservations in one group, and twice as many in one round. An order of 100 lines is 12 KB."""

ROUND_SECONDS = 1.0
"""A round is given up after that: while the database doesn't answer, the next one still has its time."""

ENOUGH_SECONDS = 0.5
"""Of the 4 s that a reservation has, so many have to be left when its transaction begins."""

ANSWER_SECONDS = 0.2
"""Of the same 4 s: what the transaction leaves, so that its end is still an answer."""

Wanted = tuple[str, tuple[tuple[str, int], ...]]
"""What a group has in common: the currency, and each product with its price."""


class NotTogether(Exception):  # noqa: N818 - it reads as what happened
    """The stock doesn't allow all of them, or one wants what isn't so: alone each learns what becomes of it."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A reservation that waits for its answer. `ends`: when its time is up, by the monotonic clock; `span`: of its
    request.
    """

    call: Call
    request: ReserveRequest
    ends: float
    answer: asyncio.Future[Answer]
    span: Here | None = None


@dataclass(eq=False, slots=True)
class _Group:
    products: frozenset[str]
    members: dict[str, Waiting] = field(default_factory=dict)
    """By order: a call that is repeated meanwhile isn't in the same group."""
    taken: bool = False
    """It is closed, and in a round or past it."""
    answers: Sequence[Answer] | None = None
    """Of the round that it was in; None if that has failed."""
    again: bool = True
    """Whether its members may succeed together after the round has failed."""


class Together:
    """The reservations of one process.

    `together` makes all of them in one transaction, or raises; `alone` makes one. Their second argument: whether to try
    again while other processes hold the same products, or raise Contended.
    """

    def __init__(
        self,
        turns: Turns,
        *,
        together: Callable[[Sequence[Waiting], bool], Awaitable[list[Answer]]],
        alone: Callable[[Waiting, bool], Awaitable[Answer]],
    ) -> None:
        self._turns = turns
        self._together = together
        self._alone = alone
        self._open: dict[Wanted, _Group] = {}
        self._ready: list[_Group] = []
        self._round = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def reserve(self, call: Call, request: ReserveRequest) -> Answer:
        """Reserve it with those that come at the same time. Raises Contended, Unavailable, or what `alone` raises."""
        seconds = left(OPERATION_SECONDS)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting = Waiting(call, request, time.monotonic() + seconds - ANSWER_SECONDS, answer, recorded())
        group = self._join(waiting)
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError as error:
            if not group.taken:
                raise Contended("other reservations took their time: repeat it later") from error
            raise Unavailable(f"order {call.order_id}: the database took all the time; ask again") from error
        finally:
            if not group.taken:  # nobody waits for it any more
                group.members.pop(call.order_id, None)

    def _join(self, waiting: Waiting) -> _Group:
        items, order_id = waiting.request.items, waiting.call.order_id
        wanted = (waiting.request.currency, tuple(sorted((line.product_id, line.unit_price_minor) for line in items)))
        group = self._open.get(wanted)
        if group is None or group.taken or len(group.members) >= MOST or order_id in group.members:
            group = self._open[wanted] = _Group(frozenset(line.product_id for line in items))
            # It outlives the request that began it, and so has neither its deadline nor its log fields.
            task = asyncio.get_running_loop().create_task(self._carry_out(wanted, group), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        group.members[order_id] = waiting
        return group

    async def _carry_out(self, wanted: Wanted, group: _Group) -> None:
        """Everything from a group's turn to its answers; it raises nothing but cancellation."""
        try:
            async with self._turns.of(group.products):
                self._ready.append(group)
                async with self._round:
                    if not group.taken:
                        await self._go_together()
                if group.answers is None:
                    await self._go_on(group)
                else:
                    _tell(group, group.answers)
        except Exception as error:
            _fail(group.members.values(), error)
        finally:
            group.taken = True
            if self._open.get(wanted) is group:
                del self._open[wanted]
            for waiting in group.members.values():
                waiting.answer.cancel()  # only if this task was cancelled it has no answer yet

    async def _go_together(self) -> None:
        """One round of all that are ready, the longest waiting first. It isn't repeated: others wait for its end."""
        groups: list[_Group] = []
        while self._ready and sum(len(group.members) for group in groups) < MOST:
            group = self._ready.pop(0)
            group.taken = True
            _send_away_the_late(group)
            groups.append(group)
        everybody = [waiting for group in groups for waiting in group.members.values()]
        try:
            with within(min(ROUND_SECONDS, _seconds_of(everybody))), _seen_by(everybody):
                if len(everybody) == 1:
                    made = [await self._alone(everybody[0], False)]
                else:
                    made = await self._together(everybody, False) if everybody else []
        except (PyMongoError, NotTogether) as error:
            for group in groups:
                group.again = len(groups) > 1 or not isinstance(error, NotTogether | DuplicateKeyError)
            return
        answers = iter(made)
        for group in groups:
            group.answers = [next(answers) for _ in group.members]

    async def _go_on(self, group: _Group) -> None:
        """After a round that failed: the group by itself and, if that fails as well, its members one by one."""
        members = list(group.members.values())
        if len(members) > 1 and group.again:
            try:
                with within(_seconds_of(members)), _seen_by(members):
                    _tell(group, await self._together(members, True))
                return
            except Contended as error:  # so it would be for each of them, with no time left
                _fail(members, error)
                return
            except (PyMongoError, NotTogether):
                pass
        for waiting in members:
            try:
                with within(_seconds_of([waiting])), _seen_by([waiting]):
                    answer = await self._alone(waiting, True)
            except Contended as error:
                _fail(members, error)
                return
            except Exception as error:
                _fail([waiting], error)
            else:
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)


def _tell(group: _Group, answers: Sequence[Answer]) -> None:
    for waiting, answer in zip(group.members.values(), answers, strict=True):
        if not waiting.answer.done():
            waiting.answer.set_result(answer)


def _fail(members: Iterable[Waiting], error: Exception) -> None:
    for waiting in members:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)


def _send_away_the_late(group: _Group) -> None:
    """Those whose time is nearly up would cut off everybody's transaction."""
    late = [waiting for waiting in group.members.values() if _seconds_of([waiting]) < ENOUGH_SECONDS]
    _fail(late, Contended("other reservations took their time: repeat it later"))
    for waiting in late:
        del group.members[waiting.call.order_id]


def _seen_by(members: Sequence[Waiting]) -> AbstractContextManager[None]:
    """What is done for them is a span of each."""
    return together("reserve together" if len(members) > 1 else "reserve", [each.span for each in members])


def _seconds_of(members: Sequence[Waiting]) -> float:
    """Until the time of the first of them is up."""
    return min((waiting.ends for waiting in members), default=math.inf) - time.monotonic()
