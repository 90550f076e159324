"""Which saga is an order's, when several have had its id."""

import uuid
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from common.settings import ServiceSettings
from common.shop.order_spec import spec_of
from dev.stack.pytest_plugin import TestControlPlane
from services.order.models import EXAMPLE_CONTENT
from services.order.tests.conftest import Saga, served
from services.order.tests.losing import archive
from services.order.tests.test_clients import place

NewId = Callable[[], str]


@pytest.fixture
async def shop(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with served(settings, kubeconfig=control_plane.identity("order-service")) as client:
        yield client


async def told(shop: httpx.AsyncClient, order_id: str) -> str:
    answer = await shop.get(f"/api/orders/{order_id}/saga")
    assert answer.status_code == 200, answer.text
    uid: str = answer.json()["uid"]
    return uid


async def test_a_refused_saga_of_the_same_id_does_not_hide_the_order_s_own(
    shop: httpx.AsyncClient, new_id: NewId
) -> None:
    order_id = new_id()
    await Saga(shop, order_id)("create")
    first = await archive(shop, order_id, 1)
    again = await archive(shop, order_id, 2)
    await archive(shop, order_id, 3, customer_id="c-18")
    assert await told(shop, order_id) == again != first


async def test_nor_does_a_resource_that_is_there(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    await place(shop, order_id=order_id, currency="USD")
    live = await told(shop, order_id)
    assert (await Saga(shop, order_id)("create")).status_code == 200  # the order has other content
    assert await told(shop, order_id) == live, "there is no other saga yet"
    own = await archive(shop, order_id, 1)
    assert await told(shop, order_id) == own != live


async def test_without_an_order_the_latest_saga_is_told(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    assert (await shop.get(f"/api/orders/{order_id}/saga")).status_code == 404
    await archive(shop, order_id, 1)
    last = await archive(shop, order_id, 2, customer_id="c-18")
    assert await told(shop, order_id) == last


async def test_whoever_archives_a_saga_is_not_sent_it_back(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    story = {
        "namespace": "shop",
        "uid": str(uuid.uuid4()),
        "created_at": "2026-11-29T12:00:00Z",
        "spec": spec_of(EXAMPLE_CONTENT | {"order_id": order_id}),
        "status": {"phase": "Completed"},
    }
    kept = (await shop.put(f"/api/orders/{order_id}/saga", json=story)).json()
    told = (await shop.get(f"/api/orders/{order_id}/saga")).json()
    assert kept == {key: told[key] for key in ("order_id", "uid", "archived_at")}
    assert (told["spec"], told["status"]) == (story["spec"], story["status"])


async def test_what_was_archived_by_a_stranger_is_no_order_s_saga(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    await Saga(shop, order_id)("create")
    own = await archive(shop, order_id, 1)
    for day, spec in enumerate(({}, {"orderID": order_id, "items": "none"}, {"items": [1]}), start=2):
        strange = {
            "namespace": "shop",
            "uid": str(uuid.uuid4()),
            "created_at": f"2026-11-{day:02}T12:00:00Z",
            "spec": spec,
            "status": {},
        }
        assert (await shop.put(f"/api/orders/{order_id}/saga", json=strange)).status_code == 200
    assert await told(shop, order_id) == own


async def test_a_number_is_no_time(shop: httpx.AsyncClient, new_id: NewId) -> None:
    """Nor is a text of digits: both would be seconds since 1970, which the OpenAPI document doesn't allow."""
    story = {"namespace": "shop", "uid": str(uuid.uuid4()), "spec": {}, "status": {}}
    for created_at in (0, 1.5, True, "0", "1764417600", "2026-11-29"):
        answer = await shop.put(f"/api/orders/{new_id()}/saga", json=story | {"created_at": created_at})
        assert answer.status_code == 422, created_at


async def listed(shop: httpx.AsyncClient, **wanted: str) -> list[str]:
    answer = await shop.get("/api/sagas", params=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["items"])
    return [saga["order_id"] for saga in answer.json()["items"]]


async def test_what_has_ended_is_found_by_customer_time_and_outcome(shop: httpx.AsyncClient, new_id: NewId) -> None:
    mine = f"c-{uuid.uuid4().hex[:8]}"
    first, second, third = new_id(), new_id(), new_id()
    await archive(shop, third, 3, customer_id=mine, phase="Completed")
    await archive(shop, first, 1, customer_id=mine)
    await archive(shop, second, 2, customer_id=mine)
    assert await listed(shop, customer_id=mine) == [first, second, third]
    assert await listed(shop, customer_id=mine, phase="Completed") == [third]
    assert await listed(shop, customer_id=mine, since="2026-11-02T00:00:00Z") == [second, third]
    assert await listed(shop, customer_id=mine, until="2026-11-02T12:00:00Z") == [first]
    assert await listed(shop, customer_id=mine, reason="CardDeclined") == []
    assert (await shop.get("/api/sagas", params={"since": "yesterday"})).status_code == 422
    assert (await shop.get("/api/sagas", params={"phase": "Running"})).status_code == 422


async def test_a_list_says_why_a_saga_was_rolled_back(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id, customer = new_id(), f"c-{uuid.uuid4().hex[:8]}"
    failure = {"step": "payment", "reason": "CardDeclined", "message": "no"}
    story = {
        "namespace": "shop",
        "uid": str(uuid.uuid4()),
        "created_at": "2026-11-29T12:00:00Z",
        "spec": spec_of(EXAMPLE_CONTENT | {"order_id": order_id, "customer_id": customer}),
        "status": {"phase": "Compensated", "total": "25.00 EUR", "failure": failure},
    }
    assert (await shop.put(f"/api/orders/{order_id}/saga", json=story)).status_code == 200
    answer = await shop.get("/api/sagas", params={"customer_id": customer, "reason": "CardDeclined"})
    (found,) = answer.json()["items"]
    assert (found["step"], found["reason"], found["total"]) == ("payment", "CardDeclined", "25.00 EUR")
