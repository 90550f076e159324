"""The live sagas that are not worked on, since as many are as fit into memory: their names alone, the oldest first."""

import heapq
import logging
from dataclasses import dataclass
from typing import Final

from saga_operator import metrics
from saga_operator.resource.body import Resource
from saga_operator.resource.times import read_time

log = logging.getLogger(__name__)

FIRST: Final = float("-inf")
"""The place of one that a person has changed."""
LAST: Final = float("inf")
"""The place of one for which there is nothing to do until a person changes it."""


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    generation: int
    place: float


class WaitingRoom:
    """Names by their age. What is known of a saga besides is read again when it is taken in."""

    def __init__(self, most: int) -> None:
        """`most`: the sagas that are worked on."""
        self._most = most
        self._names: dict[str, _Name] = {}
        self._oldest: list[tuple[float, str]] = []
        metrics.NOT_TAKEN_IN.set_function(self.__len__)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, uid: str) -> bool:
        return uid in self._names

    def enter(self, resource: Resource, place: float) -> None:
        """It waits: in the order of its age, or `FIRST` or `LAST` of all."""
        if not self._names:
            log.warning("%d live sagas are worked on, as many as may be: younger ones wait for their end", self._most)
        self._names[resource.uid] = _Name(resource.name, resource.generation, place)
        heapq.heappush(self._oldest, (place, resource.uid))

    def has_changed(self, resource: Resource) -> bool:
        """Whether a person wants something of one that waits."""
        return resource.deleting or resource.generation != self._names[resource.uid].generation

    def leave(self, uid: str) -> None:
        """It waits no longer; nothing if it didn't."""
        if self._names.pop(uid, None) is not None and not self._names:
            log.info("all live sagas are worked on again")
            self._oldest.clear()

    @property
    def next_place(self) -> float:
        """The place of the one that comes next; `LAST` if none waits that may have something to do."""
        while self._oldest:
            place, uid = self._oldest[0]
            if uid in self._names and self._names[uid].place == place:
                return place
            heapq.heappop(self._oldest)  # it has left
        return LAST

    def call_next(self) -> tuple[str, float]:
        """The name and the place of the one that comes next, which waits no longer. Only if one waits."""
        place = self.next_place
        uid = heapq.heappop(self._oldest)[1]
        name = self._names[uid].name
        self.leave(uid)
        return name, place

    def clear(self) -> None:
        """All are forgotten: whoever lists them finds them again."""
        self._names.clear()
        self._oldest.clear()


def age_of(resource: Resource) -> float:
    """Lower for older ones."""
    try:
        created = read_time(resource.created)
    except KeyError:
        created = None
    return FIRST if created is None else created
