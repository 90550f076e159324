"""Takes our finalizer off finished sagas. No other write costs the API server as much, so it waits for a quiet moment,
for the saga's deletion or for the end of its time to live, whichever comes first.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from common.kube import Conflict, KubeError, ObjectNotFound, OrderSagas
from saga_operator.engine.calls.call_gate import CallGate
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.duties import Duties, NotYet
from saga_operator.resource.about import about, about_name
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

QUIET: Final = 0.5
"""Seconds without any call: between two orders of a busy shop there are fewer, after the last of a test hardly more."""
WAIT_AT_MOST: Final = 10_000
"""Finished sagas whose name is kept until then, some 4 MB. Of more it is known that they are there: all that are
finished are looked at once these are done.
"""
WITH_RESOURCE: Final = 500
"""Of those, how many are kept as they were last seen, some 10 MB: the others are read again, which a quiet API server
does in a millisecond. So are large ones.
"""
WORKERS: Final = 4
LOOK_AGAIN: Final = 0.1
"""Seconds between two looks whether it is quiet."""
TRY_AGAIN: Final = 5.0
"""Seconds after the API server failed. At worst, a deletion waits for this."""
SEE_TO_EVERY: Final = 0.05
"""Seconds between two finished sagas that are read because a predecessor may not have told of them: a busy shop has no
quiet moment for hours, and whoever is to be told shouldn't wait for one. 20 reads a second are nothing to notice.
"""
LATEST_AGAIN: Final = 300.0
"""Seconds; the longest pause after it has failed again and again for the same resource."""


@dataclass(frozen=True, slots=True)
class _Finished:
    name: str
    uid: str
    urgent: bool
    resource: Resource | None


class FinalizerQueue:
    """A queue of lower priority than everything that a live saga does."""

    def __init__(self, writer: ApiWriter, sagas: OrderSagas, gate: CallGate, duties: Duties) -> None:
        self._writer = writer
        self._duties = duties
        self._sagas = sagas
        self._gate = gate
        self._urgent: OrderedDict[str, _Finished] = OrderedDict()
        self._calm: OrderedDict[str, _Finished] = OrderedDict()
        self._in_hand: dict[str, bool | None] = {}
        """Those that are looked at now, by uid; if one was added again meanwhile, whether that is urgent."""
        self._filled = asyncio.Event()
        self._failures: dict[str, int] = {}
        self._not_yet: dict[str, tuple[asyncio.TimerHandle, Callable[[], None]]] = {}
        """Those of which something is due still, by uid: when they are looked at again, and how that is done."""
        self._found: deque[str] = deque(maxlen=WAIT_AT_MOST)
        """The uids of calm ones that may have to be told of."""
        self._hurry = False
        self._has_missed = False
        self.find_missed: Callable[[], None] = lambda: None
        """Called when all are done that were noted, and there were more: whoever finds them adds them again."""

    @property
    def is_open(self) -> bool:
        """Whether all that is due of a finished saga may be done now. Until then those wait for which nobody waits."""
        return self._duties.are_open

    def __len__(self) -> int:
        return len(self._urgent) + len(self._calm)

    def hurry(self) -> None:
        """From now on everything is urgent: all that is queued, and all that comes."""
        self._hurry = True
        self._duties.hurry()
        for uid in list(self._not_yet):
            self.look_again(uid)
        self._filled.set()

    def add(self, name: str, uid: str, *, urgent: bool, resource: Resource | None = None) -> None:
        """Queue a finished saga, unless it is queued; `urgent` if its deletion waits for the finalizer.

        `resource`: its last version where that is known; without it, it is read first.
        """
        if resource is not None and not resource.is_small:
            resource = None
        if uid in self._in_hand:  # what is due of it would be done twice; and what is known of it now is old by then
            self._in_hand[uid] = urgent or bool(self._in_hand[uid])
            return
        if urgent:
            self._calm.pop(uid, None)
            self._urgent[uid] = _Finished(name, uid, urgent, resource)
        elif uid not in self._calm and uid not in self._urgent:
            if len(self._calm) >= WAIT_AT_MOST:
                self._has_missed = True
                return
            kept = resource if len(self._calm) < WITH_RESOURCE else None
            self._calm[uid] = _Finished(name, uid, urgent, kept)
            if not self._duties.are_seen_to(uid):
                self._found.append(uid)
        self._filled.set()

    def look_again(self, uid: str) -> None:
        """What was due of this saga is done: look at it now, if it waits for that."""
        if (waits := self._not_yet.get(uid)) is not None:
            _, again = waits
            again()

    def _put_off(self, resource: Resource, wait: NotYet) -> None:
        name, uid, urgent = resource.name, resource.uid, resource.deleting or wait.urgent
        kept = resource if len(self._not_yet) < WITH_RESOURCE and not resource.deleting else None

        def again() -> None:
            handle, _ = self._not_yet.pop(uid)
            handle.cancel()
            self.add(name, uid, urgent=urgent, resource=kept)

        if uid in self._not_yet:
            self._not_yet[uid][0].cancel()
        self._not_yet[uid] = (asyncio.get_running_loop().call_later(wait.seconds, again), again)

    @property
    def _is_quiet(self) -> bool:
        """Whether live sagas need neither the machine nor the API server, and what is due may be done."""
        quiet = self._gate.quiet_seconds >= QUIET and self._writer.room.is_open
        return self._hurry or (quiet and self._duties.are_open)

    async def run(self) -> None:
        """Work through the queue until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())
            group.create_task(self._see_to_those_found())

    async def _see_to_those_found(self) -> None:
        """What is due of them waits for no quiet moment; the removal of their finalizer does."""
        while True:
            await asyncio.sleep(SEE_TO_EVERY if self._found and self._duties.are_open else 1.0)
            while self._found and self._duties.are_open:
                found = self._calm.get(self._found.popleft())
                if found is not None and not self._duties.are_seen_to(found.uid):
                    await self._see_to(found)
                    break

    async def _see_to(self, found: _Finished) -> None:
        try:
            resource = found.resource or Resource(await self._sagas.get(found.name))
            if resource.uid == found.uid and resource.has_finalizer:
                await self._duties.see_to(resource)
        except (Exception, asyncio.CancelledError) as error:  # it has its quiet moment
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            log.info("what is due of saga %s waits for a quiet moment: %r", found.name, error)

    async def _next(self) -> _Finished:
        while True:
            if self._urgent:
                return self._urgent.popitem(last=False)[1]
            if self._calm and self._is_quiet:
                return self._calm.popitem(last=False)[1]
            if not self._calm and self._has_missed:
                self._has_missed = False
                self.find_missed()
            self._filled.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN if self._calm else None):
                    await self._filled.wait()

    async def _work(self) -> None:
        while True:
            found = await self._next()
            name, uid = found.name, found.uid
            self._in_hand[uid] = None
            try:
                await self._take_off(name, uid, found.resource)
            except ObjectNotFound:
                self._failures.pop(uid, None)
            except (Exception, asyncio.CancelledError) as error:  # what ails one resource is no reason to stop
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # a cancellation that nobody asked for leaks from a task that was waited for
                self._try_again(found, error)
            else:
                self._failures.pop(uid, None)
            finally:
                if (urgent := self._in_hand.pop(uid)) is not None:
                    self.add(name, uid, urgent=urgent)

    def _try_again(self, found: _Finished, error: Exception | asyncio.CancelledError) -> None:
        """Ever less often: what a policy or missing rights refuse isn't mended within seconds."""
        name, uid = found.name, found.uid
        failures = self._failures[uid] = self._failures.get(uid, 0) + 1
        seconds = min(TRY_AGAIN * 2.0 ** min(failures - 1, 10), LATEST_AGAIN)
        unexpected = None if isinstance(error, KubeError) else error
        known = about_name(self._sagas.namespace, name) if found.resource is None else about(found.resource)
        log.warning("a finalizer stays, again in %.0f s: %r", seconds, error, exc_info=unexpected, extra=known)
        asyncio.get_running_loop().call_later(seconds, partial(self.add, name, uid, urgent=found.urgent))

    async def _take_off(self, name: str, uid: str, resource: Resource | None) -> None:
        while True:
            if resource is None or resource.shortened:
                resource = Resource(await self._sagas.get(name))
            if resource.uid != uid or not resource.has_finalizer:
                return
            # The last moment: after it, the resource may be deleted without another word.
            settled = await self._duties.settled(resource)
            if isinstance(settled, NotYet):
                self._put_off(resource, settled)
                return
            try:
                await self._writer.patch_finalizer(name, resource.without_finalizer(archived=settled.archived))
            except Conflict:
                resource = None
            else:
                self._duties.finalizer_is_off(uid)
                return
