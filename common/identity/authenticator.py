"""Who a token stands for: verified offline, then reviewed by the API server, both once for each token and minute.

The hot path is a hash and a look into a dictionary.

`strict`: a token counts only while the API server has said so within the last minute; without its word nobody is let
in. Otherwise its word is asked for beside the call and counts from then on; a token that it can't be asked about is
good until it expires, so that orders go on while the API server is away.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Final

from common.errors import Unavailable
from common.identity.keys import Keys
from common.identity.review import Reviewer
from common.identity.tokens import SKEW, Identity, NotAuthentic, identity_of, key_id
from common.kube import Forbidden, KubeError

log = logging.getLogger("ordersaga.identity")

REVIEWED: Final = 60.0
"""Seconds for which the API server's word counts: so long a deleted pod's token is let in at the most."""
RENEW: Final = 45.0
"""Seconds after which it is asked again beside a call, so that no call has to wait."""
WITHOUT_RIGHT: Final = 600.0
"""Seconds until the API server is asked again that has refused to review."""
KNOWN: Final = 1_000
"""Tokens that are remembered: each caller has one, and a new one every few minutes."""


class NotDecided(Unavailable):
    """The token can't be judged now."""

    code = "identity_unavailable"


@dataclass(slots=True)
class _Known:
    identity: Identity
    reviewed_at: float = float("-inf")
    """Monotonic seconds at which the API server last said yes."""
    denied: bool = False
    review: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Authenticator:
    """Judges the tokens for one audience. Usable inside one event loop."""

    def __init__(
        self,
        keys: Keys,
        *,
        audience: str,
        needs_pod: bool = True,
        people: Container[str] = (),
        reviewer: Reviewer | None = None,
        strict: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`people`: the subjects whose tokens needn't be bound to a pod in any case. `now`: seconds since 1970. Without
        a `reviewer` tokens are verified offline alone.
        """
        self._keys, self._audience, self._needs_pod, self._people = keys, audience, needs_pod, people
        self._reviewer, self._strict, self._now = reviewer, strict, now
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._may_review_at = float("-inf")

    async def identify(self, token: str) -> Identity:
        """Who its bearer is.

        Raises:
            NotAuthentic: it isn't believed.
            NotDecided: the keys of the cluster, or in strict operation its word, can't be had.
        """
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._known[digest] = _Known(await self._verify(token))
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        if self._now() >= known.identity.expires + SKEW:
            self._known.pop(digest, None)
            raise NotAuthentic("it has expired")
        if self._reviewer is not None:
            await self._reviewed(known, token, self._reviewer)
        return known.identity

    async def _verify(self, token: str) -> Identity:
        name = key_id(token)
        found = await self._keys.find(name)
        if found is None and not self._keys.are_known:
            raise NotDecided(f"callers can't be identified yet: {self._keys.trouble}", retry_after=2)
        if found is None:
            raise NotAuthentic("it is signed with a key that isn't the cluster's")
        issuer, key = found
        return identity_of(
            token,
            key,
            issuer=issuer,
            audience=self._audience,
            needs_pod=self._needs_pod,
            people=self._people,
            now=self._now(),
        )

    async def _reviewed(self, known: _Known, token: str, reviewer: Reviewer) -> None:
        age = time.monotonic() - known.reviewed_at
        if age > RENEW and known.review is None and (self._strict or time.monotonic() >= self._may_review_at):
            known.review = asyncio.create_task(self._review(known, token, reviewer))
        if self._strict and age > REVIEWED and known.review is not None:
            await asyncio.wait({known.review})
            if not known.denied and time.monotonic() - known.reviewed_at > REVIEWED:
                raise NotDecided("the API server doesn't say whether your token is still good: try again")
        if known.denied:
            raise NotAuthentic("the API server doesn't take it: its pod or account is gone")

    async def _review(self, known: _Known, token: str, reviewer: Reviewer) -> None:
        try:
            known.denied = not await reviewer.is_authentic(token, known.identity)
            known.reviewed_at = time.monotonic()
        except Forbidden as error:
            self._may_review_at = time.monotonic() + WITHOUT_RIGHT
            log.warning("tokens are verified offline alone: this service may not ask for reviews: %s", error)
        except KubeError as error:
            self._may_review_at = time.monotonic() + 1.0
            log.warning("a token can't be reviewed now: %s", error)
        finally:
            known.review = None
