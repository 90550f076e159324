"""Charging: what each method of the test provider does, and what the books say afterwards."""

import pytest

from services.payment.tests.client import PaymentClient


async def test_a_payment_has_the_shape_of_the_design(payments: PaymentClient, order_id: str) -> None:
    answer = await payments.process(order_id)
    assert answer.status_code == 200
    assert answer.json() == {
        "payment_id": f"pay-{order_id}",
        "order_id": order_id,
        "customer_id": "c-17",
        "amount_minor": 2500,
        "captured_minor": 2500,
        "refunded_minor": 0,
        "currency": "EUR",
        "method_ref": "test-ok",
        "status": "captured",
        "reason": None,
    }
    assert await payments.payment(order_id) == answer.json()
    assert (await payments.call("GET", f"/pay-{order_id}")).json() == answer.json()
    assert await payments.ledger(order_id) == [("charge", 2500)]


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("test-declined", "card_declined"),
        ("test-insufficient-funds", "insufficient_funds"),
        ("test-unheard-of", "method_unknown"),
        ("pm_1234", "method_unknown"),
    ],
)
async def test_a_refusal_is_a_payment_too_and_is_repeated(
    payments: PaymentClient, order_id: str, method: str, code: str
) -> None:
    first = await payments.process(order_id, method)
    assert (first.status_code, first.json()["code"], first.json()["retryable"]) == (409, code, False)
    assert order_id in first.json()["detail"]
    assert (await payments.process(order_id, method)).json() == first.json()
    payment = await payments.payment(order_id)
    assert (payment["status"], payment["reason"], payment["captured_minor"]) == ("declined", code, 0)
    assert await payments.ledger(order_id) == []


async def test_the_refund_of_a_refused_payment_finds_nothing(payments: PaymentClient, order_id: str) -> None:
    await payments.process(order_id, "test-declined")
    answer = await payments.refund(order_id)
    assert (answer.status_code, answer.json()["effect"], answer.json()["status"]) == (200, "none", "declined")
    assert await payments.ledger(order_id) == []


async def test_unavailable_n_times_then_captured(payments: PaymentClient, order_id: str) -> None:
    for _ in range(2):
        answer = await payments.process(order_id, "test-unavailable-2")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await payments.process(order_id, "test-unavailable-2")).json()["status"] == "captured"
    assert await payments.ledger(order_id) == [("charge", 2500)]


async def test_giving_up_on_an_unavailable_provider_needs_no_refund(payments: PaymentClient, order_id: str) -> None:
    """It said that it did nothing, so there is nothing to ask about: the rollback isn't held up by its outage."""
    await payments.process(order_id, "test-unavailable-999")
    answer = await payments.refund(order_id)
    assert (answer.status_code, answer.json()["effect"]) == (200, "none")
    assert (await payments.payment(order_id))["status"] == "failed"
    assert await payments.ledger(order_id) == []


async def test_silent_charges_and_drops_the_connection_the_first_time(payments: PaymentClient, order_id: str) -> None:
    with pytest.raises(ConnectionResetError):
        await payments.process(order_id, "test-silent")
    assert await payments.ledger(order_id) == [("charge", 2500)]
    answer = await payments.process(order_id, "test-silent")
    assert (answer.status_code, answer.json()["status"]) == (200, "captured")
    assert await payments.ledger(order_id) == [("charge", 2500)]


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 25.0},
        {"amount_minor": "2500"},
        {"amount_minor": True},
        {"amount_minor": 10**13},
        {"currency": "eur"},
        {"customer_id": ""},
        {"method_ref": "x" * 129},
        {"method_ref": None},
        {"order_id": "O_1"},
        {"tip_minor": 1},
    ],
    ids=str,
)
async def test_what_cannot_be_right_is_invalid(
    payments: PaymentClient, order_id: str, change: dict[str, object]
) -> None:
    body = {
        "order_id": order_id,
        "customer_id": "c-17",
        "amount_minor": 2500,
        "currency": "EUR",
        "method_ref": "test-ok",
    }
    headers = {"Idempotency-Key": f"shop/{order_id}/payment/do"}
    answer = await payments.call("POST", "/process", json={**body, **change}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert next(iter(change)) in answer.json()["detail"]


async def test_the_method_of_another_customer_is_as_one_that_does_not_exist(
    payments: PaymentClient, order_id: str
) -> None:
    refused = await payments.process(order_id, "test-of-c-17", customer_id="c-18")
    assert (refused.status_code, refused.json()["code"]) == (409, "method_unknown")
    assert await payments.ledger(order_id) == []
    own = f"{order_id}-own"
    assert (await payments.process(own, "test-of-c-17", customer_id="c-17")).status_code == 200
