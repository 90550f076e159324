"""Giving back: once, whatever happened before, and by a person's repair if the provider won't."""

from services.payment.tests.client import PaymentClient


async def test_a_refund_gives_everything_back_once(payments: PaymentClient, order_id: str) -> None:
    await payments.process(order_id)
    first = await payments.refund(order_id)
    assert first.status_code == 200
    assert first.json() == {**await payments.payment(order_id), "effect": "undone"}
    assert (first.json()["captured_minor"], first.json()["refunded_minor"]) == (2500, 2500)
    assert (first.json()["status"], first.json()["reason"]) == ("refunded", None)
    assert (await payments.refund(order_id)).json() == first.json()
    assert await payments.ledger(order_id) == [("charge", 2500), ("refund", 2500)]


async def test_a_refund_before_the_charge_leaves_a_tombstone_that_is_never_shown(
    payments: PaymentClient, order_id: str
) -> None:
    answer = await payments.refund(order_id)
    assert (answer.status_code, answer.json()) == (200, {"order_id": order_id, "effect": "none"})
    assert (await payments.process(order_id)).json()["code"] == "compensated"
    for path in (f"/api/payments/order/{order_id}", f"/api/payments/pay-{order_id}"):
        assert (await payments.call("GET", path)).status_code == 404
    listed = (await payments.call("GET", "", params={"limit": 1000})).json()["items"]
    assert order_id not in {payment["order_id"] for payment in listed}


async def test_a_stuck_refund_fails_until_it_is_repaired(payments: PaymentClient, order_id: str) -> None:
    assert (await payments.process(order_id, "test-refund-stuck")).json()["status"] == "captured"
    for _ in range(2):
        answer = await payments.refund(order_id)
        assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (409, "refund_failed", True)
    payment = await payments.payment(order_id)
    assert (payment["status"], payment["reason"], payment["refunded_minor"]) == ("refunding", "refund_failed", 0)
    assert (await payments.call("GET", f"/operations/{order_id}/undo")).json()["code"] == "undo_failed"

    assert (await payments.repair(order_id)).json() == {"order_id": order_id, "repaired": True}
    assert (await payments.refund(order_id)).json()["effect"] == "undone"
    assert (await payments.payment(order_id))["status"] == "refunded"
    assert await payments.ledger(order_id) == [("charge", 2500), ("refund", 2500)]


async def test_a_charge_meets_the_tombstone_of_a_refund_that_has_not_succeeded_yet(
    payments: PaymentClient, order_id: str
) -> None:
    await payments.process(order_id, "test-refund-stuck")
    assert (await payments.refund(order_id)).json()["code"] == "refund_failed"
    assert (await payments.process(order_id, "test-refund-stuck")).json()["code"] == "compensated"


async def test_nothing_to_repair_is_not_found(payments: PaymentClient, order_id: str) -> None:
    assert (await payments.repair(order_id)).status_code == 404
