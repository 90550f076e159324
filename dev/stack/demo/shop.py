"""A customer of the five services, over their REST interfaces: what the demonstration and the end-to-end tests do."""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from common.identity.bearer import Bearers
from common.wire import Json
from dev.setup.errors import StackError
from dev.stack.waiting import wait_until

PRODUCTS = {
    "p-mug": ("Mug", 1250),
    "p-shirt": ("Shirt", 2900),
    "p-poster": ("Poster", 900),
}
CURRENCY = "EUR"
# Enough for years of demonstrations, few enough to be ordered out on purpose.
STOCK = 1000
ADDRESS = {
    "name": "Chris Customer",
    "street": "Lindenallee 17",
    "city": "Leipzig",
    "postal_code": "04109",
    "country": "DE",
}
CUSTOMER, ADDRESS_REF, CONTACT_REF = "c-17", "a-17", "c-17"
EMAIL = "c17@example.com"
FINAL = ("Completed", "Compensated", "Failed")


class Shop:
    """The services at their base URLs, as the shop's own people call them. Use as a context manager."""

    def __init__(
        self,
        urls: dict[str, str],
        tokens: Path | None = None,
        *,
        trust: ssl.SSLContext | bool = True,
        hosts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`tokens`: a folder with a token for each service, read when it is needed; None where callers needn't say who
        they are. `trust`: what certificates are checked with, for the names in `hosts` where a service has one there
        and is reached by another.
        """
        self.urls = urls
        self._bearers = Bearers(tokens)
        self._hosts = hosts
        self._http = httpx.Client(timeout=10, verify=trust)

    def __enter__(self) -> "Shop":
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        service: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        anonymous: bool = False,
        **kwargs: Any,
    ) -> httpx.Response:
        """One call to a service; its answer, errors included. It carries our token, unless the headers have another
        one, or it is `anonymous`.
        """
        ours = {} if anonymous else self.authorization(service)
        if service in self._hosts:
            kwargs["extensions"] = {"sni_hostname": self._hosts[service]}
        return self._http.request(method, self.urls[service] + path, headers={**ours, **(headers or {})}, **kwargs)

    def authorization(self, service: str) -> dict[str, str]:
        """The header that says to this service who we are."""
        return self._bearers.headers(service)

    def seed(self) -> None:
        """The products, address and contact that orders refer to; what is there already stays as it is."""
        for product, (name, price) in PRODUCTS.items():
            found = self.request("GET", "inventory", f"/api/inventory/{product}")
            if found.status_code == 200 and found.json()["available"] >= 10:
                continue
            stock = STOCK + (found.json()["reserved"] if found.status_code == 200 else 0)
            self._put(
                "inventory",
                f"/api/inventory/{product}",
                {"name": name, "stock": stock, "price_minor": price, "currency": CURRENCY},
            )
        self._put("shipping", f"/api/shipping/addresses/{ADDRESS_REF}", ADDRESS)
        self._put("notification", f"/api/notifications/contacts/{CONTACT_REF}", {"email": EMAIL})

    def place(self, order_id: str, **changes: Any) -> Json:
        """Order two mugs; `changes` replace parts of the body. Raises StackError when the order isn't accepted."""
        body = {
            "order_id": order_id,
            "customer_id": CUSTOMER,
            "currency": CURRENCY,
            "items": [{"product_id": "p-mug", "quantity": 2}],
            "payment": {"method_ref": "test-ok"},
            "ship_to": {"address_ref": ADDRESS_REF},
            **changes,
        }
        return self._expect(
            self.request("POST", "order", "/api/orders", json=body, headers={"Idempotency-Key": order_id})
        )

    def order(self, order_id: str) -> Json:
        """The order with its saga's progress."""
        return self._expect(self.request("GET", "order", f"/api/orders/{order_id}"))

    def cancel(self, order_id: str) -> httpx.Response:
        """Ask for the order's cancellation: 202, or 409 when it is too late."""
        return self.request("POST", "order", f"/api/orders/{order_id}/cancel")

    def watch(
        self,
        order_id: str,
        until: Callable[[Json], bool],
        *,
        seconds: float = 60,
        each: Callable[[Json], None] = lambda order: None,
    ) -> Json:
        """Read the order again and again until `until` is true of it; return it. `each` is called with every answer.

        Raises:
            StackError: when `seconds` have passed.
        """
        order: Json = {}

        def look() -> bool:
            nonlocal order
            order = self.order(order_id)
            each(order)
            return until(order)

        wait_until(lambda: f"order {order_id} is as expected; it is {phase(order)}: {order}", look, seconds)
        return order

    def _put(self, service: str, path: str, body: Json) -> None:
        self._expect(self.request("PUT", service, path, json=body))

    def _expect(self, answer: httpx.Response) -> Json:
        if answer.status_code >= 400:
            raise StackError(f"{answer.request.method} {answer.url} was answered {answer.status_code}: {answer.text}")
        body: Json = answer.json()
        return body


def phase(order: Json) -> str:
    """The saga's phase, as far as the order shows one."""
    saga = order.get("saga") or {}
    return saga.get("phase") or "Pending"


def finished(order: Json) -> bool:
    """Whether the saga has ended, in whichever phase."""
    return phase(order) in FINAL
