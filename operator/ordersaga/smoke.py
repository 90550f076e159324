"""`ordersaga smoke`: places one order as a customer would, and waits for its end.

`helm test` and the deploy scripts run it in the cluster. It brings its own product, address and contact (`…-smoke`),
and pays with the test provider.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from common.authorities import Authorities
from common.identity.bearer import Bearers
from common.wire import Json
from ordersaga.phases import FINISHED, Phase
from ordersaga.settings import Settings

CONFIRMED, NOT_CONFIRMED = 0, 1

SECONDS = 120.0
"""Seconds to wait: in a new installation the services may still be looking for their database."""
AGAIN_SECONDS = 0.5
"""Seconds between two attempts."""
PRODUCT, ADDRESS, CONTACT, CUSTOMER = "p-smoke", "a-smoke", "c-smoke", "c-smoke"
PRICE = 100
"""Of one unit, in cents."""
ENDED = FINISHED | {Phase.FAILED}

EPILOG = """\
example: an order in the local stack (in a cluster, `helm test e-commerce-saga` does the same)

  ORDERSAGA_TOKENS=.ordersaga/data/control-plane/ordersaga-staff.tokens ordersaga smoke

The services are found by ORDERSAGA_ORDER_URL … ORDERSAGA_NOTIFICATION_URL, and ORDERSAGA_TOKENS is a folder with the
tokens of the account ordersaga-staff for them. Don't use it with a real payment provider.

exit status: 0 the order was confirmed, 1 it was not; what came instead is printed."""


class SmokeError(Exception):
    """The order was not confirmed; the message says what came instead."""


class Customer:
    """A customer who repeats each call until the service answers, or the time is over. Use as a context manager.

    `urls` are the services' base URLs by name, and `tokens` a folder with the staff's tokens for them; `seconds` is the
    time for all calls together; `ca_file`: authorities that are trusted beside the system's.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        tokens: Path | None = None,
        seconds: float = SECONDS,
        *,
        ca_file: Path | None = None,
    ) -> None:
        self._urls = urls
        self._bearers = Bearers(tokens)
        self._deadline = time.monotonic() + seconds
        self._http = httpx.Client(timeout=10, verify=Authorities(ca_file).context(), trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def call(self, method: str, service: str, path: str, **request: Any) -> httpx.Response:
        """The first answer that isn't a 5xx. Raises SmokeError when there is none in time."""
        url = self._urls[service] + path
        while True:
            try:
                answer = self._http.request(method, url, headers=self._bearers.headers(service), **request)
                failure = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError as error:
                failure = str(error) or type(error).__name__
            if time.monotonic() > self._deadline:
                raise SmokeError(f"{method} {url}: {failure}")
            time.sleep(AGAIN_SECONDS)

    def expect(self, method: str, service: str, path: str, **request: Any) -> Json:
        """The body of a successful answer. Raises SmokeError for every other answer."""
        answer = self.call(method, service, path, **request)
        if answer.is_error:
            raise SmokeError(f"{method} {answer.url} was answered {answer.status_code}: {answer.text[:500]}")
        body: Json = answer.json()
        return body

    def seed(self) -> None:
        """Put a product with units in stock, an address and a contact."""
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
        """The order, once its saga has ended. Raises SmokeError when it hasn't in time."""
        while True:
            order = self.expect("GET", "order", f"/api/orders/{order_id}")
            if _phase(order) in ENDED:
                return order
            if time.monotonic() > self._deadline:
                raise SmokeError(f"order {order_id} has not ended: {order}")
            time.sleep(AGAIN_SECONDS)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "smoke",
        help="place one order and wait until it is confirmed (helm test runs it)",
        description="Places one order as a customer would, and waits until it is confirmed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long to wait (default: %(default)s)")
    parser.set_defaults(run=lambda options: run(options, settings))


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Place the order and print what became of it; the exit status."""
    try:
        text = smoke(settings.service_urls, settings.tokens, options.seconds, ca_file=settings.ca_file)
        status = CONFIRMED
    except SmokeError as error:
        text, status = str(error), NOT_CONFIRMED
    sys.stdout.write(text + "\n")
    return status


def smoke(
    urls: Mapping[str, str], tokens: Path | None = None, seconds: float = SECONDS, *, ca_file: Path | None = None
) -> str:
    """Place one order; one line about its end. Raises SmokeError unless it is confirmed."""
    order_id, started = f"o-smoke-{time.time_ns() // 1_000_000}", time.monotonic()
    with Customer(urls, tokens, seconds, ca_file=ca_file) as customer:
        customer.seed()
        customer.place(order_id)
        order = customer.outcome(order_id)
    if _phase(order) != Phase.COMPLETED or order["status"] != "CONFIRMED":
        raise SmokeError(f"order {order_id} is {_phase(order)}, {order['status']}: {order.get('reason')}; {order}")
    return f"order {order_id}: Completed, {order['status']}, {time.monotonic() - started:.1f} s"


def _phase(order: Json) -> str:
    return (order.get("saga") or {}).get("phase") or Phase.PENDING
