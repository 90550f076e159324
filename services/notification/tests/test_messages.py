"""What messages say."""

from services.notification.rules import render

NOTIFICATION = {
    "notification_id": "ntf-o-1001-order_confirmed",
    "order_id": "o-1001",
    "notification_type": "order_confirmed",
    "total_minor": 3400,
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2}, {"product_id": "p-poster", "quantity": 1}],
}


def test_a_confirmation_names_the_order_its_lines_and_the_total() -> None:
    message = render(NOTIFICATION, email="c17@example.com")
    assert message.subject == "Your order o-1001 is confirmed"
    assert "  2 x p-mug\n  1 x p-poster\n\nTotal: 34.00 EUR" in message.text
    assert (message.to, message.message_id) == ("c17@example.com", "ntf-o-1001-order_confirmed")


def test_a_cancellation_says_that_the_money_went_back() -> None:
    message = render({**NOTIFICATION, "notification_type": "order_cancelled"}, email="c17@example.com")
    assert "Your payment of 34.00 EUR has been refunded." in message.text
