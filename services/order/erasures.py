"""Erasing a customer's personal data: asked for once, done in all services, and finished by the service itself.

The request is written down first (collection `erasures`, `_id` = customer_id). Then, for finished orders: the services
that own addresses, contacts and payments are told to erase theirs, and after that the order's document and its stories
lose their references, so that a crash in between loses nothing: whatever isn't marked is done again. An order that
isn't finished keeps what it needs, and keeps the request open.

An order is finished when it is delivered or rolled back, and its saga has ended.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.background import Rounds
from common.barrier import Document
from common.errors import Unavailable
from common.mongo import Database, Index, PyMongoError
from common.shop.erasure import ERASED, MOST_ORDERS, Erase
from common.wire import Timestamp, utcnow
from services.order.clients import ERASE, Clients
from services.order.saga_resource import content_of_spec, phase_of, status_of
from services.order.sagas import Sagas
from services.order.store import Orders
from services.order.stories import Stories

log = logging.getLogger("ordersaga.order.erasures")

ERASURES = "erasures"
INDEXES = (Index.on(ERASURES, "open", "_id", partialFilterExpression={"open": True}),)

PAUSE = 30.0
"""Seconds between two looks at the requests that are open: their orders take days."""
PATIENCE = 12.0
"""Seconds that a client waits; what takes longer goes on by itself."""
AT_ONCE = 10_000
"""Orders of a customer that one round reads; the next round goes on."""
SHOWN = 100
"""Waiting orders that an answer names."""
ENDED = frozenset({"Completed", "Compensated"})


class WaitingOrder(BaseModel):
    """An order that still needs what it refers to, until it is delivered or cancelled."""

    order_id: str
    status: str


class Erasure(BaseModel):
    """How far the erasure of a customer's personal data is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "c-17",
                    "state": "waiting",
                    "requested_at": "2026-11-29T20:00:00.000Z",
                    "erased_orders": 3,
                    "waiting": [{"order_id": "o-1001", "status": "CONFIRMED"}],
                    "why": "1 order isn't delivered or rolled back yet",
                }
            ]
        }
    )

    customer_id: str
    state: Literal["done", "waiting"]
    requested_at: Timestamp
    erased_orders: int = Field(description="Finished orders that were erased for this request so far.")
    waiting: list[WaitingOrder] = Field(description="Orders that aren't finished, at most 100 of them.")
    why: str | None = Field(description="Why it isn't done yet.")


@dataclass(frozen=True, slots=True)
class FinishedOrder:
    """A finished order: its references, whether it has a document, and whether that is another customer's.

    The latter is none of this customer's: a saga under an id that was taken, of which the archive has the story.
    """

    address_ref: str = ERASED
    contact_ref: str = ERASED
    has_document: bool = False
    is_anothers: bool = False

    @classmethod
    def of(cls, document: Document) -> "FinishedOrder":
        """By its document."""
        return cls(document["ship_to"]["address_ref"], document["notify"]["contact_ref"], has_document=True)


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is of a customer."""

    finished: Mapping[str, FinishedOrder]
    waiting: Sequence[WaitingOrder]
    needed: frozenset[str]
    """What the waiting orders refer to."""
    complete: bool
    """Whether it is everything."""


class Erasures:
    """The requests, and their execution."""

    def __init__(self, database: Database, orders: Orders, stories: Stories, sagas: Sagas, clients: Clients) -> None:
        self._requests = database[ERASURES]
        self._orders = orders
        self._stories = stories
        self._sagas = sagas
        self._clients = clients

    async def request(self, customer_id: str) -> Erasure:
        """Write the request down, and do what can be done now."""
        now = utcnow()
        opened = {"$set": {"open": True, "requested_at": now}, "$setOnInsert": {"erased_orders": 0}}
        # One that is open already stays as it is.
        if await self._requests.find_one({"_id": customer_id, "open": True}) is None:
            await self._requests.update({"_id": customer_id}, opened, upsert=True)
        waiting: Sequence[WaitingOrder] = ()
        why: str | None
        try:
            async with asyncio.timeout(PATIENCE):
                waiting = await self.carry_out(customer_id)
            why = _in_their_way(len(waiting)) if waiting else None
        except TimeoutError:
            why = "it takes longer, and goes on by itself"
        except Unavailable as error:
            why = f"{error.detail}; it is tried again by itself"
        kept = await self._requests.find_one({"_id": customer_id}) or {}
        done = kept.get("open") is False
        return Erasure(
            customer_id=customer_id,
            state="done" if done else "waiting",
            requested_at=kept.get("requested_at", now),
            erased_orders=kept.get("erased_orders", 0),
            waiting=list(waiting[:SHOWN]),
            why=None if done else why or "there is more of it, and it goes on by itself",
        )

    async def carry_out(self, customer_id: str) -> Sequence[WaitingOrder]:
        """Erase what is finished, and close the request if nothing else is left; the orders that aren't finished.

        Raises:
            Unavailable, PyMongoError: it isn't complete; repeating it goes on.
        """
        found = await self._find(customer_id)
        contact = {customer_id} - found.needed  # which belongs to no order
        order_ids = sorted(found.finished)
        for first in range(0, len(order_ids) or 1, MOST_ORDERS):
            batch = {order_id: found.finished[order_id] for order_id in order_ids[first : first + MOST_ORDERS]}
            erased = await self.erase(customer_id, batch, needed=found.needed, contact=contact)
            if erased:
                await self._requests.update({"_id": customer_id}, {"$inc": {"erased_orders": erased}})
        # An order that was placed meanwhile is either one that waits, or newer than the request.
        if not found.waiting and found.complete:
            await self._requests.update({"_id": customer_id}, {"$set": {"open": False, "done_at": utcnow()}})
        return found.waiting

    async def keep_erasing(self, rounds: Rounds) -> None:
        """Finish every request until cancelled."""
        while True:
            failed = ""
            try:
                for request in await self._requests.find({"open": True}, limit=AT_ONCE, fields=["_id"]):
                    rounds.going_on()
                    try:
                        await self.carry_out(request["_id"])
                    except Unavailable as error:
                        failed = error.detail
            except PyMongoError as error:
                failed = f"the database: {type(error).__name__}"
            if failed:
                log.warning("personal data waits to be erased: %s", failed)
                rounds.failed(failed)
            else:
                rounds.done()
            await asyncio.sleep(PAUSE)

    async def catch_up(self, document: Document | None, uid: str, customer_id: object, created_at: datetime) -> None:
        """A story is archived: if its order was erased before that, the story is too.

        An order that was never created has no document to say so: then the request does.
        """
        if document is not None and "customer_id" in document:
            erased = ERASED in (document["payment"]["method_ref"], document["ship_to"]["address_ref"])
        else:
            asked = await self._requests.find_one({"_id": customer_id}) if isinstance(customer_id, str) else None
            erased = asked is not None and asked["requested_at"] >= created_at
        if erased:
            await self._stories.erase(uid)

    async def _find(self, customer_id: str) -> _Found:
        # The API server first: an order that gets its document meanwhile is seen as one that waits.
        resources = await self._sagas.of_customer(customer_id)
        unfinished = await self._orders.unfinished_of(customer_id, AT_ONCE)
        documents = await self._orders.not_erased(customer_id, AT_ONCE)
        stories = await self._stories.not_erased(customer_id, AT_ONCE)
        waiting = {each["_id"]: str(each["status"]) for each in unfinished}
        needed = {ref for each in unfinished for ref in (each["ship_to"]["address_ref"], each["notify"]["contact_ref"])}
        finished = {each["_id"]: FinishedOrder.of(each) for each in documents}
        names = {*(each["metadata"]["name"] for each in resources), *(each["order_id"] for each in stories)}
        others = await self._orders.of_others(customer_id, names)
        for resource in resources:
            order_id, references = resource["metadata"]["name"], references_of(resource["spec"])
            if phase_of(resource) not in ENDED:
                waiting.setdefault(order_id, status_of(None, resource))
                needed |= set(references)
                finished.pop(order_id, None)
            elif order_id not in waiting and order_id not in finished:
                finished[order_id] = FinishedOrder(*references, is_anothers=order_id in others)
        for story in stories:
            if (order_id := story["order_id"]) not in waiting:
                finished.setdefault(
                    order_id, FinishedOrder(*references_of(story["spec"]), is_anothers=order_id in others)
                )
        return _Found(
            finished,
            [WaitingOrder(order_id=order_id, status=status) for order_id, status in sorted(waiting.items())],
            frozenset(needed),
            max(len(unfinished), len(documents), len(stories)) < AT_ONCE,
        )

    async def erase(
        self,
        customer_id: str,
        orders: Mapping[str, FinishedOrder],
        *,
        needed: Collection[str],
        contact: Iterable[str] = (),
    ) -> int:
        """Erase these finished orders of a customer, at most `MOST_ORDERS`, in all services; how many have a document.

        What is `needed` stays where it is. `contact`: what is to be deleted besides.

        Raises:
            Unavailable, PyMongoError: it isn't complete; repeating it goes on.
        """
        addresses = {each.address_ref for each in orders.values()}
        contacts = {each.contact_ref for each in orders.values()} | set(contact)
        references = {"payment": set[str](), "shipping": addresses, "notification": contacts}
        calls = [
            Erase(
                customer_id=customer_id,
                order_ids=sorted(order_id for order_id, order in orders.items() if not order.is_anothers),
                references=sorted(references[service] - {*needed, ERASED}),
            )
            for service in ERASE
        ]
        # The services first: a document that has lost its references can't tell them what to erase.
        await asyncio.gather(*map(self._clients.erase, ERASE, calls))
        for order_id, order in orders.items():
            if order.has_document:
                await self._orders.erase(order_id)
            # After the document: a story that is archived from now on is erased as it comes (`catch_up`).
            for story in await self._stories.of(order_id):
                if story["spec"].get("customerID") == customer_id:
                    await self._stories.erase(story["_id"])
            if order.has_document:
                await self._orders.note_erased(order_id)
        return sum(each.has_document for each in orders.values())


def references_of(spec: Mapping[str, Any]) -> tuple[str, str]:
    """The address and the contact of a specification; erased ones if it isn't an order's."""
    content = content_of_spec(spec)
    return (ERASED, ERASED) if content is None else (content.ship_to.address_ref, content.notify.contact_ref)


def _in_their_way(waiting: int) -> str:
    what = "order isn't" if waiting == 1 else "orders aren't"
    return f"{waiting} {what} delivered or rolled back yet"
