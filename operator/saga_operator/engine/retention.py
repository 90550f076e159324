"""What becomes of finished sagas: their finalizer is taken off, and their resource goes when its time to live is over.

A loop of its own, beside the resync: tens of thousands may be over at once, and one of them may not be deletable. When
the time of each is over is noted when it ends. Of those that had ended before this process began, the metadata is
listed once. It says so, unless our finalizer is still on: such a one is read, but not all of them at once.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from common.kube import Conflict, Forbidden, KubeError, ObjectInvalid, ObjectNotFound, OrderSagas
from saga_operator.clock import Clock
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.records.stories import Stories
from saga_operator.engine.removals import Removals
from saga_operator.engine.resync import AGAIN
from saga_operator.engine.timetable import Timetable
from saga_operator.process.saga import FINISHED
from saga_operator.resource.about import about, about_name
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")

AT_ONCE: Final = 8
"""Deletions at a time: enough for a hundred in a second, and an eighth of the connections to the API server."""
FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 600.0
"""Seconds until a resource that may not be deleted is tried again, and told about: the first pause, and the longest."""
LOT: Final = 64
"""Removed one after the other without another look at the clock."""
LOOK: Final = 1.0
"""Seconds between two looks whether a time to live is over."""
LATER: Final = 30.0
"""Seconds until a removal is tried again that the API server didn't do."""
SOON: Final = 2.0
"""Seconds until it is tried after the finalizer is to be taken off; then ever later, up to `LATER`."""
MUCH_LATER: Final = 300.0
"""Up to this, while what is due of finished sagas can't be done: there may be tens of thousands of them meanwhile."""
READ_EVERY: Final = 0.05
"""Seconds between two that are read since their metadata doesn't tell: 100,000 in an hour and a half, by which time a
quiet shop has taken their finalizers off.
"""
EXPIRED: Final = 410
"""The list's snapshot is gone: what was deleted meanwhile took too long."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A resource that may not be deleted."""

    pause: float
    until: float


class Retention:
    """Cleans up after finished sagas."""

    def __init__(
        self,
        sagas: OrderSagas,
        finalizers: FinalizerQueue,
        stories: Stories,
        clock: Clock,
        *,
        expiries: Timetable,
        removals: Removals,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """`expiries`: the names of finished sagas, and when their time to live is over. `removals` are told."""
        self._sagas = sagas
        self._finalizers = finalizers
        self._stories = stories
        self._clock = clock
        self._expiries = expiries
        self._removals = removals
        self._first_pause = first_pause
        self._refused: dict[str, _Refusal] = {}
        self._read_next_at = 0.0

    def list_begins(self) -> None:
        """All that is noted is forgotten: those that are finished are `listed`, each of them."""
        self._expiries.clear()
        self._read_next_at = self._clock.now()
        old = time.monotonic() - LONGEST_PAUSE  # tried again meanwhile, if it had still been there
        self._refused = {uid: refusal for uid, refusal in self._refused.items() if refusal.until > old}

    def listed(self, metadata: Resource) -> None:
        """Note when the time of a finished saga is over, of whose resource only the metadata is known."""
        if metadata.deleting:
            return  # whoever's finalizer holds it
        expires = metadata.noted_expiry
        if expires is None:
            self._read_next_at += READ_EVERY
            expires = self._read_next_at
        if expires < math.inf:
            self._expiries.add(metadata.name, expires)

    async def run(self) -> None:
        """Remove those whose time to live is over, until cancelled."""
        while True:
            while await self._remove_due():
                self._removals.tell()
            self._removals.tell()
            await asyncio.sleep(LOOK)

    async def once(self) -> None:
        """Look at every finished saga as a whole, and note when its time to live is over.

        Raises:
            KubeError: the API server could not list.
        """
        seen: set[str] = set()
        self._expiries.clear()
        for phase in sorted(FINISHED):
            while not await self._all_of(f"status.phase={phase}", seen):
                pass
        self._refused = {uid: refusal for uid, refusal in self._refused.items() if uid in seen}

    async def _remove_due(self) -> bool:
        """Remove some whose time to live is over. Whether there may be more."""
        names = self._expiries.take(self._clock.now(), LOT)
        if not names:
            return False
        found = await self._in_turn(self._read, names)
        finished = [resource for resource in found if resource is not None and resource.finished]
        removed = await self._look_at(finished)
        if not removed and any(map(self._is_over, finished)):
            await asyncio.sleep(AGAIN)  # none of them could be: the next ones fare no better, as a rule
        return len(names) == LOT

    def _is_over(self, resource: Resource) -> bool:
        try:
            return resource.expires is not None and resource.expires <= self._clock.now()
        except Exception:  # it can't be read: the others have nothing to do with that
            return False

    async def _read(self, name: str) -> Resource | None:
        try:
            return Resource(await self._sagas.get(name))
        except ObjectNotFound:
            return None
        except KubeError as error:
            log.warning("saga %s was not removed: %s", name, error, extra=about_name(self._sagas.namespace, name))
            self._expiries.add(name, self._clock.now() + LATER)
            return None

    async def _all_of(self, selector: str, seen: set[str]) -> bool:
        """Whether the list came to its end. Its snapshot lasts some minutes: what was removed by then stays so."""
        removed = 0
        try:
            async for page in self._sagas.list(field_selector=selector):
                resources = [Resource(item) for item in page.items]
                removed += await self._look_at(resources)
                seen.update(resource.uid for resource in resources if resource.uid in self._refused)
        except KubeError as error:
            if error.status != EXPIRED or not removed:
                raise
            return False
        return True

    async def _look_at(self, resources: Sequence[Resource]) -> int:
        """Clean up after these, or note when; the number of resources that were removed."""
        expired = []
        for resource in resources:
            try:
                expires = resource.expires
                if resource.has_finalizer:
                    is_over = expires is not None and self._clock.now() >= expires
                    urgent = resource.deleting or (is_over and self._finalizers.is_open)
                    self._finalizers.add(resource.name, resource.uid, urgent=urgent)
                if resource.deleting:
                    continue  # whoever's finalizer holds it
                if expires is None:
                    continue
                if resource.has_finalizer:
                    now = self._clock.now()
                    latest = LATER if self._finalizers.is_open else MUCH_LATER
                    self._expiries.add(resource.name, max(expires, now + min(max(SOON, now - expires), latest)))
                elif self._clock.now() < expires:
                    self._expiries.add(resource.name, expires)
                else:
                    expired.append(resource)
            except Exception as error:  # of this one alone: it was stored under another definition, say
                self._note_refusal(resource, f"it can't be read: {error!r}")
        return sum(await self._in_turn(self._remove_one, expired))

    async def _in_turn(self, work: Callable[[T], Awaitable[U]], items: Sequence[T]) -> list[U]:
        """Some of them at a time."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(item: T) -> U:
            async with turns:
                return await work(item)

        return await asyncio.gather(*map(one, items))

    async def _remove_one(self, resource: Resource) -> bool:
        """Whether it is removed. If not, it is looked at again later."""
        try:
            removed = await self._removed(resource)
        except Exception as error:  # whatever ails one resource is no reason to clean up no others
            self._note_refusal(resource, repr(error))
            removed = False
        if not removed:
            refusal = self._refused.get(resource.uid)
            pause = LATER if refusal is None else refusal.until - time.monotonic()
            self._expiries.add(resource.name, self._clock.now() + max(pause, LOOK))
        return removed

    async def _removed(self, resource: Resource) -> bool:
        """Delete exactly this version of this object, and only after the order service has its story."""
        refusal, name = self._refused.get(resource.uid), resource.name
        if refusal is not None and time.monotonic() < refusal.until:
            return False
        if not resource.archived and not await self._stories.kept(resource):
            return False
        try:
            await self._sagas.delete(name, resource.uid, resource.resource_version)
        except (Conflict, ObjectNotFound):
            return False  # it was changed or deleted meanwhile: the next look tells
        except (Forbidden, ObjectInvalid) as error:
            self._note_refusal(resource, str(error))
            return False
        except KubeError as error:
            log.warning("saga %s was not removed: %s", name, error, extra=about(resource))
            return False
        self._refused.pop(resource.uid, None)
        self._removals.add(resource)
        log.info("saga %s removed: its time to live is over", name, extra=about(resource))
        return True

    def _note_refusal(self, resource: Resource, why: str) -> None:
        before = self._refused.get(resource.uid)
        if before is not None and time.monotonic() < before.until:
            return
        if before is None:
            self._removals.refused(resource, why)
        pause = self._first_pause if before is None else min(2 * before.pause, LONGEST_PAUSE)
        self._refused[resource.uid] = _Refusal(pause, time.monotonic() + pause)
        log.warning("saga %s stays, though its time to live is over: %s", resource.name, why, extra=about(resource))
