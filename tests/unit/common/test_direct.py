"""The short way of a saga's calls answers what the framework's would, and takes every call that is as it should be."""

import json
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from common.barrier import Answer, Call
from common.errors import Refused, Unavailable
from common.settings import ServiceSettings
from common.web.app import Service
from common.web.dependencies import provide
from common.web.direct import DirectWays
from common.wire import utcnow
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.main import build as order
from services.payment.main import build
from services.payment.models import ProcessRequest
from services.payment.store import Payments
from services.payment.testprovider import TestProvider
from services.shipping.main import build as shipping
from tests.support.asgi import Asked, ask

PATH = "/api/payments/process"
BODY = {"order_id": "o-1", "customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": "test-ok"}
JSON = (b"content-type", b"application/json")
KEY = (b"idempotency-key", b"shop/o-1/payment/do")
HEAD = (JSON, KEY)


class Stored(Payments):
    """Answers as its method_ref says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Call, ProcessRequest]] = []

    async def process(self, call: Call, request: ProcessRequest) -> Answer:
        self.asked.append((call, request))
        match request.method_ref:
            case "refused":
                raise Refused("card_declined", "declined", order_id=call.order_id)
            case "unavailable":
                raise Unavailable("not now")
            case "database":
                raise AutoReconnect("gone")
            case "broken":
                raise RuntimeError("a mistake")
            case "declined":
                return Answer(409, {"code": "card_declined", "detail": "declined"}, {"Retry-After": "3"})
        return Answer(200, {"order_id": call.order_id, "of": request.customer_id})


class NothingLost(TestProvider):
    def __init__(self) -> None:
        pass

    async def loses_answer(self, *_: str) -> bool:
        return False


@pytest.fixture(scope="module")
def both() -> tuple[tuple[Service, Stored], tuple[Service, Stored]]:
    """With short ways, and without them."""
    return payment(short=True), payment(short=False)


def payment(*, short: bool) -> tuple[Service, Stored]:
    app = build(ServiceSettings(log_level="CRITICAL", max_body_bytes=2000))
    stored = Stored()
    provide(app, stored, NothingLost())
    app.state.stores |= {Payments: stored, TestProvider: app.state.stores[NothingLost]}
    if not short:
        app.ways = DirectWays(app, ())
    return app, stored


def body(**change: object) -> bytes:
    return json.dumps(BODY | change).encode()


def epoch(number: int) -> tuple[bytes, bytes]:
    return (b"saga-epoch", str(number).encode())


NOW = int(utcnow().timestamp() * 1000)
CALLS: dict[str, tuple[Any, ...]] = {
    # headers, chunks of the body, and what else there is in the request line
    "as it should be": (HEAD, [body()]),
    "with an epoch": ((*HEAD, epoch(NOW)), [body()]),
    "in pieces": (HEAD, [body()[:30], body()[30:], b""]),
    "refused": (HEAD, [body(method_ref="refused")]),
    "an answer that is a problem": (HEAD, [body(method_ref="declined")]),
    "unavailable": (HEAD, [body(method_ref="unavailable")]),
    "the database is gone": (HEAD, [body(method_ref="database")]),
    "a mistake of ours": (HEAD, [body(method_ref="broken")]),
    "no key": ((JSON,), [body()]),
    "two keys": ((*HEAD, KEY), [body()]),
    "another step's key": ((JSON, (b"idempotency-key", b"shop/o-1/shipping/do")), [body()]),
    "another order's key": ((JSON, (b"idempotency-key", b"shop/o-2/payment/do")), [body()]),
    "an odd key": ((JSON, (b"idempotency-key", b"\xff")), [body()]),
    "another step's key, and a wrong body": ((JSON, (b"idempotency-key", b"shop/o-1/shipping/do")), [b"{}"]),
    "an epoch far ahead": ((*HEAD, epoch(NOW + 10**9)), [body()]),
    "an epoch beyond all bounds": ((*HEAD, epoch(10**30)), [body()]),
    "an epoch below zero": ((*HEAD, epoch(-1)), [body()]),
    "an epoch with a plus": ((*HEAD, (b"saga-epoch", b"+5")), [body()]),
    "two epochs": ((*HEAD, epoch(1), epoch(2)), [body()]),
    "no content type": ((KEY,), [body()]),
    "another content type": ((KEY, (b"content-type", b"text/plain")), [body()]),
    "a content type of the same kind": ((KEY, (b"content-type", b"application/x+json")), [body()]),
    "a charset": ((KEY, (b"content-type", b"application/json; charset=utf-8")), [body()]),
    "no body": (HEAD, [b""]),
    "no JSON": (HEAD, [b"{"]),
    "no UTF-8": (HEAD, [b'{"order_id": "\xff"}']),
    "no object": (HEAD, [b"[]"]),
    "nested too deep": (HEAD, [b"[" * 1900]),
    "a name twice": (HEAD, [body()[:-1] + b', "order_id": "o-2"}']),
    "a field too many": (HEAD, [body(more=1)]),
    "a wrong field": (HEAD, [body(amount_minor="2500")]),
    "two wrong fields": (HEAD, [body(amount_minor=0, currency="euro")]),
    "too large": (HEAD, [body(customer_id="c" * 2000)]),
    "too large, in pieces": (HEAD, [body(), b" " * 1000, b" " * 1000]),
    "announced as too large": ((*HEAD, (b"content-length", b"5000")), [body()]),
}


async def of(app: Service, call: str, method: str = "POST", path: str = PATH) -> tuple[int, dict[bytes, bytes], bytes]:
    headers, chunks = CALLS[call]
    given = (*headers, (b"x-correlation-id", b"one"))
    asked: Asked = await ask(app, method, path, headers=given, chunks=chunks)
    return asked.status, asked.headers, asked.body.replace(str(NOW)[:6].encode(), b"")


@pytest.mark.parametrize("call", CALLS)
async def test_both_ways_give_the_same_answer(both: Any, call: str) -> None:
    (short, stored), (long, also_stored) = both
    stored.asked, also_stored.asked = [], []
    first, second = await of(short, call), await of(long, call)
    if b"clock" in first[2]:  # it goes on between the two
        first, second = first[:2], second[:2]  # type: ignore[assignment]
        first[1].pop(b"content-length"), second[1].pop(b"content-length")
    assert first == second
    assert [(each.key, each.fingerprint, each.epoch) for each, _ in stored.asked] == [
        (each.key, each.fingerprint, each.epoch) for each, _ in also_stored.asked
    ]
    assert [request for _, request in stored.asked] == [request for _, request in also_stored.asked]
    for app in (short, long):
        assert f'route="{PATH}"'.encode() in app.metrics.render()[0]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", PATH), ("HEAD", PATH), ("post", PATH), ("POST", PATH + "/"), ("POST", PATH + "%20")]
)
async def test_another_method_or_path_takes_no_short_way(both: Any, method: str, path: str) -> None:
    (short, stored), (long, _) = both
    stored.asked = []
    call = "as it should be"
    assert await of(short, call, method, path) == await of(long, call, method, path)
    assert stored.asked == []


@pytest.mark.parametrize("call", ["as it should be", "with an epoch", "in pieces", "refused", "a charset"])
async def test_a_call_that_is_as_it_should_be_needs_no_more(call: str) -> None:
    app, stored = payment(short=True)
    app.middleware_stack = None
    app.build_middleware_stack = pytest.fail  # type: ignore[method-assign]
    await of(app, call)
    assert len(stored.asked) == 1


@pytest.mark.parametrize(
    ("service", "paths"),
    [
        (order, {"/api/orders", *(f"/api/orders/{step}" for step in ("create", "confirm", "reject", "cancel"))}),
        (inventory, {"/api/inventory", *(f"/api/inventory/{step}" for step in ("reserve", "release", "dispatch"))}),
        (build, {f"/api/payments/{step}" for step in ("process", "refund")}),
        (shipping, {f"/api/shipping/{step}" for step in ("schedule", "cancel")}),
        (notification, {f"/api/notifications/{step}" for step in ("send", "cancel")}),
    ],
)
def test_every_call_of_an_order_has_a_short_way(service: Any, paths: set[str]) -> None:
    app = service()
    assert app.ways.paths == paths
    assert app.public.ways.paths <= {"/api/orders", "/api/inventory", "/api/inventory/dispatch"}
