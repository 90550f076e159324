"""The rules of stock, without a database."""

import pytest
from pydantic import ValidationError

from services.inventory.models import Line, ReserveRequest
from services.inventory.rules import Move, dispatching, releasing, reserving, why_not

MUG = {"product_id": "p-mug", "available": 3, "price_minor": 1250, "currency": "EUR"}
SHIRT = {"product_id": "p-shirt", "available": 1, "price_minor": 2900, "currency": "EUR"}
CATALOGUE = {"p-mug": MUG, "p-shirt": SHIRT}


def order(*lines: tuple[str, int, int], currency: str = "EUR") -> ReserveRequest:
    return ReserveRequest.model_validate(
        {
            "order_id": "o-1",
            "currency": currency,
            "items": [{"product_id": p, "quantity": q, "unit_price_minor": price} for p, q, price in lines],
        }
    )


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (order(("p-mug", 3, 1250), ("p-shirt", 1, 2900)), None),
        (order(("p-mug", 4, 1250)), "out_of_stock"),
        (order(("p-shirt", 1, 2900), ("p-mug", 4, 1250)), "out_of_stock"),
        (order(("p-mug", 1, 1249)), "price_changed"),
        (order(("p-mug", 1, 1250), currency="USD"), "price_changed"),
        (order(("p-ghost", 1, 1250)), "product_unknown"),
        (order(("p-mug", 4, 1), ("p-ghost", 1, 1)), "product_unknown"),
        (order(("p-mug", 4, 1250), ("p-shirt", 1, 1)), "price_changed"),
    ],
)
def test_an_order_is_refused_for_the_reason_that_waiting_helps_least(
    request_: ReserveRequest, code: str | None
) -> None:
    refusal = why_not(request_, CATALOGUE)
    assert (refusal.code if refusal else None) == code
    if refusal:
        assert "o-1" in refusal.detail


def test_a_refused_price_reads_like_money() -> None:
    refusal = why_not(order(("p-mug", 1, 1249)), CATALOGUE)
    assert refusal is not None
    assert "ordered at 12.49 EUR and costs 12.50 EUR" in refusal.detail


def test_stock_moves_in_the_order_of_the_product_ids() -> None:
    lines = [Line(product_id="p-shirt", quantity=1), Line(product_id="p-mug", quantity=2)]
    assert reserving(lines) == (Move("p-mug", 0, 2), Move("p-shirt", 0, 1))
    assert releasing(lines) == (Move("p-mug", 0, -2), Move("p-shirt", 0, -1))
    assert dispatching(lines) == (Move("p-mug", -2, -2), Move("p-shirt", -1, -1))


def test_only_reserving_needs_available_units() -> None:
    lines = [Line(product_id="p-mug", quantity=2)]
    assert [m[0].available for m in (reserving(lines), releasing(lines), dispatching(lines))] == [-2, 2, 0]


@pytest.mark.parametrize("quantity", [0, -1, 10_001, "2", 1.5])
def test_quantities_are_whole_positive_units(quantity: object) -> None:
    with pytest.raises(ValidationError):
        Line.model_validate({"product_id": "p-mug", "quantity": quantity})


def test_a_product_appears_in_one_line_only() -> None:
    with pytest.raises(ValidationError, match="add up its quantities"):
        order(("p-mug", 1, 1250), ("p-mug", 1, 1250))
