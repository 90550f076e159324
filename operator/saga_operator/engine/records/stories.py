"""The stories of finished sagas: the order service keeps them, so that they outlive their resources."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from saga_operator.resource.about import about
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

AGAIN: Final = 5.0
"""Seconds after a failure in which the order service isn't asked: each answer that doesn't come costs as much."""


class Stories:
    """Hands stories to the order service. While it fails, nobody waits for it more than once in `AGAIN` seconds."""

    def __init__(self, keep: Callable[[Resource], Awaitable[None]], now: Callable[[], float] = time.monotonic) -> None:
        """`keep` raises OSError if the story isn't kept; `now` in seconds."""
        self._keep = keep
        self._now = now
        self._ask_again_at = 0.0

    async def kept(self, resource: Resource) -> bool:
        """Whether its story is kept now. If not, try again later."""
        if self._now() < self._ask_again_at:
            return False
        try:
            await self._keep(resource)
        except OSError as error:
            self._ask_again_at = self._now() + AGAIN
            log.warning("the story of saga %s isn't kept yet: %s", resource.name, error, extra=about(resource))
            return False
        return True

    def missed(self, resource: Resource) -> None:
        """It goes without."""
        log.warning("a saga goes without its story: the order service has not kept it", extra=about(resource))
