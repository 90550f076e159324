"""Customers see and cancel their own orders alone. Another's order is to them as one that doesn't exist."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.settings import ServiceSettings
from dev.stack.pytest_plugin import TestControlPlane
from services.order.tests.doors import Shop, Visitor, guarded
from tests.support.service_client import code, fresh


@pytest.fixture(scope="module")
async def shop(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[Shop]:
    async with guarded(settings, control_plane) as shop:
        yield shop


@pytest.fixture
async def ada(shop: Shop) -> Visitor:
    return await shop.customer()


@pytest.fixture
async def eve(shop: Shop) -> Visitor:
    return await shop.customer()


def without(answer: httpx.Response, order_id: str) -> tuple[int, str, set[str]]:
    """All that it says, without the id."""
    return answer.status_code, answer.text.replace(order_id, "ID"), set(answer.headers)


async def test_a_customer_places_sees_and_cancels_an_order(ada: Visitor) -> None:
    order_id = await ada.placed()
    for path in ("", "/saga"):
        assert (await ada.get(f"/api/orders/{order_id}{path}")).status_code == 200
    assert (await ada.call("POST", f"/api/orders/{order_id}/cancel")).json()["status"] == "CANCELLING"


@pytest.mark.parametrize("path", ["", "/saga", "/cancel"])
@pytest.mark.parametrize("stage", ["placed", "created", "confirmed", "archived"])
async def test_the_order_of_another_is_as_one_that_does_not_exist(
    path: str, stage: str, shop: Shop, ada: Visitor, eve: Visitor
) -> None:
    order_id, nothing = await ada.placed(), fresh("o")
    if stage != "placed":
        await shop.step(order_id, ada.customer_id, "create")
    if stage in {"confirmed", "archived"}:
        await shop.step(order_id, ada.customer_id, "confirm")
    if stage == "archived":
        told = (await ada.get(f"/api/orders/{order_id}/saga")).json()
        story = {name: told[name] for name in ("namespace", "uid", "created_at", "spec", "status")}
        kept = await shop.account("ordersaga-operator").call("PUT", f"/api/orders/{order_id}/saga", json=story)
        assert kept.status_code == 200
    method = "POST" if path == "/cancel" else "GET"
    theirs = await eve.call(method, f"/api/orders/{order_id}{path}")
    nobodys = await eve.call(method, f"/api/orders/{nothing}{path}")
    assert code(theirs) == (404, "not_found")
    assert without(theirs, order_id) == without(nobodys, nothing)
    mine = (await ada.get(f"/api/orders/{order_id}")).json()
    assert mine["status"] == ("CONFIRMED" if stage in {"confirmed", "archived"} else "PENDING")


@pytest.fixture
async def alone(
    settings: ServiceSettings, control_plane: TestControlPlane, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A replica that doesn't reach the API server."""
    nowhere = {"kubeconfig": tmp_path / "none", "authentication": "development", "clients": "guarded"}
    async with guarded(settings, control_plane, **nowhere) as shop:
        yield shop.public


async def test_the_order_of_another_is_as_one_that_does_not_exist_without_the_api_server_as_well(
    alone: httpx.AsyncClient, shop: Shop, ada: Visitor, eve: Visitor
) -> None:
    order_id, nothing = await ada.placed(), fresh("o")
    await shop.step(order_id, ada.customer_id, "create")
    eve = Visitor(alone, eve.headers, eve.customer_id)
    for method, path in (("GET", ""), ("GET", "/saga"), ("POST", "/cancel")):
        theirs = await eve.call(method, f"/api/orders/{order_id}{path}")
        nobodys = await eve.call(method, f"/api/orders/{nothing}{path}")
        assert without(theirs, order_id) == without(nobodys, nothing)
        assert theirs.status_code == 503


async def test_a_customer_orders_for_nobody_else(ada: Visitor, eve: Visitor) -> None:
    assert code(await eve.place(order_id=fresh("o"), customer_id=ada.customer_id)) == (403, "not_allowed")


async def test_a_customer_erases_their_own_data_alone(ada: Visitor, eve: Visitor) -> None:
    theirs = f"/api/customers/{ada.customer_id}/data"
    assert code(await eve.call("DELETE", theirs)) == (403, "not_allowed")
    # The neighbours aren't there, which have something to erase as well.
    assert (await ada.call("DELETE", theirs)).status_code == 202


@pytest.mark.parametrize("change", [{}, {"items": [{"product_id": "p-mug", "quantity": 1, "unit_price_minor": 1}]}])
@pytest.mark.parametrize("stage", ["placed", "created", "cancelled"])
async def test_the_id_of_anothers_order_is_used_and_that_is_all_it_says(
    stage: str, change: dict[str, Any], shop: Shop, ada: Visitor, eve: Visitor
) -> None:
    order_id = await ada.placed()
    if stage != "placed":
        await shop.step(order_id, ada.customer_id, "create")
    if stage == "cancelled":
        assert (await ada.call("POST", f"/api/orders/{order_id}/cancel")).status_code == 202
    answer = await eve.place(order_id=order_id, **change)
    assert code(answer) == (409, "order_id_used")
    detail = f"order {order_id} exists with other content: place a new order under a new id"
    assert answer.json()["detail"] == detail
    assert set(answer.json()) == {"type", "title", "status", "detail", "code", "retryable", "order_id"}


async def test_an_idempotency_key_belongs_to_the_client_that_used_it(shop: Shop, ada: Visitor, eve: Visitor) -> None:
    key, clerk, tool = fresh("k"), await shop.staff(), await shop.staff()
    who = [ada, eve, clerk, tool]
    first = [await each.place(key) for each in who]
    again = [await each.place(key) for each in who]
    assert {answer.status_code for answer in (*first, *again)} == {202}
    ids = [answer.json()["order_id"] for answer in first]
    assert len(set(ids)) == 4, "also of two members of staff, for the same customer"
    assert ids == [answer.json()["order_id"] for answer in again]
    assert code(await eve.place(key, currency="USD")) == (422, "key_reused")
    assert ids[0] not in (await eve.place(key, currency="USD")).text


async def test_a_list_shows_a_customers_own_orders(shop: Shop, ada: Visitor, eve: Visitor) -> None:
    mine, yours = await ada.placed(), await eve.placed()
    for order_id, visitor in ((mine, ada), (yours, eve)):
        await shop.step(order_id, visitor.customer_id, "create")
    assert [order["order_id"] for order in (await eve.get("/api/orders")).json()["items"]] == [yours]
    own = await eve.get(f"/api/orders?customer_id={eve.customer_id}&status=PENDING")
    assert [order["order_id"] for order in own.json()["items"]] == [yours]
    assert code(await eve.get(f"/api/orders?customer_id={ada.customer_id}")) == (403, "not_allowed")


async def test_staff_sees_and_cancels_the_orders_of_all(shop: Shop, ada: Visitor) -> None:
    order_id = await ada.placed()
    for clerk in (await shop.staff(), shop.account("ordersaga-staff")):
        assert (await clerk.get(f"/api/orders/{order_id}")).json()["customer_id"] == ada.customer_id
        assert (await clerk.get(f"/api/orders?customer_id={ada.customer_id}")).status_code == 200
        assert (await clerk.call("POST", f"/api/orders/{order_id}/cancel")).status_code == 202


async def test_parts_of_the_shop_that_ask_for_orders_place_and_cancel_none(shop: Shop, ada: Visitor) -> None:
    order_id = await ada.placed()
    for name in ("inventory-service", "ordersaga-audit"):
        part = shop.account(name)
        assert (await part.get(f"/api/orders/{order_id}")).status_code == 200
        assert code(await part.place(order_id=fresh("o"))) == (403, "not_allowed")
        assert code(await part.call("POST", f"/api/orders/{order_id}/cancel")) == (403, "not_allowed")


async def test_nobody_comes_in_without_a_credential(shop: Shop, ada: Visitor) -> None:
    order_id = await ada.placed()
    stranger = shop.visitor()
    for method, path in (
        ("GET", "/api/orders"),
        ("GET", f"/api/orders/{order_id}"),
        ("GET", f"/api/orders/{order_id}/saga"),
        ("POST", f"/api/orders/{order_id}/cancel"),
    ):
        answer = await stranger.call(method, path)
        assert code(answer) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert code(await stranger.place(order_id=fresh("o"))) == (401, "unauthenticated")


async def test_the_door_stands_open_only_by_a_setting_and_that_says_so(
    settings: ServiceSettings, control_plane: TestControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    async with guarded(settings, control_plane, clients="development", log_level="WARNING") as shop:
        order_id = await shop.visitor().placed()
        assert (await shop.visitor().get(f"/api/orders/{order_id}")).status_code == 200
        assert "development" in (await shop.http.get("/ready")).json()["clients"]
        assert [record for record in caplog.records if "clients aren't identified" in record.message]
        step = await shop.visitor(public=False).call("POST", "/api/orders/create", json={})
        assert code(step) == (401, "unauthenticated"), "the saga's own steps stay shut"
