"""The stories of finished sagas: the order service keeps them, so that they outlive their resources."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

PATIENCE: Final = 60.0
"""Seconds that a deletion waits for its story to be kept. Then it goes without, because somebody waits for it."""
AGAIN: Final = 5.0
"""Seconds after a failure in which the order service isn't asked: each answer that doesn't come costs as much."""
FORGOTTEN: Final = 3600.0
"""Seconds after the last question about a resource: somebody else has removed it. While it is there, it is asked for
every few minutes.
"""


class Stories:
    """Hands stories to the order service. While it fails, nobody waits for it more than once in `AGAIN` seconds."""

    def __init__(self, keep: Callable[[Resource], Awaitable[None]], now: Callable[[], float] = time.monotonic) -> None:
        """`keep` raises OSError if the story isn't kept; `now` in seconds."""
        self._keep = keep
        self._now = now
        self._patience = PATIENCE
        self._ask_again_at = 0.0
        self._failures: dict[str, tuple[float, float]] = {}
        """When the story of a resource (its uid) was first and last not kept, in the order of the last."""

    def hurry(self) -> None:
        """From now on no deletion waits for the order service for longer than one attempt takes."""
        self._patience = 0.0

    async def kept(self, resource: Resource) -> bool:
        """Whether its story is kept now. If not, try again later; of what is being deleted see `may_go_without`."""
        if self._now() >= self._ask_again_at:
            try:
                await self._keep(resource)
            except OSError as error:
                self._ask_again_at = self._now() + AGAIN
                log.warning("the story of saga %s isn't kept yet: %s", resource.name, error)
            else:
                self._failures.pop(resource.uid, None)
                return True
        self._note_failure(resource.uid)
        return False

    def _note_failure(self, uid: str) -> None:
        now = self._now()
        first, _ = self._failures.pop(uid, (now, now))
        self._failures[uid] = (first, now)
        while self._failures[oldest := next(iter(self._failures))][1] < now - FORGOTTEN:
            del self._failures[oldest]

    def may_go_without(self, resource: Resource) -> bool:
        """Whether its deletion has waited long enough for a story that wasn't kept."""
        waited = self._now() - self._failures.get(resource.uid, (self._now(),))[0]
        if waited < self._patience or not (resource.deleting or self._patience == 0.0):
            return False
        self._failures.pop(resource.uid, None)
        log.warning("saga %s goes without its story: the order service has not kept it", resource.name)
        return True
