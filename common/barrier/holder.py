"""One attempt at a provider, under a claim: how it may end, and what is left of the claim when it fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from common.barrier.barrier import Barrier
from common.barrier.effects import Fields
from common.barrier.rules import Answer, Decision, Document, Write
from common.barrier.state import BarrierState
from common.errors import Refused, Unavailable
from common.mongo import PyMongoError

logger = logging.getLogger("ordersaga.claims")
T = TypeVar("T")

PROVIDER_SECONDS = 8
"""A provider call ends before its lease of 10 s does."""

_NOTHING = Answer(200, {})


class ClaimHolder:
    """The holder of a claim on `operation`: `token` is the claim's.

    `forgettable`: nothing else can have happened under this claim, so that a definite "I did nothing" of the provider
    leaves nothing behind. Otherwise (the claim was taken over from one that died) the doubt stays.
    """

    def __init__(self, barrier: Barrier, document_id: str, operation: str, token: str, *, forgettable: bool) -> None:
        self._barrier = barrier
        self._document_id = document_id
        self._operation = operation
        self._token = token
        self._forgettable = forgettable

    async def ask(self, call: Callable[[Document], Awaitable[T]], document: Document) -> T | Refused:
        """What the provider says. A Refused is a result; raises Unavailable, with the claim released."""
        try:
            async with asyncio.timeout(PROVIDER_SECONDS):
                return await call(document)
        except Refused as refusal:
            return refusal
        except Unavailable:
            await self.release()
            raise
        except Exception as error:
            logger.warning("the provider gave no answer: %s", type(error).__name__, exc_info=error)
            await self._free(forget=self._forgettable and self._operation == "undo")
            raise Unavailable(
                f"order {document['order_id']}: the provider gave no answer; ask again with the same key",
                order_id=document["order_id"],
            ) from error

    async def release(self, fields: Fields | None = None) -> None:
        """Give the claim back at once, so that the next call need not wait for the lease."""
        await self._free(forget=self._forgettable, fields=fields)

    async def _free(self, *, forget: bool, fields: Fields | None = None) -> None:
        def transition(document: Document | None) -> Decision:
            state = BarrierState.of(document)
            held = state.get(self._operation)
            if document is None or held is None or held.state == "answered" or held.token != self._token:
                return _NOTHING
            if not forget and held.state == "running":
                after = state.with_operation(self._operation, replace(held, until=None))
            elif not forget:
                return _NOTHING
            else:
                after = state.without_operation(self._operation)
            return Write(fields or {}, after.next(namespace="", epoch=None), _NOTHING)

        try:
            await self._barrier.apply(self._document_id, transition)
        except (PyMongoError, Unavailable):
            logger.warning("a claim could not be released: it ends with its lease")
