"""Money for people."""

import pytest

from common.money import format_money


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
        (10**12, "USD", "10000000000.00 USD"),
    ],
)
def test_minor_units_have_the_decimals_of_their_currency(minor: int, currency: str, shown: str) -> None:
    assert format_money(minor, currency) == shown
