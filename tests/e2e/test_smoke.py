"""The order that `helm test` places, on all real parts."""

import pytest

from ordersaga.smoke import Customer, SmokeError, smoke
from tests.e2e.system import Stack


def test_the_smoke_order_brings_what_it_needs_and_may_be_repeated(stack: Stack) -> None:
    for _ in range(2):
        assert "Completed, CONFIRMED" in smoke(stack.shop.urls)


def test_a_service_that_is_not_there_is_named(stack: Stack) -> None:
    nowhere = {**stack.shop.urls, "inventory": "http://127.0.0.1:9"}
    expected = r"GET http://127.0.0.1:9/api/inventory/p-smoke: "
    with Customer(nowhere, seconds=0) as customer, pytest.raises(SmokeError, match=expected):
        customer.seed()
