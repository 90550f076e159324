"""An order's document that is damaged: its own saga ends in front of a person, and every other goes on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from common.mongo import Collection, Mongo
from common.settings import ServiceSettings
from services.order.tests.conftest import Saga


@pytest.fixture
async def orders(settings: ServiceSettings) -> AsyncIterator[Collection]:
    mongo = Mongo(settings.mongodb_url)
    yield mongo[f"{settings.database_prefix}order"]["orders"]
    await mongo.close()


@pytest.mark.parametrize(
    "damage",
    [
        {"barrier.operations.create": "damaged"},
        {"barrier.version": "x"},
        {"barrier": None},
    ],
    ids=str,
)
async def test_every_call_for_a_damaged_order_says_which_it_is_and_what_to_do(
    saga: Saga, orders: Collection, damage: dict[str, Any]
) -> None:
    await saga("create")
    assert await orders.update({"_id": saga.order_id}, {"$set": damage})
    for action in ("create", "confirm", "reject"):
        answer = await saga(action)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (500, "document_unreadable"), (action, problem)
        assert problem["order_id"] == saga.order_id
        assert problem["retryable"] is False
        assert saga.order_id in problem["detail"]


async def test_so_does_a_call_that_finds_another_field_damaged(saga: Saga, orders: Collection) -> None:
    await saga("create")
    assert await orders.update({"_id": saga.order_id}, {"$set": {"reason": ["damaged"]}})
    answer = await saga("confirm")
    assert (answer.status_code, answer.json()["code"]) == (500, "document_unreadable")
    assert answer.json()["order_id"] == saga.order_id


async def test_a_damaged_order_that_is_mended_goes_on(saga: Saga, orders: Collection) -> None:
    await saga("create")
    whole = await orders.find_one({"_id": saga.order_id})
    assert whole is not None
    assert await orders.update({"_id": saga.order_id}, {"$set": {"barrier.operations": []}})
    assert (await saga("reject")).status_code == 500
    assert await orders.update({"_id": saga.order_id}, {"$set": {"barrier": whole["barrier"]}})
    answer = await saga("reject")
    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLING")
