"""The five services, asked over REST, where the databases can't be reached.

Neither ledgers nor tombstones show there, and an order whose document is lost is shown from its resource.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from ordersaga.audit.rules.errors import CannotLookError
from ordersaga.audit.rules.records import CONFIRMATION, Document, Kind, units
from ordersaga.audit.rules.streams import Keyed, as_messages_are

PAGE = 1000
"""The most that a list gives at once."""
STOCK_LOOKS = 5
"""How often to look for a moment in which a product stands still while its reservations are read."""

LISTS: Mapping[Kind, tuple[str, str, Mapping[str, str]]] = {
    Kind.ORDER: ("order", "/api/orders", {}),
    Kind.RESERVATION: ("inventory", "/api/inventory/reservations", {}),
    Kind.PAYMENT: ("payment", "/api/payments", {}),
    Kind.SHIPMENT: ("shipping", "/api/shipping", {}),
    Kind.NOTIFICATION: ("notification", "/api/notifications", {"notification_type": CONFIRMATION}),
}
"""Kind → service, path, filter."""

ONE: Mapping[Kind, tuple[str, str]] = {
    Kind.ORDER: ("order", "/api/orders/{}"),
    Kind.STORY: ("order", "/api/orders/{}/saga"),
    Kind.RESERVATION: ("inventory", "/api/inventory/reservations/{}"),
    Kind.PAYMENT: ("payment", "/api/payments/order/{}"),
    Kind.SHIPMENT: ("shipping", "/api/shipping/order/{}"),
    Kind.NOTIFICATION: ("notification", f"/api/notifications/ntf-{{}}-{CONFIRMATION}"),
}
"""Kind → service, path. A story only of orders that don't balance: it tells what a person did about them."""


class ServiceError(CannotLookError):
    """A service doesn't answer as it should: nothing can be said."""


class Services:
    """The services at these base URLs (service → URL). Use as a context manager.

    Raises:
        ServiceError: from every method, when a service can't be asked.
    """

    tombstones = False
    ledgers: frozenset[Kind] = frozenset()

    def __init__(self, urls: Mapping[str, str], *, transport: httpx.BaseTransport | None = None) -> None:
        self._urls = urls
        self._http = httpx.Client(timeout=30, transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def streams(self, sagas: Iterator[Keyed]) -> Mapping[Kind, Iterator[Keyed]]:
        """Everything, sorted as notifications are: they are the only list whose ids aren't the orders'."""
        return {
            Kind.SAGA: as_messages_are(sagas),
            **{
                kind: self._listed(kind, suffix=f"-{CONFIRMATION}")
                if kind is Kind.NOTIFICATION
                else as_messages_are(self._listed(kind))
                for kind in LISTS
            },
        }

    def look(self, order_ids: Iterable[str]) -> dict[str, dict[Kind, list[Document]]]:
        """What there is of these orders at this moment."""
        return {order_id: dict(self._look(order_id)) for order_id in order_ids}

    def stock(self) -> Iterator[tuple[Document, int]]:
        """Every product that stands still for a moment, with the units that all reservations together hold of it."""
        moving: set[str] | None = None
        for _ in range(STOCK_LOOKS):
            before = {each["product_id"]: each for each in self._pages("inventory", "/api/inventory", {})}
            held = Counter[str]()
            for _, reservation in self._listed(Kind.RESERVATION):
                if reservation["status"] == "reserved":
                    held += units(reservation["lines"])
            after = {each["product_id"]: each for each in self._pages("inventory", "/api/inventory", {})}
            wanted = set(after) if moving is None else moving
            still = {name for name in wanted if before.get(name) == after[name]}
            yield from ((after[name], held[name]) for name in sorted(still))
            moving = wanted - still
            if not moving:
                return

    def _look(self, order_id: str) -> Iterator[tuple[Kind, list[Document]]]:
        for kind, (service, path) in ONE.items():
            answer = self._get(service, path.format(order_id), {})
            if answer is not None:
                yield kind, [answer]

    def _listed(self, kind: Kind, *, suffix: str = "") -> Iterator[Keyed]:
        """All items of a list under their order's id. What was inserted meanwhile moves items on to the next page:
        those have been seen already.
        """
        service, path, where = LISTS[kind]
        last = ""
        for item in self._pages(service, path, where):
            key = f"{item['order_id']}{suffix}"
            if key > last:
                yield key, item
                last = key

    def _pages(self, service: str, path: str, where: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        skip = 0
        while True:
            page = self._get(service, path, {**where, "limit": str(PAGE), "skip": str(skip)})
            if page is None:
                raise ServiceError(f"{self._urls[service]}{path} doesn't exist: is this the {service} service?")
            yield from page["items"]
            skip += PAGE
            if skip >= page["total"]:
                return

    def _get(self, service: str, path: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer's JSON, or None for 404."""
        url = f"{self._urls[service]}{path}"
        try:
            answer = self._http.get(url, params=params)
            if answer.status_code == 404:
                return None
            if not answer.is_success:
                raise ServiceError(f"{url} answered {answer.status_code}: {answer.text[:300]}")
            body: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceError(f"{url}: no answer that could be read ({error or type(error).__name__})") from error
        return body
