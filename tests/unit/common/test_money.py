"""Money for people."""

import pytest

from common.shop.money import format_money
from saga_operator.process.order import Order
from services.notification.catalogues import read
from services.notification.rules import render
from tests.support.samples import spec


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (2500, "EUR", "25.00 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-1, "EUR", "-0.01 EUR"),
        (1250, "JPY", "1250 JPY"),
        (0, "JPY", "0 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (15_000, "KRW", "15000 KRW"),
        (12_345, "CLF", "1.2345 CLF"),
        (2500, "ZZZ", "25.00 ZZZ"),
        (10**12, "USD", "10000000000.00 USD"),
    ],
)
def test_minor_units_have_the_decimals_of_their_currency(minor: int, currency: str, shown: str) -> None:
    assert format_money(minor, currency) == shown


@pytest.mark.parametrize(
    ("currency", "shown", "mailed"),
    [
        ("EUR", "25.00 EUR", "€25.00"),
        ("JPY", "2500 JPY", "¥2,500"),
        ("KRW", "2500 KRW", "KRW\u00a02,500"),
        ("KWD", "2.500 KWD", "KWD\u00a02.500"),
    ],
)
def test_kubectl_and_the_customers_mail_show_the_same_total(currency: str, shown: str, mailed: str) -> None:
    order = Order.from_spec("shop", spec("o-1", currency=currency))
    notification = {
        "notification_id": "ntf-1",
        "order_id": "o-1",
        "notification_type": "order_confirmed",
        "items": [{"product_id": "p-mug", "quantity": 2}],
        "total_minor": order.total_minor,
        "currency": currency,
    }
    assert order.total == shown
    assert f"Total: {mailed}\n" in render(notification, read(None, "en"), email="c17@example.com").text
