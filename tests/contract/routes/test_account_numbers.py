"""A card's or an account's number comes in at no door, and what refuses it doesn't repeat it."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi.routing import APIRoute

from common.web.app import Service
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.main import build as order
from services.payment.main import build as payment
from services.shipping.main import build as shipping
from tests.support.service_client import own_databases, replicas_of

BUILD = {"order": order, "inventory": inventory, "payment": payment, "shipping": shipping, "notification": notification}
CARD = "4111111111111111"
NUMBERS = [CARD, "pm_4111-1111-1111-1111", "DE89370400440532013000"]


@pytest.fixture(scope="module")
async def services(mongodb_url: str) -> AsyncIterator[dict[str, tuple[httpx.AsyncClient, Service]]]:
    async with AsyncExitStack() as stack:
        settings = stack.enter_context(own_databases(mongodb_url, "numbers"))
        settings.log_level = "DEBUG"
        found = {}
        for name, build in BUILD.items():
            [client], app = await stack.enter_async_context(replicas_of(build, settings))
            found[name] = client, app
        yield found


def refused(answer: httpx.Response, number: str, caplog: pytest.LogCaptureFixture) -> None:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    for said in (answer.text, str(answer.headers), logged):
        assert number not in said
    caplog.clear()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", BUILD)
async def test_no_route_takes_one_in_its_path_query_or_key(
    services: dict[str, tuple[httpx.AsyncClient, Service]], name: str, number: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client, app = services[name]
    tried = 0
    for route in (each for router in app.routers for each in router.routes if isinstance(each, APIRoute)):
        for method in route.methods:
            for parameter in re.findall(r"\{(\w+)\}", route.path):
                path = re.sub(r"\{(\w+)\}", lambda part: number if part[1] == parameter else "x-1", route.path)  # noqa: B023
                refused(await client.request(method, path), number, caplog)
                tried += 1
            path = re.sub(r"\{\w+\}", "x-1", route.path)
            refused(await client.request(method, path, params={"customer_id": number}), number, caplog)
            refused(await client.request(method, path, headers={"Idempotency-Key": number}), number, caplog)
            saga = {"Idempotency-Key": f"shop/{number.lower()}/payment/do"}
            refused(await client.request(method, path, headers=saga), number.lower(), caplog)
    assert tried > 2


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "change",
    [
        {"order_id": "N"},
        {"customer_id": "N"},
        {"items": [{"product_id": "N", "quantity": 1}]},
        {"payment": {"method_ref": "N"}},
        {"ship_to": {"address_ref": "N"}},
        {"notify": {"contact_ref": "N"}},
        {"N": 1},
    ],
    ids=str,
)
async def test_no_field_of_an_order_takes_one(
    services: dict[str, tuple[httpx.AsyncClient, Service]],
    number: str,
    change: dict[str, object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    client, _ = services["order"]
    body = {
        "order_id": "o-1",
        "customer_id": "c-1",
        "currency": "EUR",
        "items": [{"product_id": "p-mug", "quantity": 1}],
        "payment": {"method_ref": "test-ok"},
        "ship_to": {"address_ref": "a-17"},
    }
    text = httpx.Request("POST", "http://x", json=body | change).read().decode().replace('"N"', f'"{number}"')
    answer = await client.post("/api/orders", content=text, headers={"Content-Type": "application/json"})
    refused(answer, number, caplog)


async def test_a_correlation_id_that_looks_like_one_is_not_taken(
    services: dict[str, tuple[httpx.AsyncClient, Service]],
) -> None:
    client, _ = services["order"]
    answer = await client.get("/health", headers={"X-Correlation-ID": CARD})
    assert answer.headers["x-correlation-id"] != CARD
