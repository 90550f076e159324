"""Documents that the next release has stored are read by this one, and the reverse."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from common.mongo import Collection, Mongo
from common.settings import ServiceSettings
from common.wire import OrderLine
from dev.stack.pytest_plugin import TestControlPlane
from services.order.matrix import content_fields, same_content
from services.order.models import EXAMPLE_CONTENT, Content, content_of_document
from services.order.tests.conftest import Saga, served
from services.order.tests.test_clients import place

LINE = EXAMPLE_CONTENT["items"][0]


class NextLine(OrderLine):
    """A line as the next release may have it: with an optional field more, whose default isn't None."""

    gift: bool = False


class NextContent(Content):
    """The same of an order's content."""

    items: list[NextLine]  # type: ignore[assignment]
    delivery: str = "standard"


def test_what_this_release_stored_is_the_next_one_s_content() -> None:
    stored = content_fields(Content.model_validate(EXAMPLE_CONTENT))
    assert same_content(stored, NextContent.model_validate(EXAMPLE_CONTENT))
    assert not same_content(stored, NextContent.model_validate(EXAMPLE_CONTENT | {"delivery": "express"}))
    assert not same_content(stored, NextContent.model_validate(EXAMPLE_CONTENT | {"items": [LINE | {"gift": True}]}))
    assert content_of_document(stored, NextContent).delivery == "standard"  # type: ignore[attr-defined]


def test_what_the_next_release_stored_is_this_one_s_content() -> None:
    stored = content_fields(NextContent.model_validate(EXAMPLE_CONTENT | {"items": [LINE | {"gift": True}]}))
    assert same_content(stored, Content.model_validate(EXAMPLE_CONTENT))
    assert not same_content(stored, Content.model_validate(EXAMPLE_CONTENT | {"currency": "USD"}))
    assert content_of_document(stored) == Content.model_validate(EXAMPLE_CONTENT)


@pytest.fixture
async def orders(settings: ServiceSettings) -> AsyncIterator[Collection]:
    mongo = Mongo(settings.mongodb_url)
    yield mongo[f"{settings.database_prefix}order"]["orders"]
    await mongo.close()


@pytest.fixture
async def shop(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with served(settings, kubeconfig=control_plane.identity("order-service")) as client:
        yield client


async def as_of_the_next_release(orders: Collection, order_id: str, **more: Any) -> None:
    """Add to the order's document whatever the next release may keep in it."""
    added = {
        "delivery": "standard",
        "items.0.gift": False,
        "payment.wallet": None,
        "barrier.schema": 2,
        "barrier.operations.create.answered_at": "2027-01-01T00:00:00Z",
        **more,
    }
    assert await orders.update({"_id": order_id}, {"$set": added})


@pytest.mark.parametrize("following", [["confirm"], ["reject", "cancel"]], ids=["forward", "back"])
async def test_a_saga_goes_on_over_a_document_of_the_next_release(
    shop: httpx.AsyncClient, new_id: Callable[[], str], orders: Collection, following: list[str]
) -> None:
    order_id = new_id()
    saga = Saga(shop, order_id)
    await place(shop, order_id=order_id)
    created = await saga("create")
    await as_of_the_next_release(orders, order_id)
    assert (await saga("create")).json() == created.json()
    assert (await place(shop, order_id=order_id)).status_code == 202
    for action in (*following, *following):
        assert (await saga(action)).status_code == 200, action
    assert (await shop.get(f"/api/orders/{order_id}")).json()["items"] == [LINE]
    listed = (await shop.get("/api/orders", params={"customer_id": "c-17", "limit": 1000})).json()["items"]
    assert next(order for order in listed if order["order_id"] == order_id)["items"] == [LINE]


async def test_a_client_cancels_an_order_of_the_next_release(
    shop: httpx.AsyncClient, new_id: Callable[[], str], orders: Collection
) -> None:
    order_id = new_id()
    await place(shop, order_id=order_id)
    await Saga(shop, order_id)("create")
    await as_of_the_next_release(orders, order_id)
    assert (await shop.post(f"/api/orders/{order_id}/cancel")).status_code == 202


async def test_a_status_of_the_next_release_is_shown_and_undoes_nothing(
    shop: httpx.AsyncClient, new_id: Callable[[], str], orders: Collection
) -> None:
    order_id = new_id()
    saga = Saga(shop, order_id)
    await place(shop, order_id=order_id)
    for action in ("create", "confirm"):
        await saga(action)
    await as_of_the_next_release(orders, order_id, status="RETURNED")
    assert (await shop.get(f"/api/orders/{order_id}")).json()["status"] == "RETURNED"
    assert (await place(shop, order_id=order_id)).json()["status"] == "RETURNED"
    assert (await shop.get("/api/orders", params={"limit": 1000})).status_code == 200
    for action, status in (("create", 200), ("confirm", 200), ("reject", 409), ("cancel", 409)):
        assert (await saga(action)).status_code == status, action
    assert (await shop.post(f"/api/orders/{order_id}/cancel")).json()["code"] == "already_confirmed"
    answer = await shop.put(f"/api/orders/{order_id}/status", json={"status": "SHIPPED"})
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")
