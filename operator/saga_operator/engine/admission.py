"""Which of the live sagas are worked on: as many as fit into memory, the oldest first. The others wait as names."""

import heapq
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from common.kube import ObjectNotFound
from saga_operator.engine.supervised import SupervisedWorker
from saga_operator.engine.tasks import Tasks
from saga_operator.engine.waiting_room import FIRST, LAST, WaitingRoom, age_of
from saga_operator.resource.body import Resource

SOME: Final = 1_000
"""Entries of sagas that have ended which may stay."""


class Admission:
    """Decides who comes in and who goes out. Only one that rests goes out: all of it but its name is forgotten."""

    def __init__(
        self,
        workers: Mapping[str, SupervisedWorker],
        most: int,
        tasks: Tasks,
        *,
        read: Callable[[str], Awaitable[Resource]],
        take_in: Callable[[Resource, float | None], object],
        put_out: Callable[[SupervisedWorker], None],
    ) -> None:
        """`workers`: of the sagas that are worked on, by uid; `most`: how many there may be.

        `take_in` is called with one that waited, and its place if that isn't by its age; `put_out` ends a worker.
        """
        self._workers = workers
        self._most = most
        self._tasks = tasks
        self._read = read
        self._take_in = take_in
        self._end = put_out
        self._waiting = WaitingRoom(most)
        self._youngest: list[tuple[float, str]] = []
        """Of those that are worked on, by place, the last one first; some may not be any more."""
        self._for_people: dict[str, None] = {}
        """Those that wait for a person: they may have to make room for others."""
        self._coming = 0
        """Sagas that are read, to be worked on."""

    def close(self) -> None:
        """Nobody is called in any more."""
        self._most = 0

    def open(self) -> None:
        """All may come in. Those that wait are forgotten: whoever lists them finds them again."""
        self._most = sys.maxsize
        self._waiting.clear()

    def __contains__(self, uid: str) -> bool:
        """Whether it waits."""
        return uid in self._waiting

    def has_changed(self, resource: Resource) -> bool:
        """Whether a person wants something of one that waits."""
        return self._waiting.has_changed(resource)

    def leave(self, uid: str) -> None:
        """It waits no longer; nothing if it didn't."""
        self._waiting.leave(uid)

    def admits(self, resource: Resource, place: float | None = None) -> float | None:
        """The place of one that may be worked on now; None if it has to wait, which is noted.

        Without a place it comes in the order of its age. One that waits for a person makes room for it, or one that has
        a later place; for one that is `FIRST` any that rests.
        """
        place = age_of(resource) if place is None else place
        if self._has_room or self._make_room(place):
            return place
        self._waiting.enter(resource, place)
        return None

    @property
    def _has_room(self) -> bool:
        return len(self._workers) + self._coming < self._most

    def _make_room(self, place: float) -> bool:
        if self._for_people:
            self._put_out(self._workers[next(iter(self._for_people))], LAST)
            return True
        while self._youngest:
            last, uid = -self._youngest[0][0], self._youngest[0][1]
            worker = self._workers.get(uid)
            if worker is None or worker.place != last:
                heapq.heappop(self._youngest)
            elif (place == FIRST or last > place) and worker.is_resting:
                self._put_out(worker, last)
                return True
            else:
                break
        return False

    def taken_in(self, worker: SupervisedWorker) -> None:
        """It is worked on from now on."""
        if len(self._youngest) > 2 * len(self._workers) + SOME:
            self._youngest = [(-each.place, uid) for uid, each in self._workers.items()]
            heapq.heapify(self._youngest)
        else:
            heapq.heappush(self._youngest, (-worker.place, worker.uid))

    def woken(self, worker: SupervisedWorker) -> None:
        """It rests no longer, or is ended."""
        self._for_people.pop(worker.uid, None)

    def came_to_rest(self, worker: SupervisedWorker) -> None:
        """It goes out if it waits for a person, or if an older one waits."""
        place = LAST if worker.waits_for_a_person else worker.place
        if worker.waits_for_a_person:
            self._for_people[worker.uid] = None
        if self._waiting.next_place < place:
            self._put_out(worker, place)
            self.call_in()

    def call_in(self) -> None:
        """Take in the oldest that wait, as many as there is room for."""
        while len(self._waiting) and self._has_room:
            name, place = self._waiting.call_next()
            self._coming += 1
            self._tasks.start(self._come_in(name, place), f"take in {name}", partial(_about, name))

    async def _come_in(self, name: str, place: float) -> None:
        try:
            resource = await self._read(name)
        except ObjectNotFound:
            resource = None
        finally:
            self._coming -= 1
        if resource is not None:
            self._take_in(resource, FIRST if place == FIRST else None)
        self.call_in()

    def _put_out(self, worker: SupervisedWorker, place: float) -> None:
        """Forget all of one that rests but its name, as the end of this process would."""
        resource = worker.resource
        self._end(worker)
        self._waiting.enter(resource, place)


def _about(name: str) -> dict[str, str]:
    return {"order": name}
