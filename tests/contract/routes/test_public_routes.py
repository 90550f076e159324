"""What an Ingress, a Route or a gateway reaches: the public port has the public routes, however a path is spelled."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from common.settings import ServiceSettings
from common.web.app import Service
from common.web.public import only
from dev.stack.processes import free_port
from services.inventory.main import build as build_inventory
from services.notification.main import build as build_notification
from services.order.main import build as build_order
from services.order.main import clients
from services.order.models import EXAMPLE_CONTENT
from services.order.settings import OrderSettings
from services.payment.main import build as build_payment
from services.shipping.main import build as build_shipping
from tests.support.service_client import fresh, own_databases, replicas_of

BUILDS: dict[str, Callable[[ServiceSettings], Service]] = {
    "inventory": build_inventory,
    "payment": build_payment,
    "shipping": build_shipping,
    "notification": build_notification,
}
STEPS = {
    "create": "order/do",
    "confirm": "confirmation/do",
    "reject": "confirmation/undo",
    "cancel": "order/undo",
}
SPELLINGS = (
    "/api/orders/{}",
    "/api/orders/{}/",
    "//api/orders/{}",
    "/api//orders/{}",
    "/api/orders//{}",
    "/api/orders/./{}",
    "/api/orders/x/../{}",
    "/api/orders/x/%2e%2e/{}",
    "/api/orders%2F{}",
    "/api/orders/{};v=1",
    "/api/orders/{}%20",
    "/api/orders/{}%00",
    "/api/orders/{}?x=/api/orders",
    "/api/orders/../orders/{}",
    "/API/Orders/{}",
    "http://order-service:8000/api/orders/{}",
)


async def raw(port: int, method: str, target: str, body: Any, **headers: str) -> tuple[int, str]:
    """One request whose target goes out as it is written: a client library would tidy it up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1", "Host: shop", "Connection: close", "Content-Type: application/json"]
    lines += [
        f"Content-Length: {len(content)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(mongodb_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, Service]]:
    with own_databases(mongodb_url, "public") as settings:
        given = settings.model_dump() | {"public_port": free_port()}
        nowhere = tmp_path_factory.mktemp("no-cluster") / "kubeconfig"
        async with replicas_of(build_order, OrderSettings(**given | {"kubeconfig": nowhere})) as (_, app):
            yield given["public_port"], app


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("step", STEPS)
async def test_no_spelling_reaches_a_step_of_the_saga(shop: tuple[int, Service], step: str, spelling: str) -> None:
    port, app = shop
    order_id = fresh("o")
    content = EXAMPLE_CONTENT | {"order_id": order_id}
    body = {"order_id": order_id, "reason": "x"} if step == "cancel" else content
    for name in (step, f"%{ord(step[0]):x}{step[1:]}", step.upper()):
        status, _ = await raw(
            port, "POST", spelling.format(name), body, Idempotency_Key=f"shop/{order_id}/{STEPS[step]}"
        )
        assert 300 <= status < 500, name
    assert await app.database["orders"].find_one({"_id": order_id}) is None


async def test_what_is_for_the_shop_s_own_parts_is_not_there(shop: tuple[int, Service]) -> None:
    port, _ = shop
    assert (await raw(port, "GET", "/metrics", None))[0] == 404
    assert (await raw(port, "PUT", "/api/orders/o-1/saga", {}))[0] == 405
    assert (await raw(port, "PUT", "/api/orders/o-1/status", {"status": "SHIPPED"}))[0] in {404, 405}


async def test_customers_find_what_they_need_there(shop: tuple[int, Service]) -> None:
    port, _ = shop
    status, listed = await raw(port, "GET", "/api/orders?customer_id=c-nobody", None)
    assert (status, json.loads(listed)["items"]) == (200, [])
    assert (await raw(port, "POST", "/api/orders", {"customer_id": 1}))[0] == 422
    for path, method in (("/api/orders/o-none", "GET"), ("/api/orders/o-none/cancel", "POST")):
        status, problem = await raw(port, method, path, None)
        assert (status, json.loads(problem)["code"]) == (503, "unavailable")  # there is no API server here
    described = json.loads((await raw(port, "GET", "/openapi.json", None))[1])["paths"]
    assert set(described) == {
        "/",
        "/health",
        "/ready",
        "/api/orders",
        "/api/orders/{order_id}",
        "/api/orders/{order_id}/saga",
        "/api/orders/{order_id}/cancel",
        "/api/customers/{customer_id}/data",
    }


async def test_the_other_port_goes_on_answering_the_saga(shop: tuple[int, Service]) -> None:
    _, app = shop
    assert "/api/orders/create" in app.openapi()["paths"]


@pytest.mark.parametrize("name", BUILDS)
def test_no_service_publishes_a_step_of_the_saga(name: str) -> None:
    app = BUILDS[name](ServiceSettings(log_level="ERROR"))
    steps = {
        path
        for path, operations in app.openapi()["paths"].items()
        for operation in operations.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    }
    assert steps
    of_people = {"/api/inventory/dispatch", "/api/inventory/{product_id}/adjust"}
    assert not (steps - of_people) & set(app.public.openapi()["paths"])


def test_a_misspelt_public_route_is_an_error_at_the_start() -> None:
    with pytest.raises(ValueError, match="no such routes: GET /api/order"):
        only(["GET /api/order"], [clients])
