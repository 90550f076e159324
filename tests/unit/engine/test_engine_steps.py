"""The process table: what it may look like, and what each call carries."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga_operator.process.order import Item, Order
from saga_operator.process.steps import (
    BACKWARD,
    BY_NAME,
    DEFINITION_HASH,
    FIRST,
    ORDER_SAGA,
    PIVOT,
    Kind,
    check,
    idempotency_key,
    request_body,
)
from tests.support.samples import spec

ORDER = Order(
    namespace="shop",
    order_id="o-1001",
    customer_id="c-17",
    currency="EUR",
    items=(Item("p-mug", 2, 1250), Item("p-poster", 1, 900)),
    method_ref="test-ok",
    address_ref="a-17",
    contact_ref="c-17",
)
CONTENT = {
    "order_id": "o-1001",
    "customer_id": "c-17",
    "currency": "EUR",
    "items": [
        {"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250},
        {"product_id": "p-poster", "quantity": 1, "unit_price_minor": 900},
    ],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
    "notify": {"contact_ref": "c-17"},
}


def test_steps_stand_in_the_order_of_the_design() -> None:
    assert [step.name for step in ORDER_SAGA] == [
        "order", "inventory", "payment", "shipping", "confirmation", "notification",
    ]  # fmt: skip
    assert PIVOT.name == "confirmation"
    assert [step.name for step in BACKWARD] == ["shipping", "payment", "inventory"]
    assert FIRST.name == "order"


def test_the_process_of_this_release_has_the_hash_that_stands_in_the_resources() -> None:
    """A change of the table is another process, and changes it; no change of words in the code may."""
    assert DEFINITION_HASH == "125606adede5"


def row(name: str, kind: Kind, undo: str | None = "/undo") -> object:
    return replace(ORDER_SAGA[0], name=name, kind=kind, undo=undo)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([("a", Kind.COMPENSATABLE), ("b", Kind.COMPENSATABLE)], "exactly one pivot"),
        ([("a", Kind.COMPENSATABLE), ("b", Kind.PIVOT), ("c", Kind.PIVOT)], "exactly one pivot"),
        ([("b", Kind.PIVOT), ("c", Kind.RETRIABLE, None)], "exactly one pivot"),
        ([], "exactly one pivot"),
        ([("a", Kind.COMPENSATABLE, None), ("b", Kind.PIVOT)], "step a"),
        ([("a", Kind.COMPENSATABLE), ("b", Kind.PIVOT, None)], "step b"),
        ([("a", Kind.COMPENSATABLE), ("b", Kind.PIVOT), ("c", Kind.RETRIABLE)], "step c"),
        ([("a", Kind.RETRIABLE, None), ("b", Kind.COMPENSATABLE), ("c", Kind.PIVOT)], "step a is retriable"),
        ([("a", Kind.COMPENSATABLE), ("b", Kind.PIVOT), ("c", Kind.COMPENSATABLE)], "step c is compensatable"),
    ],
)
def test_a_table_that_could_not_keep_the_promise_is_refused(rows: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check(tuple(row(*columns) for columns in rows))


def test_the_real_table_is_accepted() -> None:
    check(ORDER_SAGA)


@pytest.mark.parametrize(
    ("step", "undo", "body"),
    [
        ("order", False, CONTENT),
        ("confirmation", False, CONTENT),
        ("confirmation", True, CONTENT),
        ("order", True, {"order_id": "o-1001", "reason": "card_declined"}),
        ("inventory", False, {key: CONTENT[key] for key in ("order_id", "currency", "items")}),
        ("inventory", True, {"order_id": "o-1001"}),
        (
            "payment",
            False,
            {
                "order_id": "o-1001",
                "customer_id": "c-17",
                "amount_minor": 3400,
                "currency": "EUR",
                "method_ref": "test-ok",
            },
        ),
        ("payment", True, {"order_id": "o-1001"}),
        ("shipping", False, {"order_id": "o-1001", "customer_id": "c-17", "address_ref": "a-17"}),
        ("shipping", True, {"order_id": "o-1001"}),
        (
            "notification",
            False,
            {
                "order_id": "o-1001",
                "customer_id": "c-17",
                "notification_type": "order_confirmed",
                "contact_ref": "c-17",
                "total_minor": 3400,
                "currency": "EUR",
                "items": [{"product_id": "p-mug", "quantity": 2}, {"product_id": "p-poster", "quantity": 1}],
            },
        ),
    ],
)
def test_what_a_call_carries(step: str, undo: bool, body: dict) -> None:
    assert request_body(BY_NAME[step], undo=undo, order=ORDER, reason="card_declined") == body


@pytest.mark.parametrize("step", ORDER_SAGA, ids=lambda step: step.name)
def test_the_key_is_the_orders_and_the_steps(step: object) -> None:
    assert idempotency_key(step, undo=False, order=ORDER) == f"shop/o-1001/{step.name}/do"
    assert idempotency_key(step, undo=True, order=ORDER) == f"shop/o-1001/{step.name}/undo"


SPEC = spec("o-1001")


@given(
    state=st.sampled_from(["Active", "Suspended", "Cancelled"]),
    deadline=st.integers(1, 2_592_000),
    attempts=st.integers(1, 100),
    ttl=st.none() | st.integers(0, 100),
)
def test_bodies_and_keys_follow_from_the_order_alone(state: str, deadline: int, attempts: int, ttl: int | None) -> None:
    plain = Order.from_spec("shop", SPEC)
    changed = Order.from_spec(
        "shop",
        {
            **SPEC,
            "state": state,
            "activeDeadlineSeconds": deadline,
            "ttlSecondsAfterFinished": ttl,
            "retry": {"maxAttempts": attempts, "initialBackoffSeconds": 2, "maxBackoffSeconds": 9},
            "intervention": {"id": "a", "action": "RetryNow", "step": "payment", "reason": "b"},
        },
    )
    for step in ORDER_SAGA:
        for undo in (False, True):
            assert request_body(step, undo=undo, order=plain) == request_body(step, undo=undo, order=changed)
            assert idempotency_key(step, undo=undo, order=plain) == idempotency_key(step, undo=undo, order=changed)


def test_the_contact_is_the_customer_unless_another_is_named() -> None:
    assert Order.from_spec("shop", SPEC).contact_ref == "c-17"
    assert Order.from_spec("shop", {**SPEC, "notify": {"contactRef": "office"}}).contact_ref == "office"


def test_a_spec_without_limits_gets_the_designs() -> None:
    order = Order.from_spec("shop", SPEC)
    assert (order.deadline_seconds, order.retry.max_attempts) == (3600, 8)
    assert (order.retry.initial_backoff, order.retry.max_backoff) == (1, 30)


@pytest.mark.parametrize(
    ("price", "currency", "text"),
    [
        (1250, "EUR", "25.00 EUR"),
        (0, "EUR", "0.00 EUR"),
        (3, "EUR", "0.06 EUR"),
        (10**9, "EUR", "20000000.00 EUR"),
        (1250, "JPY", "2500 JPY"),
        (1250, "KWD", "2.500 KWD"),
    ],
)
def test_a_total_has_the_decimals_of_its_currency(price: int, currency: str, text: str) -> None:
    assert replace(ORDER, currency=currency, items=(Item("p-mug", 2, price),)).total == text
