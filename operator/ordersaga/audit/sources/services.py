"""The five services' REST lists, for an audit that can't reach the databases.

They show neither ledgers nor tombstones, and they show an order whose document is lost from its resource.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from common.authorities import Authorities
from common.identity.bearer import Bearers
from common.wire import Json
from ordersaga.audit.rules.records import CONFIRMATION, Document, RecordKind, units
from ordersaga.audit.rules.streams import CannotLookError, Keyed, by_message_id

PAGE_SIZE = 1000
"""Items in each page: the most that a list gives at once."""
STOCK_LOOKS = 5
"""How often to try to read a product and all its reservations while none of them changes."""

LISTS: Mapping[RecordKind, tuple[str, str, Mapping[str, str]]] = {
    RecordKind.ORDER: ("order", "/api/orders", {}),
    RecordKind.RESERVATION: ("inventory", "/api/inventory/reservations", {}),
    RecordKind.PAYMENT: ("payment", "/api/payments", {}),
    RecordKind.SHIPMENT: ("shipping", "/api/shipping", {}),
    RecordKind.NOTIFICATION: ("notification", "/api/notifications", {"notification_type": CONFIRMATION}),
}
"""Kind → service, path of the list, filter."""

ONE: Mapping[RecordKind, tuple[str, str]] = {
    RecordKind.ORDER: ("order", "/api/orders/{}"),
    RecordKind.ARCHIVED_SAGA: ("order", "/api/orders/{}/saga"),
    RecordKind.RESERVATION: ("inventory", "/api/inventory/reservations/{}"),
    RecordKind.PAYMENT: ("payment", "/api/payments/order/{}"),
    RecordKind.SHIPMENT: ("shipping", "/api/shipping/order/{}"),
    RecordKind.NOTIFICATION: ("notification", f"/api/notifications/ntf-{{}}-{CONFIRMATION}"),
}
"""Kind → service, path of one order's record. The archive says what a person did about an order."""


class ServiceError(CannotLookError):
    """A service doesn't answer, or answers with an error."""


class Services:
    """The services at these base URLs (service → URL). Use as a context manager.

    Raises:
        ServiceError: from every method, when a service doesn't answer.
    """

    tombstones = False
    ledgers: frozenset[RecordKind] = frozenset()

    def __init__(
        self,
        urls: Mapping[str, str],
        tokens: Path | None = None,
        *,
        ca_file: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`tokens`: a folder with the auditor's for each of them; `ca_file`: authorities that are trusted beside the
        system's.
        """
        self._urls = urls
        self._bearers = Bearers(tokens)
        verify = Authorities(ca_file).context()
        self._http = httpx.Client(timeout=30, transport=transport, verify=verify, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def streams(self, sagas: Iterator[Keyed]) -> Mapping[RecordKind, Iterator[Keyed]]:
        """All records by kind, sorted as notifications are: theirs is the only list whose ids aren't the orders'."""
        return {
            RecordKind.SAGA: by_message_id(sagas),
            **{
                kind: self._listed(kind, suffix=f"-{CONFIRMATION}")
                if kind is RecordKind.NOTIFICATION
                else by_message_id(self._listed(kind))
                for kind in LISTS
            },
        }

    def look(self, order_ids: Iterable[str]) -> dict[str, dict[RecordKind, list[Document]]]:
        """All records of these orders, as they are now."""
        return {order_id: dict(self._look(order_id)) for order_id in order_ids}

    def stock(self) -> Iterator[tuple[Document, int]]:
        """Every product, with the units that all reservations together hold of it.

        A product that changed each time while the reservations were read is left out.
        """
        moving: set[str] | None = None
        for _ in range(STOCK_LOOKS):
            before = {each["product_id"]: each for each in self._pages("inventory", "/api/inventory", {})}
            held = Counter[str]()
            for _, reservation in self._listed(RecordKind.RESERVATION):
                if reservation["status"] == "reserved":
                    held += units(reservation["lines"])
            after = {each["product_id"]: each for each in self._pages("inventory", "/api/inventory", {})}
            wanted = set(after) if moving is None else moving
            still = {name for name in wanted if before.get(name) == after[name]}
            yield from ((after[name], held[name]) for name in sorted(still))
            moving = wanted - still
            if not moving:
                return

    def _look(self, order_id: str) -> Iterator[tuple[RecordKind, list[Document]]]:
        for kind, (service, path) in ONE.items():
            answer = self._get(service, path.format(order_id), {})
            if answer is not None:
                yield kind, [answer]

    def _listed(self, kind: RecordKind, *, suffix: str = "") -> Iterator[Keyed]:
        """All items of a list, each with its order's id and the suffix as its key.

        An item that is inserted between two pages moves others on to the next page; those have been yielded before.
        """
        service, path, where = LISTS[kind]
        last = ""
        for item in self._pages(service, path, where):
            key = f"{item['order_id']}{suffix}"
            if key > last:
                yield key, item
                last = key

    def _pages(self, service: str, path: str, where: Mapping[str, str]) -> Iterator[Json]:
        skip = 0
        while True:
            page = self._get(service, path, {**where, "limit": str(PAGE_SIZE), "skip": str(skip)})
            if page is None:
                raise ServiceError(f"{self._urls[service]}{path} doesn't exist: is this the {service} service?")
            yield from page["items"]
            skip += len(page["items"])  # a page of large items is shorter than its limit
            if not page["items"] or skip >= page["total"]:
                return

    def _get(self, service: str, path: str, params: Mapping[str, str]) -> Json | None:
        """The answer's JSON, or None for 404."""
        url = f"{self._urls[service]}{path}"
        try:
            answer = self._http.get(url, params=params, headers=self._bearers.headers(service))
            if answer.status_code == 404:
                return None
            if not answer.is_success:
                raise ServiceError(f"{url} answered {answer.status_code}: {answer.text[:300]}")
            body: Json = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceError(f"{url}: no answer that could be read ({error or type(error).__name__})") from error
        return body
