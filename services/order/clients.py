"""What the order service asks of other services while an order is placed: prices, and to store an address or a contact.

Every call is safe to repeat: a price is only read, and inline data is created under a reference made of its content.
"""

from dataclasses import dataclass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from common.errors import Invalid, Refused, Unavailable
from common.logs import correlation_id
from common.wire import Body
from services.order.client_models import Address, Contact

TIMEOUT = httpx.Timeout(5.0, connect=2.0, pool=5.0)
"""The client waits meanwhile, so a call may take as long as a call of the saga, and no longer."""


@dataclass(frozen=True, slots=True)
class Price:
    """A product's price for one unit, in minor units."""

    minor: int
    currency: str


class Clients:
    """Inventory, shipping and notification over HTTP."""

    def __init__(self, *, inventory: str, shipping: str, notification: str) -> None:
        self._urls = {"inventory": inventory, "shipping": shipping, "notification": notification}
        self._http = httpx.AsyncClient(transport=AiohttpTransport(trust_env=False), timeout=TIMEOUT, trust_env=False)

    async def price(self, product_id: str, *, order_id: str) -> Price:
        """The catalogue's price. Raises Refused `product_unknown`, Unavailable."""
        response = await self._call("inventory", "GET", f"/api/inventory/{product_id}", order_id)
        if response.status_code == 404:
            raise Refused(
                "product_unknown",
                f"order {order_id}: there is no product {product_id}: GET /api/inventory lists them",
                order_id=order_id,
            )
        self._expect(response, order_id)
        product = response.json()
        return Price(product["price_minor"], product["currency"])

    async def keep_address(self, reference: str, address: Address, *, order_id: str) -> None:
        """Store the address in the shipping service, if it isn't there already.

        Raises:
            Invalid, Refused (`reference_used`), Unavailable.
        """
        await self._keep("shipping", f"/api/shipping/addresses/{reference}", address, order_id)

    async def keep_contact(self, reference: str, contact: Contact, *, order_id: str) -> None:
        """Store the contact in the notification service, if it isn't there already. Raises as `keep_address` does."""
        await self._keep("notification", f"/api/notifications/contacts/{reference}", contact, order_id)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _keep(self, service: str, path: str, content: Body, order_id: str) -> None:
        response = await self._call(service, "PUT", path, order_id, content)
        if response.status_code == 412:  # the reference is made of the content, so its content was changed by hand
            raise Refused(
                "reference_used",
                f"order {order_id}: {path} was changed by hand and differs from this order: use another order id",
                order_id=order_id,
            )
        self._expect(response, order_id)

    async def _call(
        self, service: str, method: str, path: str, order_id: str, content: Body | None = None
    ) -> httpx.Response:
        body = None if content is None else content.model_dump()
        headers = {} if content is None else {"If-None-Match": "*"}  # created, never overwritten
        if known := correlation_id():
            headers["X-Correlation-ID"] = known
        try:
            return await self._http.request(method, self._urls[service] + path, json=body, headers=headers)
        except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(
                f"order {order_id}: the {service} service doesn't answer: repeat the same request, which is safe",
                retry_after=2,
                order_id=order_id,
            ) from error

    @staticmethod
    def _expect(response: httpx.Response, order_id: str) -> None:
        if response.is_success:
            return
        try:
            detail = response.json().get("detail", "")
        except (ValueError, AttributeError):
            detail = ""
        where = f"{response.request.method} {response.request.url.path}"
        if response.status_code == 422:
            raise Invalid(f"order {order_id}: {where}: {detail}", order_id=order_id)
        raise Unavailable(
            f"order {order_id}: {where} answered {response.status_code} {detail}".rstrip()
            + ": repeat the same request",
            retry_after=2,
            order_id=order_id,
        )
