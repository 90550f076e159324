"""Keys and fingerprints."""

import pytest

from common.errors import Problem
from common.web.idempotency import EPOCH_AHEAD, SagaKey, fingerprint, saga_key
from common.wire import OrderBody, OrderLine, utcnow


class Before(OrderBody):
    items: list[OrderLine]


class After(OrderBody):
    """The next release: an optional field more."""

    items: list[OrderLine]
    gift: bool = False


def utc_milliseconds() -> int:
    return int(utcnow().timestamp() * 1000)


BODY = {"order_id": "o-1", "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}]}


def test_a_release_that_adds_an_optional_field_changes_no_fingerprint() -> None:
    before = fingerprint(Before.model_validate(BODY))
    assert fingerprint(After.model_validate(BODY)) == before, "left out"
    assert fingerprint(After.model_validate({**BODY, "gift": False})) == before, "spelled out"
    assert fingerprint(After.model_validate({**BODY, "gift": True})) != before


def test_the_order_of_fields_does_not_count_and_that_of_lines_does() -> None:
    line = {"product_id": "p-cap", "quantity": 1, "unit_price_minor": 900}
    one = Before.model_validate({"order_id": "o-1", "items": [BODY["items"][0], line]})  # type: ignore[index]
    two = Before.model_validate({"items": [BODY["items"][0], line], "order_id": "o-1"})  # type: ignore[index]
    three = Before.model_validate({"order_id": "o-1", "items": [line, BODY["items"][0]]})  # type: ignore[index]
    assert fingerprint(one) == fingerprint(two) != fingerprint(three)


def test_a_field_can_be_left_outside() -> None:
    with_gift = After.model_validate({**BODY, "gift": True})
    assert fingerprint(with_gift, outside={"gift"}) == fingerprint(Before.model_validate(BODY))


def test_a_key_names_the_order_of_its_body() -> None:
    key = SagaKey("shop/o-2/order/undo", "shop", "o-2", "order", "undo", None)
    with pytest.raises(Problem, match="shop/o-1/order/undo") as caught:
        key.call(OrderBody(order_id="o-1"))
    assert (caught.value.status, caught.value.code) == (400, "idempotency_key_invalid")


def test_an_operation_may_have_another_name() -> None:
    key = SagaKey("shop/o-1/order/undo", "shop", "o-1", "order", "undo", 7)
    call = key.call(OrderBody(order_id="o-1"), operation="cancel")
    assert (call.operation, call.epoch, call.namespace) == ("cancel", 7, "shop")


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "shop/o-1/payment/do/",
        "shop/o-1/payment/redo",
        "shop/o-1/payment/undo",
        "shop/o-1/shipping/do",
        "shop/O-1/payment/do",
        f"shop/{'o' * 64}/payment/do",
        "shop/o-1/payment/do\n",
        "shop/-o/payment/do",
    ],
)
async def test_a_key_that_does_not_fit_its_route_is_answered_with_one_that_does(bad: str) -> None:
    with pytest.raises(Problem, match=r"for example shop/\S+/payment/do$"):
        await saga_key("payment", "do")(bad)


@pytest.mark.parametrize("ahead", [EPOCH_AHEAD + 60_000, 24 * 3600 * 1000, 2**63 - 1])
async def test_an_epoch_far_ahead_of_the_clock_is_refused_with_the_clock(ahead: int) -> None:
    with pytest.raises(Problem) as caught:
        await saga_key("payment", "do")("shop/o-1/payment/do", min(utc_milliseconds() + ahead, 2**63 - 1))
    body = caught.value.body()
    assert (body["status"], body["code"], body["order_id"]) == (422, "epoch_ahead", "o-1")
    assert abs(body["clock"] - utc_milliseconds()) < 60_000


async def test_an_epoch_of_a_clock_that_is_minutes_ahead_is_taken() -> None:
    key = await saga_key("payment", "do")("shop/o-1/payment/do", utc_milliseconds() + EPOCH_AHEAD - 60_000)
    call = key.call(OrderBody(order_id="o-1"))
    assert call.epoch is not None
    assert call.epoch < call.newest_epoch
