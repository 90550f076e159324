"""What the order service asks of inventory, shipping and notification while an order is placed, with the real ones."""

import asyncio
import contextlib
import gzip
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn

from common.errors import Unavailable
from common.kube import KubeClient, ObjectNotFound, OrderSagas
from common.web.app import Service
from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.client_models import Address, Contact
from services.order.clients import Clients
from services.order.main import build as order
from services.order.settings import OrderSettings
from services.shipping.main import build as shipping
from tests.support.service_client import fresh, own_databases, replicas_of

ADDRESS = {
    "name": "Ada Example",
    "street": "Example Street 17",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
REQUEST: Json = {
    "customer_id": "c-17",
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2}],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
}


@asynccontextmanager
async def listening(app: Service) -> AsyncIterator[str]:
    """The app on a free port of this machine; its URL."""
    # asyncio sends an answer at once (TCP_NODELAY) on what says that it is TCP, and else up to 40 ms later
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@dataclass
class Services:
    api: httpx.AsyncClient
    inventory: httpx.AsyncClient
    shipping: httpx.AsyncClient
    notification: httpx.AsyncClient
    sagas: OrderSagas
    order_service: Callable[..., Any]

    async def place(self, **change: object) -> httpx.Response:
        return await self.api.post("/api/orders", json=REQUEST | change)

    async def spec(self, order_id: str) -> Json:
        spec: Json = (await self.sagas.get(order_id))["spec"]
        return spec


@pytest.fixture(scope="module")
async def services(mongodb_url: str, control_plane: TestControlPlane) -> AsyncIterator[Services]:
    identity = control_plane.identity("order-service")

    @asynccontextmanager
    async def order_service(**urls: str) -> AsyncIterator[httpx.AsyncClient]:
        async with replicas_of(order, OrderSettings(**settings.model_dump() | {"kubeconfig": identity} | urls)) as (
            (api,),
            _,
        ):
            yield api

    async with AsyncExitStack() as stack:
        settings = stack.enter_context(own_databases(mongodb_url, "placing"))
        urls = {
            name: await stack.enter_async_context(listening(build(settings)))
            for name, build in (("inventory", inventory), ("shipping", shipping), ("notification", notification))
        }
        clients = {name: await stack.enter_async_context(httpx.AsyncClient(base_url=url)) for name, url in urls.items()}
        for product, price, currency in (("p-mug", 1250, "EUR"), ("p-tea", 300, "USD"), ("p-ship", 10**9, "EUR")):
            body = {"name": product, "stock": 10, "price_minor": price, "currency": currency}
            stored = await clients["inventory"].put(f"/api/inventory/{product}", json=body)
            assert stored.is_success, stored.text
        api = await stack.enter_async_context(order_service(**{f"{name}_url": url for name, url in urls.items()}))
        client = KubeClient.from_config(control_plane.kubeconfig, user_agent="ordersaga-test/1")
        await stack.enter_async_context(client)
        sagas = OrderSagas(client, "shop")
        yield Services(api, clients["inventory"], clients["shipping"], clients["notification"], sagas, order_service)


@pytest.fixture
def order_id() -> str:
    return fresh("o")


def reference(order_id: str, content: Json) -> str:
    """Written out again: auditors compute it, too."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"{order_id}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


async def test_a_price_left_out_is_the_catalogue_s(services: Services, order_id: str) -> None:
    assert (await services.place(order_id=order_id)).status_code == 202
    assert (await services.spec(order_id))["items"] == [{"productID": "p-mug", "quantity": 2, "unitPriceMinor": 1250}]
    assert (await services.api.get(f"/api/orders/{order_id}")).json()["total_minor"] == 2500


async def test_what_cannot_be_priced_is_not_placed(services: Services, order_id: str) -> None:
    unknown = await services.place(order_id=order_id, items=[{"product_id": "p-nothing", "quantity": 1}])
    assert (unknown.status_code, unknown.json()["code"]) == (409, "product_unknown")
    other = await services.place(order_id=order_id, items=[{"product_id": "p-tea", "quantity": 1}])
    assert (other.status_code, other.json()["code"]) == (409, "currency_mismatch")
    dear = await services.place(order_id=order_id, items=[{"product_id": "p-ship", "quantity": 1001}])
    assert (dear.status_code, dear.json()["code"]) == (422, "invalid")
    with pytest.raises(ObjectNotFound):
        await services.sagas.get(order_id)


async def test_a_hundred_prices_are_one_look(services: Services, order_id: str) -> None:
    lines = [{"product_id": f"p-none-{number}", "quantity": 1} for number in range(99)]
    before = await looks(services)
    refused = await services.place(order_id=order_id, items=[*lines, *REQUEST["items"]])
    assert (refused.status_code, refused.json()["code"]) == (409, "product_unknown")
    assert "p-none-0:" in refused.json()["detail"], "the first line that can't be priced is named"
    assert await looks(services) == before + 1


async def looks(services: Services) -> float:
    """How many requests for products the inventory service has answered."""
    text = (await services.inventory.get("/metrics")).text.splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text
        if line.startswith("ordersaga_http_requests_total") and 'method="GET",route="/api/inventory' in line
    )


BOMB = gzip.compress(b" " * 64_000_000)
OTHERS = b'{"items":[{"product_id":"p-tea","price_minor":1,"currency":"EUR"}]}'


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<!doctype",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 400_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(OTHERS), OTHERS),
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nrot!",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(BOMB), BOMB),
        b"HTTP/1.1 500 \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=[
        "no list",
        "a page",
        "without an end",
        "of an older release",
        "not found",
        "no HTTP",
        "no gzip",
        "packed",
        "no text",
    ],
)
async def test_an_answer_without_prices_is_no_answer(services: Services, order_id: str, answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with services.order_service(inventory_url=url) as alone:
            refused = await alone.post("/api/orders", json=REQUEST | {"order_id": order_id})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    "said",
    [
        b"<!doctype html>",
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[" * 50_000,
        b'{"%b":"a-18"}',
        b'{"%b":null}',
        b'{"detail":"%b"}',
    ],
)
@pytest.mark.parametrize("name", [b"address_ref", b"contact_ref"])
async def test_a_success_that_does_not_name_the_reference_has_stored_nothing(name: bytes, said: bytes) -> None:
    """A gateway that wants somebody to log in has a page for every request."""
    body = said.replace(b"%b", name)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        clients = Clients(inventory=url, payment=url, shipping=url, notification=url)
        keep = {
            b"address_ref": partial(clients.keep_address, "a-17", Address(**ADDRESS), customer_id="c-17"),
            b"contact_ref": partial(clients.keep_contact, "a-17", Contact(email="ada@example.com"), customer_id="c-17"),
        }[name]
        with pytest.raises(Unavailable, match="can't be used"):
            await keep(order_id="o-1")
        await clients.aclose()


@pytest.mark.parametrize("status", [403, 404, 409, 412, 422])
@pytest.mark.parametrize(
    "page", [b"<html>blocked</html>", b"", b"{}", b'{"code":412}', b'{"code":"waf_blocked"}', b"[]"]
)
async def test_a_gateway_that_refuses_a_call_says_nothing_of_the_order(status: int, page: bytes) -> None:
    """The client repeats its request: neither is its address wrong nor was it changed by hand."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d Words\r\nContent-Length: %d\r\n\r\n%b" % (status, len(page), page))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        clients = Clients(inventory=url, payment=url, shipping=url, notification=url)
        for call in (
            clients.keep_address("a-17", Address(**ADDRESS), order_id="o-1", customer_id="c-17"),
            clients.keep_contact("a-17", Contact(email="ada@example.com"), order_id="o-1", customer_id="c-17"),
            clients.prices(["p-mug"], order_id="o-1"),
        ):
            with pytest.raises(Unavailable, match="repeat the same request"):
                await call
        await clients.aclose()


@pytest.mark.parametrize("status", [401, 403])
async def test_what_a_neighbour_says_of_our_token_is_not_for_the_client(status: int) -> None:
    said = b'{"code":"not_allowed","detail":"your token is not good"}'

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d Words\r\nContent-Length: %d\r\n\r\n%b" % (status, len(said), said))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        clients = Clients(inventory=url, payment=url, shipping=url, notification=url)
        with pytest.raises(Unavailable, match="repeat the same request") as raised:
            await clients.prices(["p-mug"], order_id="o-1")
        assert "token" not in str(raised.value)
        await clients.aclose()


async def test_a_price_that_drips_is_given_up(
    services: Services, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.order.clients.CALL_SECONDS", 0.5)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with services.order_service(inventory_url=url) as alone:
            async with asyncio.timeout(6):  # all of a placing may take twelve
                refused = await alone.post("/api/orders", json=REQUEST | {"order_id": order_id})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("language", [{}, {"locale": "de-AT"}], ids=["none", "de-AT"])
async def test_inline_data_goes_to_its_owner_and_the_resource_carries_references(
    services: Services, order_id: str, language: Json
) -> None:
    contact = {"email": "ada@example.com", **language}
    request_ = {"order_id": order_id, "ship_to": {"address": ADDRESS}, "contact": contact}
    for _ in range(2):
        assert (await services.place(**request_)).status_code == 202
    spec = await services.spec(order_id)
    address_ref, contact_ref = spec["shipTo"]["addressRef"], spec["notify"]["contactRef"]
    assert (address_ref, contact_ref) == (reference(order_id, ADDRESS), reference(order_id, contact))
    kept = (await services.shipping.get(f"/api/shipping/addresses/{address_ref}")).json()
    assert kept.items() >= ADDRESS.items()
    kept = (await services.notification.get(f"/api/notifications/contacts/{contact_ref}")).json()
    assert kept.items() >= contact.items()
    assert "Ada" not in json.dumps(await services.sagas.get(order_id))

    other = await services.place(**(request_ | {"ship_to": {"address": ADDRESS | {"street": "Elsewhere 1"}}}))
    assert (other.status_code, other.json()["code"]) == (409, "order_id_used")


async def test_inline_data_is_created_never_overwritten(services: Services, order_id: str) -> None:
    path = f"/api/shipping/addresses/{reference(order_id, ADDRESS)}"
    await services.shipping.put(path, json=ADDRESS | {"street": "Elsewhere 1"})
    refused = await services.place(order_id=order_id, ship_to={"address": ADDRESS})
    assert (refused.status_code, refused.json()["code"]) == (409, "reference_used")
    assert (await services.shipping.get(path)).json()["street"] == "Elsewhere 1"
    contact = {"email": "ada@example.com"}
    path = f"/api/notifications/contacts/{reference(order_id, contact)}"
    await services.notification.put(path, json={"email": "eve@example.com"})
    refused = await services.place(order_id=order_id, contact=contact)
    assert (refused.status_code, refused.json()["code"]) == (409, "reference_used")


async def test_an_order_that_is_known_is_not_priced_again(services: Services, order_id: str) -> None:
    product = fresh("p")
    catalogue = {"name": "Tea", "stock": 10, "price_minor": 300, "currency": "EUR"}
    await services.inventory.put(f"/api/inventory/{product}", json=catalogue)
    request = {"order_id": order_id, "items": [{"product_id": product, "quantity": 1}]}
    placed = await services.place(**request)
    assert placed.status_code == 202
    await services.inventory.put(f"/api/inventory/{product}", json=catalogue | {"currency": "USD"})
    again = await services.place(**request)
    assert (again.status_code, again.json()) == (202, placed.json()), "it was EUR when it was placed"
    other = await services.place(**request, currency="USD")
    assert (other.status_code, other.json()["code"]) == (409, "order_id_used")
    new = await services.place(**(request | {"order_id": f"{order_id}-2"}))
    assert (new.status_code, new.json()["code"]) == (409, "currency_mismatch")


async def test_what_comes_with_a_request_for_an_order_that_exists_is_not_kept(
    services: Services, order_id: str
) -> None:
    assert (await services.place(order_id=order_id)).status_code == 202
    contact = {"email": "ada@example.com"}
    refused = await services.place(order_id=order_id, ship_to={"address": ADDRESS}, contact=contact)
    assert (refused.status_code, refused.json()["code"]) == (409, "order_id_used")
    address = await services.shipping.get(f"/api/shipping/addresses/{reference(order_id, ADDRESS)}")
    kept = await services.notification.get(f"/api/notifications/contacts/{reference(order_id, contact)}")
    assert (address.status_code, kept.status_code) == (404, 404)


async def test_what_the_owner_refuses_is_refused(services: Services, order_id: str) -> None:
    for bad in ({"contact": {"email": "nowhere@"}}, {"contact": {"email": "a@b c"}}, {"contact": {"email": "a@-"}}):
        refused = await services.place(order_id=order_id, **bad)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    with pytest.raises(ObjectNotFound):
        await services.sagas.get(order_id)


async def test_a_service_that_does_not_answer_leaves_nothing_half_done(services: Services, order_id: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
    async with services.order_service(inventory_url=nowhere, shipping_url=nowhere, notification_url=nowhere) as alone:
        inline = {"ship_to": {"address": ADDRESS}, "items": [REQUEST["items"][0] | {"unit_price_minor": 1250}]}
        for change in ({}, inline):
            answer = await alone.post("/api/orders", json=REQUEST | {"order_id": order_id} | change)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["Retry-After"]
    with pytest.raises(ObjectNotFound):
        await services.sagas.get(order_id)
    assert (await services.place(order_id=order_id)).status_code == 202  # the same request, later
