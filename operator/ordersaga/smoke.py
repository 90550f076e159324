"""Places one order as a customer would, and waits for its end: what `helm test` runs in the cluster.

    python -m saga_operator.smoke

It brings its own product, address and contact (`…-smoke`), and pays with the test provider. Exit status 0 when the
order is Completed, else 1 and why.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import httpx

from common.wire import Json
from saga_operator.settings import Settings

SECONDS = 120.0
"""From a bare installation whose services are still looking for their database."""
AGAIN_SECONDS = 0.5
PRODUCT, ADDRESS, CONTACT, CUSTOMER = "p-smoke", "a-smoke", "c-smoke", "c-smoke"
PRICE = 100
FINAL = ("Completed", "Compensated", "Failed")


class SmokeError(Exception):
    """What didn't go as it should, for the person who reads the log."""


class Customer:
    """Somebody who keeps asking while a service isn't ready, until the patience ends. Use as a context manager."""

    def __init__(self, settings: Settings, seconds: float = SECONDS) -> None:
        self._settings = settings
        self._deadline = time.monotonic() + seconds
        self._http = httpx.Client(timeout=10, trust_env=False)

    def __enter__(self) -> Customer:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def call(self, method: str, service: str, path: str, **request: Any) -> httpx.Response:
        """The first answer that isn't a 5xx. Raises SmokeError when there is none in time."""
        url = self._settings.url_of(service) + path
        while True:
            try:
                answer = self._http.request(method, url, **request)
                trouble = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
            if time.monotonic() > self._deadline:
                raise SmokeError(f"{method} {url}: {trouble}")
            time.sleep(AGAIN_SECONDS)

    def expect(self, method: str, service: str, path: str, **request: Any) -> Json:
        """The body of a success. Raises SmokeError for everything else."""
        answer = self.call(method, service, path, **request)
        if answer.is_error:
            raise SmokeError(f"{method} {answer.url} was answered {answer.status_code}: {answer.text[:500]}")
        body: Json = answer.json()
        return body

    def seed(self) -> None:
        """A product with a unit to spare, an address and a contact."""
        known = self.call("GET", "inventory", f"/api/inventory/{PRODUCT}")
        reserved = 0 if known.is_error else known.json()["reserved"]
        product = {"name": "Smoke test", "stock": reserved + 10, "price_minor": PRICE, "currency": "EUR"}
        self.expect("PUT", "inventory", f"/api/inventory/{PRODUCT}", json=product)
        address = {"name": "Smoke", "street": "Test 1", "city": "Leipzig", "postal_code": "04109", "country": "DE"}
        self.expect("PUT", "shipping", f"/api/shipping/addresses/{ADDRESS}", json=address)
        contact = {"email": "smoke@example.com"}
        self.expect("PUT", "notification", f"/api/notifications/contacts/{CONTACT}", json=contact)

    def place(self, order_id: str) -> None:
        """Order one unit."""
        order = {
            "order_id": order_id,
            "customer_id": CUSTOMER,
            "currency": "EUR",
            "items": [{"product_id": PRODUCT, "quantity": 1}],
            "payment": {"method_ref": "test-ok"},
            "ship_to": {"address_ref": ADDRESS},
        }
        self.expect("POST", "order", "/api/orders", json=order)

    def outcome(self, order_id: str) -> Json:
        """The order when its saga has ended. Raises SmokeError when it hasn't in time."""
        while True:
            order = self.expect("GET", "order", f"/api/orders/{order_id}")
            if _phase(order) in FINAL:
                return order
            if time.monotonic() > self._deadline:
                raise SmokeError(f"order {order_id} has not ended: {order}")
            time.sleep(AGAIN_SECONDS)


def _phase(order: Json) -> str:
    return (order.get("saga") or {}).get("phase") or "Pending"


def smoke(settings: Settings) -> str:
    """Run it; what to tell. Raises SmokeError."""
    order_id, started = f"o-smoke-{time.time_ns() // 1_000_000}", time.monotonic()
    with Customer(settings) as customer:
        customer.seed()
        customer.place(order_id)
        order = customer.outcome(order_id)
    if _phase(order) != "Completed" or order["status"] != "CONFIRMED":
        raise SmokeError(f"order {order_id} is {_phase(order)}, {order['status']}: {order.get('reason')}; {order}")
    return f"order {order_id}: Completed, {order['status']}, {time.monotonic() - started:.1f} s"


def main() -> int:
    """Entry point."""
    try:
        text, status = smoke(Settings()), 0
    except SmokeError as error:
        text, status = str(error), 1
    sys.stdout.write(text + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
