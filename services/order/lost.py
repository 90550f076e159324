"""Orders that have lost their OrderSaga before its end get it back, and their sagas go on.

A resource can vanish without a rollback: somebody takes its finalizer off, or etcd is restored to a state from before
the order. The order's document knows whether the order is open, and if not, whether its saga has ended: each saga that
ends leaves its story before its resource may go. The document has the order's whole content. Calls are repeatable, so
a resource that is made again leads the order to its end; of a confirmed order only what is missing is really done.

Several replicas may look at the same time: the API server takes one resource of a name, whoever makes it.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

from common.background import Rounds
from common.barrier import BarrierState, Document
from common.errors import Unavailable
from common.mongo import PyMongoError
from common.order_saga import RESTORED
from common.wire import Json, utcnow
from services.order.matrix import row_of
from services.order.models import content_of_document
from services.order.saga_resource import END_OF, ended, is_of, phase_of, resource_of
from services.order.sagas import Sagas
from services.order.steps import CANCELLED, reject_call
from services.order.store import FIRST_OPERATOR, Orders
from services.order.stories import Stories

log = logging.getLogger("ordersaga.order.lost")

Mode = Literal["restore", "cancel", "report"]

BATCH = 1000
"""Orders of one look: their ids are all that is kept of them, and it takes one read each if they are still open."""
CANCEL_AGAIN_SECONDS = 1.0
"""Pause before the API server is told again that a client has cancelled: the saga goes on charging until it knows."""
CANCELS_KEPT = 1000
"""Cancels that the API server doesn't know yet. If there are more, the next look finds them."""
_FINISHED = frozenset({"Completed", "Compensated"})


class LostSagas:
    """Looks for unended orders whose resource is missing, `seconds` after it has seen them for the first time.

    An order is unended while it is open, and while it is decided and its saga isn't known to have ended.
    """

    def __init__(
        self,
        orders: Orders,
        stories: Stories,
        sagas: Sagas,
        *,
        mode: Mode,
        seconds: float,
        registry: CollectorRegistry,
    ) -> None:
        self._orders = orders
        self._stories = stories
        self._sagas = sagas
        self._mode = mode
        self._seconds = seconds
        self._cancels: dict[str, str] = {}
        """Order id → the client that asked for it, in the order of their turns."""
        self._restored = Counter(
            "ordersaga_sagas_restored_total", "OrderSagas made again because they were lost.", registry=registry
        )
        self._left = Gauge(
            "ordersaga_orders_without_saga",
            "Orders that have lost their OrderSaga before its end, and that the last look has left as they are.",
            registry=registry,
        )

    async def restore(self, document: Document) -> Json | None:
        """The resource of this order, made again; the present one if there is one. With mode `report`: None.

        Raises:
            Unavailable: the API server doesn't do it (it is away, or the namespace is being deleted).
            ValueError: the document's content can't be read.
        """
        if self._mode == "report":
            return None
        content = content_of_document(document)
        rejected = row_of(document) in {"CANCELLING", "CANCELLED"}
        if self._mode == "cancel" and row_of(document) == "PENDING":
            await self._orders.reject(reject_call(content, self._sagas.namespace), content, reason=CANCELLED)
            rejected = True
        resource = resource_of(
            content,
            namespace=self._sagas.namespace,
            ttl_seconds=self._sagas.ttl_seconds,
            correlation_id=None,
            cancelled_by=self._sagas.requested_by() if rejected else "",
        )
        resource["metadata"]["annotations"] = {RESTORED: utcnow().isoformat(timespec="seconds")}
        created = await self._sagas.create(resource)
        if created is None:
            return await self._sagas.find(content.order_id)
        self._restored.inc()
        log.warning(
            "order %s is %s and had lost its OrderSaga: made it again, and its saga goes on",
            content.order_id,
            document["status"],
            extra={"order": content.order_id},
        )
        return created

    def cancel_again(self, order_id: str, *, client: str = "") -> None:
        """The API server couldn't be told that this order is cancelled for that client: go on trying."""
        if len(self._cancels) < CANCELS_KEPT:
            self._cancels.setdefault(order_id, client)

    async def keep_cancelling(self, rounds: Rounds) -> None:
        """Tell the API server of every cancel that it doesn't know yet, until it does. Never ends."""
        while True:
            await asyncio.sleep(CANCEL_AGAIN_SECONDS)
            for order_id in list(self._cancels):
                client = self._cancels.pop(order_id)
                rounds.going_on()
                try:
                    await self._sagas.cancel(order_id, client=client)
                except Unavailable as error:
                    # Perhaps for this one as for the others, perhaps for this one alone: its turn comes after theirs.
                    self._cancels.setdefault(order_id, client)
                    rounds.failed(str(error))
                    break
                except Exception:
                    log.exception("the API server can't be told of a cancelled order", extra={"order": order_id})
            else:
                rounds.done()

    async def keep_looking(self, rounds: Rounds) -> None:
        """Look at all unended orders, a batch at a time, again and again. Never ends."""
        after, left, told = "", 0, ""
        while True:
            try:
                seen = await self._orders.unended_ids(self._sagas.namespace, after=after, limit=BATCH)
                await asyncio.sleep(self._seconds * random.uniform(0.8, 1.2))  # noqa: S311 - replicas take turns
                left += await self.look_at(seen, rounds)
            except (Unavailable, PyMongoError) as error:
                why = str(error)[:200]
                if told != why:
                    log.warning("can't look for orders that have lost their OrderSaga: %s", why)
                told = why
                rounds.failed(why)
                await asyncio.sleep(self._seconds)
                continue
            told = ""
            if len(seen) == BATCH:
                after = seen[-1]
                continue
            self._left.set(left)
            rounds.done()
            after, left = "", 0

    async def look_at(self, order_ids: Sequence[str], rounds: Rounds | None = None) -> int:
        """Give those of these orders their resource back that have lost it. How many are left without one."""
        rounds = rounds or Rounds()
        left: list[str] = []
        for order_id in await self._orders.still_unended(order_ids):
            rounds.going_on()
            try:
                if not await self._looked_after(order_id):
                    left.append(order_id)
            except (Unavailable, PyMongoError):
                raise
            except Exception:  # whatever it is, it is of this order alone
                log.exception("an order has lost its OrderSaga, which can't be made again", extra={"order": order_id})
                left.append(order_id)
        if left:
            log.warning(
                "%d orders have lost their OrderSaga before its end, and are left as they are: %s%s",
                len(left),
                ", ".join(left[:5]),
                ", …" if len(left) > 5 else "",
            )
        return len(left)

    async def _looked_after(self, order_id: str) -> bool:
        """Whether the order has its resource, now at least, or needs none."""
        resource = await self._sagas.find(order_id)
        document = await self._orders.document(order_id)  # after the resource: its saga may just have ended
        if document is None or not _unended(document):
            return True
        if await self._has_ended(document, resource):
            await self._orders.note_end_of_saga(order_id)
            return True
        if resource is not None:
            asked = resource["spec"].get("state") == "Cancelled"
            if _cancelled_by_client(document) and not asked and phase_of(resource) not in _FINISHED:
                await self._sagas.cancel(order_id)
            return is_of(document, resource["spec"])
        worked_on = BarrierState.of(document).epoch >= FIRST_OPERATOR or _cancelled_by_client(document)
        return worked_on and await self.restore(document) is not None

    async def _has_ended(self, document: Document, resource: Json | None) -> bool:
        """Whether the saga of this order has ended, though the document doesn't say so.

        It doesn't as long as the resource waits to be archived, or if a release that doesn't write it has kept the
        story.
        """
        if row_of(document) not in END_OF:
            return False
        if resource is not None:
            metadata, status = resource["metadata"], resource.get("status") or {}
            return ended(document, metadata["namespace"], resource["spec"], status)
        stories = await self._stories.of(document["_id"])
        return any(ended(document, story["namespace"], story["spec"], story.get("status") or {}) for story in stories)


def _unended(document: Document) -> bool:
    return document.get("status") in {"PENDING", "CANCELLING"} or document.get("saga_ended") is False


def _cancelled_by_client(document: Document) -> bool:
    """Only a client's cancel gives a reason already when it rejects the order."""
    return document["status"] == "CANCELLING" and document.get("reason") == CANCELLED
