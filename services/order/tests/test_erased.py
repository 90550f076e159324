"""What an erased order answers from then on, and stories that are archived after it."""

import json
from collections.abc import AsyncIterator, Callable

import pytest

from common.settings import ServiceSettings
from common.shop.erasure import ERASED
from dev.stack.pytest_plugin import TestControlPlane
from services.order.clients import ERASE
from services.order.tests.erasing import Order, Shop, erasing


@pytest.fixture
async def shop(
    settings: ServiceSettings, control_plane: TestControlPlane, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    async with erasing(settings, control_plane.identity("order-service"), monkeypatch) as shop:
        yield shop


@pytest.fixture
async def order(shop: Shop, new_id: Callable[[], str]) -> Order:
    """A cancelled one."""
    return await Order(shop.client, new_id()).made("create", "reject", "cancel")


async def test_an_order_whose_saga_has_not_ended_keeps_everything(shop: Shop, order: Order) -> None:
    answer = await order.erase()
    assert answer.status_code == 202
    assert answer.json()["waiting"] == [{"order_id": order.order_id, "status": "CANCELLED"}]
    assert not any(request.order_ids for _, request in shop.called)
    await order.ended()
    await order.erased()
    assert {service for service, request in shop.called if request.order_ids == [order.order_id]} == set(ERASE)


async def test_what_waiting_orders_refer_to_is_not_named(order: Order, shop: Shop, new_id: Callable[[], str]) -> None:
    await order.ended()
    waiting = Order(shop.client, new_id())
    waiting.content |= order.changes
    assert (await waiting("create")).status_code == 200
    assert (await order.erase()).status_code == 202
    named = {reference for _, request in shop.called for reference in request.references}
    assert named == {order.content["customer_id"]}, "the contact that belongs to no order"


async def test_the_same_calls_are_answered_as_before(order: Order) -> None:
    await order.ended()
    before = [await order(action) for action in ("reject", "cancel")]
    await order.erased()
    after = [await order(action) for action in ("reject", "cancel")]
    assert [each.json() for each in after] == [each.json() for each in before]
    assert (await order("reject", currency="USD")).status_code == 422, "other content is still noticed"


async def test_a_story_has_no_references_whether_it_is_archived_before_or_after(order: Order) -> None:
    await order.ended()
    await order.erased()
    assert order.content["notify"]["contact_ref"] not in json.dumps(await order.story())
    await order.ended(day=2)
    story = json.dumps(await order.story())
    assert order.content["notify"]["contact_ref"] not in story
    assert ERASED in story


async def test_a_story_of_an_order_that_was_never_created_follows_the_request(
    shop: Shop, new_id: Callable[[], str]
) -> None:
    order = Order(shop.client, new_id())
    await order.ended()
    await order.erased()
    shipping = next(request for service, request in shop.called if service == "shipping" and request.order_ids)
    assert shipping.references == [order.content["ship_to"]["address_ref"]]
    assert order.content["notify"]["contact_ref"] not in json.dumps(await order.story())
    await order.ended(day=2)
    assert order.content["notify"]["contact_ref"] not in json.dumps(await order.story())


async def test_the_order_of_another_customer_is_not_erased_with_a_saga_that_took_its_id(
    shop: Shop, order: Order, new_id: Callable[[], str]
) -> None:
    thief = Order(shop.client, order.order_id)
    await thief.ended()
    assert (await thief.erase()).status_code == 200
    assert not any(order.order_id in request.order_ids for _, request in shop.called)
    assert thief.contact not in json.dumps(await thief.story())
