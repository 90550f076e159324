"""Payments that take their time: 202, a place to look, and a settlement that needs no caller."""

import asyncio

from common.settings import ServiceSettings
from services.payment.main import build
from services.payment.tests.client import PaymentClient
from tests.support.service_client import replicas_of


async def test_processing_is_captured_two_seconds_later(payments: PaymentClient, order_id: str) -> None:
    answer = await payments.process(order_id, "test-processing")
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")
    assert answer.headers["Location"] == f"/api/payments/operations/{order_id}/do"
    assert answer.headers["Retry-After"] == "2", "the provider's own estimate"
    assert await payments.ledger(order_id) == []
    again = await payments.process(order_id, "test-processing")
    assert (again.status_code, again.headers["Location"]) == (202, answer.headers["Location"])

    settled = await payments.settled(answer.headers["Location"])
    assert (settled.status_code, settled.json()["status"]) == (200, "captured")
    assert (await payments.process(order_id, "test-processing")).json() == settled.json()
    assert await payments.ledger(order_id) == [("charge", 2500)]


async def test_a_refund_waits_for_the_settlement_and_then_happens_without_a_caller(
    payments: PaymentClient, order_id: str
) -> None:
    await payments.process(order_id, "test-processing")
    answer = await payments.refund(order_id)
    assert (answer.status_code, answer.json()["status"]) == (202, "refunding")
    assert answer.headers["Location"] == f"/api/payments/operations/{order_id}/undo"
    assert (await payments.refund(order_id)).status_code == 202
    late = await payments.process(order_id, "test-processing")
    assert (late.status_code, late.json()["code"]) == (409, "compensated")

    settled = await payments.settled(answer.headers["Location"])
    assert (settled.status_code, settled.json()["effect"], settled.json()["status"]) == (200, "undone", "refunded")
    assert (await payments.refund(order_id)).json() == settled.json()
    assert await payments.ledger(order_id) == [("charge", 2500), ("refund", 2500)]


async def test_a_restarted_service_settles_by_itself(settings: ServiceSettings, order_id: str) -> None:
    """A process that ends with a refund waiting; the next one is started and never called for it."""
    # No other replica must look after it: a database of its own.
    alone = settings.model_copy(update={"database_prefix": f"{settings.database_prefix}restart_"})
    async with replicas_of(build, alone) as (clients, app):
        before = PaymentClient(clients, app.database)
        await before.process(order_id, "test-processing")
        assert (await before.refund(order_id)).status_code == 202
    async with replicas_of(build, alone) as (clients, app):
        after = PaymentClient(clients, app.database)
        for _ in range(50):
            if await after.ledger(order_id) == [("charge", 2500), ("refund", 2500)]:
                break
            await asyncio.sleep(0.1)
        assert (await after.payment(order_id))["status"] == "refunded"


async def test_looking_for_what_was_never_called_is_not_found(payments: PaymentClient, order_id: str) -> None:
    for direction in ("do", "undo"):
        answer = await payments.call("GET", f"/operations/{order_id}/{direction}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_operations_endpoint_answers_what_the_post_would(payments: PaymentClient, order_id: str) -> None:
    do, undo = (f"/operations/{order_id}/{direction}" for direction in ("do", "undo"))
    done = await payments.process(order_id)
    assert (await payments.call("GET", do)).json() == done.json()
    undone = await payments.refund(order_id)
    assert (await payments.call("GET", undo)).json() == undone.json()
    assert (await payments.call("GET", do)).json()["code"] == "compensated"
    assert (await payments.process(order_id)).json()["code"] == "compensated"
