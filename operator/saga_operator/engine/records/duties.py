"""What is due of a finished saga before our finalizer goes: while it is on, nothing of that is lost with a process.

The finished resource is the outbox. What could not be done stays due: its time to live waits for it, and so does a
successor. A person who deletes the resource waits only so long.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from saga_operator.engine.records.stories import Stories
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource
from saga_operator.resource.times import read_time

log = logging.getLogger(__name__)

PATIENCE: Final = 60.0
"""Seconds that a deletion waits, for all duties together. It covers a receiver that is restarted or replaced, and
somebody sits before `kubectl delete`, or a sync of Argo CD: they take a minute for slow, and more for broken.
"""
FORGOTTEN: Final = 3600.0
"""Seconds after the last question about a resource: somebody else has removed it. While it is there, it is asked for
every few minutes.
"""
AGAIN: Final = 5.0
"""Seconds until it is asked again whether the story can be kept."""
SELDOM: Final = 300.0
"""Seconds until anything else is asked again for which nobody waits: whoever sees to it says when it is done."""
SOON: Final = 5.0
"""Seconds until the last word is asked for again, unless whoever says it tells before that it is said."""
REMEMBERED: Final = 1_000
"""Resources of which it is kept that all but the last word is done: until their finalizer is off, which is the next
write.
"""


def is_past(resource: Resource, since: float) -> bool:
    """Whether nobody is to be told any more of a finished saga: it ended before that was switched on (seconds since the
    epoch), or it has its archive, which comes after all that was due, and somebody has put the finalizer back.
    """
    ended = read_time(resource.status.get("completionTime"))
    return resource.archived or (ended is not None and ended < since)


class Duty(Protocol):
    """One of them. Nothing in it waits for a receiver that hangs: that would hold up the duties of other sagas."""

    @property
    def is_open(self) -> bool:
        """Whether it may succeed now. Of sagas for which nobody waits none is begun else."""

    def is_seen_to(self, uid: str) -> bool:
        """Whether it was looked at what is due of this saga, so that it is done or on its way."""

    async def done(self, resource: Resource) -> bool:
        """Whether it is done, or isn't due at all. If not, it is seen to, and asked again."""

    def missed(self, resource: Resource) -> None:
        """It was not done, and the resource goes: say so."""

    def hurry(self) -> None:
        """The namespace ends: nobody waits for longer than an attempt takes."""

    def forget(self, uid: str) -> None:
        """Its finalizer is off."""


class LastWord(Protocol):
    """What comes when all else is done, once for each resource. Whoever says it bounds the time that it takes."""

    def is_said(self, resource: Resource) -> bool:
        """Whether it is said, or can't be. If not, it is being said, and asked again. Never blocks."""

    def hurry(self) -> None:
        """The namespace ends: nobody waits for it."""

    def forget(self, uid: str) -> None:
        """Its finalizer is off."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing holds the finalizer any more."""

    archived: bool
    """Whether the story is kept."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Something holds it."""

    seconds: float
    """Until it is to be asked again, unless somebody says before that it is done."""
    urgent: bool = False
    """Whether it then waits for no quiet moment: a process that dies until then leaves its successor to do it again."""


class Patience:
    """How long deletions have waited."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seconds = PATIENCE
        self._waits: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """When the deletion of a resource (its uid) was first and last waited with, in the order of the last."""

    def hurry(self) -> None:
        """From now on nobody has any, and whoever asks is being deleted."""
        self._seconds = 0.0

    def is_over(self, resource: Resource) -> bool:
        """Whether its deletion has waited long enough; to be asked each time it waits."""
        if self._seconds == 0.0:
            return True
        if not resource.deleting:
            return False
        now = self._now()
        first, _ = self._waits.pop(resource.uid, (now, now))
        self._waits[resource.uid] = (first, now)
        while self._waits[oldest := next(iter(self._waits))][1] < now - FORGOTTEN:
            del self._waits[oldest]
        return now - first >= self._seconds

    def left(self, resource: Resource) -> float:
        """Seconds until it is over, of a resource that has been waited with."""
        first, last = self._waits[resource.uid]
        return first + self._seconds - last

    def forget(self, uid: str) -> None:
        """Its finalizer is off."""
        self._waits.pop(uid, None)


class Duties:
    """All of them, for the queue of finalizers."""

    def __init__(
        self,
        stories: Stories,
        before: Sequence[Duty] = (),
        last: LastWord | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`before`: what is due before the story is kept. `now`: seconds, of any clock."""
        self._stories = stories
        self._before = before
        self._last = last
        self._patience = Patience(now)
        self._done: OrderedDict[str, tuple[str, bool]] = OrderedDict()
        """Of which version of a resource (by its uid) all but the last word is done, and whether its story is kept."""

    @property
    def are_open(self) -> bool:
        """Whether all that is due of a saga may be done now."""
        return all(duty.is_open for duty in self._before)

    def are_seen_to(self, uid: str) -> bool:
        """Whether all that is due of this saga before its story is kept is done, or on its way."""
        return all(duty.is_seen_to(uid) for duty in self._before)

    async def see_to(self, resource: Resource) -> None:
        """Have begun what is due of a finished saga, though its finalizer stays for a while."""
        for duty in self._before:
            await _is_done(duty, resource)

    def hurry(self) -> None:
        """From now on no deletion waits for longer than one attempt takes."""
        self._patience.hurry()
        for duty in self._before:
            duty.hurry()
        if self._last is not None:
            self._last.hurry()

    async def settled(self, resource: Resource) -> Settled | NotYet:
        """Whether the finalizer may go now: all is done, or its deletion has waited long enough.

        The story comes last, since it is sent anew each time.
        """
        version, archived = self._done.get(resource.uid, ("", False))
        if version != resource.resource_version:
            undone = [duty for duty in self._before if not await _is_done(duty, resource)]
            if undone and not self._patience.is_over(resource):
                return NotYet(self._patience.left(resource) if resource.deleting else SELDOM)
            archived = await self._stories.kept(resource)
            if not archived and not self._patience.is_over(resource):
                return NotYet(AGAIN)
            for missed in [*(duty.missed for duty in undone), *([] if archived else [self._stories.missed])]:
                _say(missed, resource)
            self._note_done(resource, archived)
        return Settled(archived) if self._is_said(resource) else NotYet(SOON, urgent=True)

    def finalizer_is_off(self, uid: str) -> None:
        """Nothing more is due of this resource."""
        self._patience.forget(uid)
        self._done.pop(uid, None)
        for duty in self._before:
            duty.forget(uid)
        if self._last is not None:
            self._last.forget(uid)

    def _note_done(self, resource: Resource, archived: bool) -> None:
        self._done[resource.uid] = (resource.resource_version, archived)
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)

    def _is_said(self, resource: Resource) -> bool:
        try:
            return self._last is None or self._last.is_said(resource)
        except Exception as error:  # nothing depends on it
            log.error("at the end of a saga: %r", error, exc_info=error, extra=about(resource))
            return True


async def _is_done(duty: Duty, resource: Resource) -> bool:
    try:
        return await duty.done(resource)
    except Exception as error:  # a defect, or a status that somebody has edited: the others are seen to all the same
        log.error("what is due of a saga can't be done: %r", error, exc_info=error, extra=about(resource))
        return False


def _say(say: Callable[[Resource], None], resource: Resource) -> None:
    try:
        say(resource)
    except Exception as error:  # nothing depends on it
        log.error("at the end of a saga: %r", error, exc_info=error, extra=about(resource))
