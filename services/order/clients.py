"""What the order service asks of other services: prices, to store an address or a contact that comes with an order, and
to erase what they have of finished ones.

Every call is safe to repeat: a price is only read, and inline data is created under a reference made of its content.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from common.errors import Invalid, Refused, Unavailable
from common.exchange import NOT_LET_IN, Answer, Exchanges, NoAnswer, NotSent
from common.identity.bearer import bearer_for
from common.logs import correlation_id
from common.shop.erasure import Erase, Erased
from common.wire import Body, Currency, UnitPriceMinor
from services.order.client_models import Address, Contact

CALL_SECONDS = 5.0
"""For the whole of a call, however slowly its answer drips: as long as a call of the saga, and no longer."""
CONNECT_SECONDS = 2.0
"""For a new connection, within the whole of the call."""
MAX_ANSWER_BYTES = 256 * 1024
"""A hundred products are 30 KB."""
CONNECTIONS = 32
"""To each service. An order makes one look for prices and stores two references: this is as many orders at a time."""

ERASE = {
    "payment": "/api/payments/erase",
    "shipping": "/api/shipping/erase",
    "notification": "/api/notifications/erase",
}
"""Where each service that has something of a customer is told to erase it."""
EXISTS = frozenset({"address_exists", "exists"})
"""The codes of a 412 that is the service's own word: shipping's and notification's."""

log = logging.getLogger("ordersaga.placing")


class _Product(BaseModel):
    product_id: str
    price_minor: UnitPriceMinor
    currency: Currency


class _Listed(BaseModel):
    items: list[_Product]


class _Stored(BaseModel):
    """An address or a contact, under its reference."""

    reference: str = Field(validation_alias=AliasChoices("address_ref", "contact_ref"))


@dataclass(frozen=True, slots=True)
class Price:
    """A product's price for one unit, in minor units."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer, and `where` it came from: its method and path."""

    where: str
    answer: Answer


def _problem(reply: _Reply) -> dict[str, Any]:
    """The problem that the service answered; empty for the page of a gateway, whose status is nobody's word."""
    try:
        body = json.loads(reply.answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) and isinstance(body.get("code"), str) else {}


class Clients:
    """The other services over HTTP."""

    def __init__(
        self,
        *,
        inventory: str,
        payment: str,
        shipping: str,
        notification: str,
        tokens: Path | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """Their base URLs, the folder with our token for each of them, and authorities that are trusted beside the
        system's.
        """
        urls = {"inventory": inventory, "payment": payment, "shipping": shipping, "notification": notification}
        self._exchanges = {
            name: Exchanges(
                url,
                timeout=CALL_SECONDS,
                connect=CONNECT_SECONDS,
                connections=CONNECTIONS,
                credentials=bearer_for(name, tokens),
                ca_file=ca_file,
                ours=True,
            )
            for name, url in urls.items()
        }

    async def prices(self, product_ids: Sequence[str], *, order_id: str) -> dict[str, Price]:
        """The catalogue's prices of these products, at most 100, in one look. Raises Refused `product_unknown`,
        Unavailable.
        """
        if not product_ids:
            return {}
        query = urlencode([("limit", str(len(product_ids))), *(("product_id", each) for each in product_ids)])
        reply = await self._call("inventory", "GET", f"/api/inventory?{query}", order_id)
        self._expect(reply, order_id)
        try:
            listed = _Listed.model_validate_json(reply.answer.body)
        except ValidationError as error:
            raise self._unusable(reply, "a list of products is missing", order_id) from error
        found = {product.product_id: Price(product.price_minor, product.currency) for product in listed.items}
        if found.keys() - set(product_ids):
            raise self._unusable(reply, "of products that it wasn't asked for: is it of an older release?", order_id)
        for product_id in product_ids:
            if product_id not in found:
                raise Refused(
                    "product_unknown",
                    f"order {order_id}: there is no product {product_id}: GET /api/inventory lists them",
                    order_id=order_id,
                )
        return found

    async def keep_address(self, reference: str, address: Address, *, order_id: str, customer_id: str) -> None:
        """Store the customer's address in the shipping service, if it isn't there already.

        Raises:
            Invalid, Refused (`reference_used`), Unavailable.
        """
        await self._keep(
            "shipping", "/api/shipping/addresses", reference, address, order_id=order_id, owner=customer_id
        )

    async def keep_contact(self, reference: str, contact: Contact, *, order_id: str, customer_id: str) -> None:
        """Store the contact in the notification service, if it isn't there already. Raises as `keep_address` does."""
        await self._keep(
            "notification", "/api/notifications/contacts", reference, contact, order_id=order_id, owner=customer_id
        )

    async def erase(self, service: str, request: Erase) -> int:
        """Have a service erase what it has of these finished orders; how many records it has changed.

        Raises:
            Unavailable: it didn't say so. Repeating it is safe.
        """
        path = ERASE[service]
        try:
            answer = await self._exchanges[service].exchange(
                "POST", path, headers={}, body=request.model_dump(), limit=MAX_ANSWER_BYTES
            )
            if answer.status == 200:
                return Erased.model_validate_json(answer.body).erased
            why = f"answered {answer.status}"
        except (NotSent, NoAnswer):
            why = "wasn't answered"
        except ValidationError:
            why = "was answered by something else"
        raise Unavailable(f"POST {path} of the {service} service {why}", retry_after=2)

    async def aclose(self) -> None:
        """Close the connections."""
        for exchanges in self._exchanges.values():
            await exchanges.aclose()

    async def _keep(
        self, service: str, folder: str, reference: str, content: Body, *, order_id: str, owner: str
    ) -> None:
        path = f"{folder}/{reference}"
        whose = urlencode({"customer_id": owner})  # a parameter: the body would be refused by an earlier release
        reply = await self._call(service, "PUT", f"{path}?{whose}", order_id, content)
        code = _problem(reply).get("code")
        # the reference is made of the content, so its content was changed by hand; a gateway's 412 says nothing of it
        if reply.answer.status == 412 and code in EXISTS:
            raise Refused(
                "reference_used",
                f"order {order_id}: {path} was changed by hand and differs from this order: use another order id",
                order_id=order_id,
            )
        self._expect(reply, order_id)
        try:
            stored = _Stored.model_validate_json(reply.answer.body).reference
        except ValidationError:
            stored = ""
        if stored != reference:  # a page of something in between: the order would wait for what isn't there
            raise self._unusable(reply, "it doesn't name what was stored", order_id)

    async def _call(self, service: str, method: str, path: str, order_id: str, content: Body | None = None) -> _Reply:
        body = None if content is None else content.model_dump()
        headers = {} if content is None else {"If-None-Match": "*"}  # created, never overwritten
        if known := correlation_id():
            headers["X-Correlation-ID"] = known
        try:
            answer = await self._exchanges[service].exchange(
                method, path, headers=headers, body=body, limit=MAX_ANSWER_BYTES, seconds=CALL_SECONDS
            )
        except (NotSent, NoAnswer) as error:
            raise Unavailable(
                f"order {order_id}: the {service} service doesn't answer: repeat the same request, which is safe",
                retry_after=2,
                order_id=order_id,
            ) from error
        return _Reply(f"{method} {path.partition('?')[0]}", answer)

    @staticmethod
    def _unusable(reply: _Reply, why: str, order_id: str) -> Unavailable:
        return Unavailable(
            f"order {order_id}: the answer of {reply.where} can't be used, {why}: repeat the same request",
            retry_after=2,
            order_id=order_id,
        )

    @staticmethod
    def _expect(reply: _Reply, order_id: str) -> None:
        status = reply.answer.status
        if 200 <= status < 300:
            return
        if status in NOT_LET_IN:
            log.warning("%s was answered %s: that service has to know our token", reply.where, status)
            raise Unavailable(
                f"order {order_id}: {reply.where} isn't open to the order service now: repeat the same request",
                retry_after=2,
                order_id=order_id,
            )
        problem = _problem(reply)
        detail = problem.get("detail", "")
        if status == 422 and problem.get("code") == Invalid.code:
            raise Invalid(f"order {order_id}: {reply.where}: {detail}", order_id=order_id)
        raise Unavailable(
            f"order {order_id}: {reply.where} answered {status} {detail}".rstrip() + ": repeat the same request",
            retry_after=2,
            order_id=order_id,
        )
