"""The statuses that were sent to the API server and not answered: whether it has taken them isn't known."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from common.wire import Json
from saga_operator.process.saga import Saga

KEPT: Final = 8
"""Statuses without an answer that are kept: the one that the API server has taken ends the row, since the next meets
another version. Those that it refuses could go on for days.
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """A status, and what it records."""

    status: Json
    saga: Saga
    newest: int
    """The last of the unrecorded outcomes that is in it."""


class Unanswered:
    """In the order in which they were sent."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque(maxlen=KEPT)

    def add(self, sent: Sent) -> None:
        """It is sent now, perhaps again."""
        if sent not in self._sent:
            self._sent.append(sent)

    def take(self, status: Json) -> Sent | None:
        """The one that has this status, if it is one of ours; no other can have been taken, so none is kept."""
        found = next((sent for sent in self._sent if sent.status == status), None)
        self._sent.clear()
        return found

    def clear(self) -> None:
        """The last one was answered, which tells of all before it."""
        self._sent.clear()
