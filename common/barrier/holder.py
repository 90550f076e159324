"""The holder of a claim asks the provider; if that fails, it gives the claim back."""

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
from common.tracing.current import recorded, recording

log = logging.getLogger("ordersaga.claims")
T = TypeVar("T")

PROVIDER_SECONDS = 8
"""Time-out of a provider call: it ends before the claim's lease of 10 s does."""

_NOTHING = Answer(200, {})


class ClaimHolder:
    """The holder of the claim on `operation` that has this `token`.

    `forgettable`: no earlier claim can have had an effect at the provider. Then, if the provider says that it did
    nothing, the operation is removed as if it had never been called. Otherwise (the claim was taken over from a process
    that died) the operation stays, since the outcome of the earlier claim is still unknown.
    """

    def __init__(self, barrier: Barrier, document_id: str, operation: str, token: str, *, forgettable: bool) -> None:
        self._barrier = barrier
        self._document_id = document_id
        self._operation = operation
        self._token = token
        self.forgettable = forgettable

    async def ask(self, call: Callable[[Document], Awaitable[T]], document: Document) -> T | Refused:
        """Call the provider and return its result, also a Refused. Raises Unavailable, with the claim released."""
        try:
            async with asyncio.timeout(PROVIDER_SECONDS):
                return await _seen(call, document)
        except Refused as refusal:
            return refusal
        except Unavailable:
            await self.release()
            raise
        except Exception as error:
            log.warning("the provider gave no answer: %s", type(error).__name__, exc_info=error)
            await self._free(forget=self.forgettable and self._operation == "undo")
            order_id = document["order_id"]
            detail = f"order {order_id}: the provider gave no answer; ask again with the same key to learn the outcome"
            raise Unavailable(detail, order_id=order_id) from error

    async def release(self, fields: Fields | None = None) -> None:
        """Give the claim back, so that the next call needn't wait until its lease ends. `fields` are set with it."""
        await self._free(forget=self.forgettable, fields=fields)

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
            log.warning("a claim could not be released: it ends when its lease does")


async def _seen(call: Callable[[Document], Awaitable[T]], document: Document) -> T:
    """The provider's result, as a span below the request's: what it asks of the world is below that one."""
    if recorded() is None:
        return await call(document)
    asked = getattr(call, "__name__", "ask").strip("_")
    with recording(f"provider {asked}", "client", {"ordersaga.provider.operation": asked}) as noted:
        try:
            return await call(document)
        except Refused as refusal:
            noted["error.type"] = refusal.code
            raise
