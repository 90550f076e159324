"""The live sagas that are not worked on, since as many are as fit into memory: their names alone, the oldest first."""

import heapq
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from saga_operator import metrics
from saga_operator.resource.body import Resource
from saga_operator.resource.times import read_time

log = logging.getLogger(__name__)

SOME: Final = 1_000
"""Entries of sagas that have ended which may stay."""
FIRST: Final = float("-inf")
"""The place of one that a person has changed."""
LAST: Final = float("inf")
"""The place of one for which there is nothing to do until a person changes it."""


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    generation: int


class WaitingRoom:
    """Names by their age. What is known of a saga besides is read again when it is taken in."""

    def __init__(self, most: int) -> None:
        """`most`: the sagas that are worked on."""
        self._most = most
        self._names: dict[str, _Name] = {}
        self._oldest: list[tuple[float, str]] = []
        self._youngest: list[tuple[float, str]] = []
        """Of those that are worked on, by age; some may not be any more."""
        metrics.NOT_TAKEN_IN.set_function(self.__len__)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, uid: str) -> bool:
        return uid in self._names

    def enter(self, resource: Resource, *, place: float | None = None) -> None:
        """It waits: in the order of its age, or `FIRST` or `LAST` of all."""
        if not self._names:
            log.warning("%d live sagas are worked on, as many as may be: younger ones wait for their end", self._most)
        self._names[resource.uid] = _Name(resource.name, resource.generation)
        heapq.heappush(self._oldest, (age_of(resource) if place is None else place, resource.uid))

    def has_changed(self, resource: Resource) -> bool:
        """Whether a person wants something of one that waits."""
        return resource.deleting or resource.generation != self._names[resource.uid].generation

    def leave(self, uid: str) -> None:
        """It waits no longer; nothing if it didn't."""
        if self._names.pop(uid, None) is not None and not self._names:
            log.info("all live sagas are worked on again")
            self._oldest.clear()

    def call_oldest(self) -> str | None:
        """The name of the one that comes next, which waits no longer."""
        while self._oldest:
            _, uid = heapq.heappop(self._oldest)
            if uid in self._names:
                name = self._names[uid].name
                self.leave(uid)
                return name
        return None

    @property
    def has_work(self) -> bool:
        """Whether one waits that may have something to do."""
        while self._oldest and self._oldest[0][1] not in self._names:
            heapq.heappop(self._oldest)
        return bool(self._oldest) and self._oldest[0][0] < LAST

    def clear(self) -> None:
        """All are forgotten: whoever lists them finds them again."""
        self._names.clear()
        self._oldest.clear()

    def taken_in(self, resource: Resource, all_taken_in: Collection[str]) -> None:
        """It is worked on from now on, as all of these are."""
        if len(self._youngest) > 2 * len(all_taken_in) + SOME:
            self._youngest = [entry for entry in self._youngest if entry[1] in all_taken_in]
            heapq.heapify(self._youngest)
        heapq.heappush(self._youngest, (-age_of(resource), resource.uid))

    def youngest(self) -> tuple[float, str] | None:
        """The age and the uid of the youngest that was taken in, if it has not been put out since."""
        return (-self._youngest[0][0], self._youngest[0][1]) if self._youngest else None

    def put_out(self) -> None:
        """The youngest isn't worked on any more."""
        heapq.heappop(self._youngest)


def age_of(resource: Resource) -> float:
    """Lower for older ones."""
    try:
        created = read_time(resource.created)
    except KeyError:
        created = None
    return FIRST if created is None else created
