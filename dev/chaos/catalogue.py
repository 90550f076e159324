"""What the orders of a run refer to."""

from typing import Any

from dev.chaos.plan.orders import (
    ADDRESS,
    ADDRESS_UNSERVICEABLE,
    CONTACT_BOUNCING,
    CURRENCY,
    CUSTOMERS,
    EXAMPLE_ADDRESS,
    PRICES,
)
from dev.setup.errors import StackError
from dev.stack.demo.shop import Shop

PLENTY = 9000
"""Units of the other products: more than all orders together take, and fewer than an order that is meant to fail."""
SCARCE_SHARE = 0.08
"""Units of the scarce product for each order of the run: about half of what is ordered."""


def seed_catalogue(shop: Shop, orders: int) -> None:
    """Products, addresses and contacts. Raises StackError when a service doesn't take them."""

    def put(service: str, path: str, body: dict[str, Any]) -> None:
        answer = shop.request("PUT", service, path, json=body)
        if answer.status_code >= 400:
            raise StackError(f"PUT {path} was answered {answer.status_code}: {answer.text}")

    for product, price in PRICES.items():
        stock = max(2, round(SCARCE_SHARE * orders)) if product == "p-scarce" else PLENTY
        body = {"name": product, "stock": stock, "price_minor": price, "currency": CURRENCY}
        put("inventory", f"/api/inventory/{product}", body)
    for address, country in ((ADDRESS, "DE"), (ADDRESS_UNSERVICEABLE, "AQ")):
        put("shipping", f"/api/shipping/addresses/{address}", {**EXAMPLE_ADDRESS, "country": country})
    for contact in (*CUSTOMERS, "c-blocked"):
        put("notification", f"/api/notifications/contacts/{contact}", {"email": f"{contact}@example.com"})
    put("notification", f"/api/notifications/contacts/{CONTACT_BOUNCING}", {"email": "nobody@bounce.example"})
