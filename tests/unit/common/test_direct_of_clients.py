"""The short ways of placing an order and of the look for its prices answer what the framework's would."""

import json
from typing import Any

import pytest

from common.errors import Refused
from common.settings import ServiceSettings
from common.web.app import Service
from common.web.dependencies import provide
from common.web.direct import DirectWays
from common.wire import Page
from services.inventory.main import build as inventory
from services.inventory.products import Products
from services.order.client_models import Placed
from services.order.main import build as order
from services.order.placing import Placing
from tests.support.asgi import ask

JSON = (b"content-type", b"application/json")
KEY = (b"idempotency-key", b"one")
BODY = {
    "customer_id": "c-17",
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2}],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
}


class Places(Placing):
    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def place(self, request: Any, key: str | None, client: Any) -> Placed:
        self.asked.append((request, key))
        if request.customer_id == "refused":
            raise Refused("product_unknown", "there is none")
        return Placed(order_id="o-1", status="PENDING", saga=None)


class Lists(Products):
    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def list(self, paging: Any, **filters: Any) -> Page[Any]:
        self.asked.append((paging, filters))
        return Page(items=[], total=0, limit=paging.limit, skip=paging.skip)


def both(build: Any, store: type, kind: type) -> list[tuple[Service, Any]]:
    """With short ways, and without them."""
    made = []
    for short in (True, False):
        app = build(ServiceSettings(log_level="CRITICAL", max_body_bytes=2000))
        provide(app, stored := store())
        app.state.stores[kind] = stored
        if not short:
            app.ways = DirectWays(app, ())
        made.append((app, stored))
    return made


async def compared(pair: list[tuple[Service, Any]], method: str, target: str, headers: Any, chunks: Any = ()) -> Any:
    path, _, query = target.partition("?")
    answers, asked = [], []
    for app, stored in pair:
        stored.asked.clear()
        given = (*headers, (b"x-correlation-id", b"one"))
        found = await ask(app, method, path, headers=given, chunks=chunks or [b""], query=query.encode())
        answers.append((found.status, found.headers, found.body))
        asked.append(list(stored.asked))
        assert f'route="{path}"'.encode() in app.metrics.render()[0]
    assert answers[0] == answers[1]
    assert asked[0] == asked[1]
    return answers[0], asked[0]


def body(**change: object) -> bytes:
    return json.dumps(BODY | change).encode()


PLACINGS: dict[str, tuple[int, tuple[Any, ...], bytes]] = {
    "a key": (202, (JSON, KEY), body()),
    "an id": (202, (JSON,), body(order_id="o-1")),
    "a charset": (202, ((b"content-type", b"application/json; charset=utf-8"), KEY), body()),
    "refused": (409, (JSON, KEY), body(customer_id="refused")),
    "a saga's key": (202, (JSON, (b"idempotency-key", b"shop/o-1/order/do")), body()),
    "two keys": (400, (JSON, KEY, KEY), body()),
    "two epochs": (422, (JSON, KEY, (b"saga-epoch", b"1"), (b"saga-epoch", b"1")), body()),
    "an empty key": (422, (JSON, (b"idempotency-key", b"")), body()),
    "a key that is too long": (422, (JSON, (b"idempotency-key", b"k" * 256)), body()),
    "no content type": (422, (KEY,), body()),
    "another content type": (422, (KEY, (b"content-type", b"text/plain")), body()),
    "no JSON": (422, (JSON, KEY), b"{"),
    "a name twice": (422, (JSON, KEY), body()[:-1] + b', "currency": "EUR"}'),
    "a field too many": (422, (JSON, KEY), body(more=1)),
    "no lines": (422, (JSON, KEY), body(items=[])),
    "too large": (413, (JSON, KEY), body(customer_id="c" * 2000)),
}


@pytest.mark.parametrize("name", PLACINGS)
async def test_a_placing_is_answered_the_same_by_both_ways(name: str) -> None:
    status, headers, sent = PLACINGS[name]
    pair = both(order, Places, Placing)
    answer, asked = await compared(pair, "POST", "/api/orders", headers, [sent[:20], sent[20:]])
    assert answer[0] == status
    assert len(asked) == (status in (202, 409))


LISTS = {
    "": 200,
    "?limit=1&product_id=p-mug": 200,
    "?limit=2&product_id=p-mug&product_id=p-tea&status=in_stock&skip=1": 200,
    "?limit=1&limit=2": 200,
    "?more=1": 200,
    "?product_id=": 422,
    "?limit=0": 422,
    "?limit=x": 422,
    "?status=gone": 422,
    "?" + "&".join(["product_id=p"] * 101): 422,
}


@pytest.mark.parametrize("query", LISTS)
async def test_a_list_is_answered_the_same_by_both_ways(query: str) -> None:
    answer, asked = await compared(both(inventory, Lists, Products), "GET", f"/api/inventory{query}", ())
    assert answer[0] == LISTS[query]
    assert len(asked) == (answer[0] == 200)


@pytest.mark.parametrize("placing", [True, False])
async def test_a_request_that_is_as_it_should_be_needs_no_more(placing: bool) -> None:
    ((app, stored), _) = both(order, Places, Placing) if placing else both(inventory, Lists, Products)
    app.build_middleware_stack = pytest.fail  # type: ignore[method-assign]
    if placing:
        await ask(app, "POST", "/api/orders", headers=(JSON, KEY), chunks=[body()])
    else:
        await ask(app, "GET", "/api/inventory", query=b"limit=1&product_id=p-mug")
    assert len(stored.asked) == 1
