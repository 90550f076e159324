"""What messages say, in each language, and which files with messages are refused."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from services.notification.catalogues import OURS, read
from services.notification.rules import render
from services.notification.wording import BadWording

WORDINGS = read(None, "en")
NOTIFICATION: dict[str, Any] = {
    "notification_id": "ntf-o-1001-order_confirmed",
    "order_id": "o-1001",
    "notification_type": "order_confirmed",
    "total_minor": 123_456,
    "currency": "EUR",
    "items": [
        {"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250},
        {"product_id": "p-poster", "quantity": 1},
    ],
}
CANCELLED = {**NOTIFICATION, "notification_type": "order_cancelled"}


def text_of(notification: dict[str, Any], locale: str | None = None) -> str:
    return render(notification, WORDINGS, email="c17@example.com", locale=locale).text


def test_a_confirmation_names_the_order_its_lines_and_the_total() -> None:
    message = render(NOTIFICATION, WORDINGS, email="c17@example.com")
    assert message.subject == "Your order o-1001 is confirmed"
    assert message.text == (
        "Thank you for your order o-1001. It is confirmed, and we are preparing it.\n\n"
        "  2 x p-mug at €12.50 each: €25.00\n  1 x p-poster\n\nTotal: €1,234.56\n"
    )
    assert (message.to, message.message_id) == ("c17@example.com", "ntf-o-1001-order_confirmed")


@pytest.mark.parametrize(
    ("payment", "says"),
    [
        ("refunded", "Your payment of €1,234.56 has been refunded."),
        ("not_charged", "You have not been charged."),
        (None, "whatever was charged is paid back"),
    ],
)
def test_a_cancellation_says_what_became_of_the_money(payment: str | None, says: str) -> None:
    text = text_of({**CANCELLED, "payment": payment, "why": "card_declined"})
    assert says in text
    assert "Your card was declined." in text


def test_a_message_that_a_release_before_has_begun_can_still_be_sent() -> None:
    assert "We are sorry: we could not complete it." in text_of(CANCELLED)


@pytest.mark.parametrize("why", ["worker_failed", "$order_id", "", None, "general", "compensation_failed"])
def test_words_that_are_only_ours_never_reach_a_customer(why: str | None) -> None:
    text = text_of({**CANCELLED, "why": why})
    assert "We are sorry: we could not complete it." in text
    assert "$" not in text
    assert "_" not in text


@pytest.mark.parametrize("locale", ["en", "de", "fr"])
def test_every_language_has_a_sentence_for_every_reason_that_ours_has(locale: str) -> None:
    names = {name: tomllib.loads((OURS / f"{name}.toml").read_text())["reason"].keys() for name in ("en", locale)}
    assert names[locale] == names["en"]


@pytest.mark.parametrize(
    ("locale", "minor", "currency", "shown"),
    [  # as CLDR 47 has them
        ("en", 123_456_750, "EUR", "€1,234,567.50"),
        ("en", 1234, "JPY", "¥1,234"),
        ("en", 1_234_560, "KWD", "KWD\u00a01,234.560"),
        ("en", 5, "USD", "$0.05"),
        ("de", 123_456, "EUR", "1.234,56\u00a0€"),
        ("de", 1234, "JPY", "1.234\u00a0¥"),
        ("de", 1_234_560, "KWD", "1.234,560\u00a0KWD"),
        ("de", 100, "CHF", "1,00\u00a0CHF"),
        ("fr", 123_456, "EUR", "1\u202f234,56\u00a0€"),
        ("fr", 1234, "JPY", "1\u202f234\u00a0JPY"),
        ("fr", -500, "EUR", "-5,00\u00a0€"),
        ("fr", 99_999, "USD", "999,99\u00a0$US"),
    ],
)
def test_money_is_written_in_the_currencys_and_the_languages_way(
    locale: str, minor: int, currency: str, shown: str
) -> None:
    assert WORDINGS.of(locale).money(minor, currency) == shown


@pytest.mark.parametrize(
    ("asked", "found"), [("de", "de"), ("de-AT", "de"), ("DE-at", "de"), ("nl", "en"), (None, "en"), ("", "en")]
)
def test_a_language_that_isnt_there_is_the_wider_one_or_the_shops_own(asked: str | None, found: str) -> None:
    assert WORDINGS.of(asked).locale == found


def test_the_shop_has_its_own_messages(tmp_path: Path) -> None:
    ours = (OURS / "en.toml").read_text()
    (tmp_path / "en-GB.toml").write_text(ours.replace("Thank you for your order", "Ta for $$5, order"))
    message = render(NOTIFICATION, read(tmp_path, "en-gb"), email="c17@example.com", locale="de")
    assert message.text.startswith("Ta for $5, order o-1001.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[order_cancelled]", "[order_lost]"), "[order_lost] is no table"),
        (('subject = "Your order ${order_id} is confirmed"', ""), "[order_confirmed] subject has to be a text"),
        (("your order ${order_id}. It", "your order. It"), "[order_confirmed] text needs ${order_id}"),
        (("${payment}", "${money}"), "[order_cancelled] text has ${money}, which it can't have"),
        (("${payment}", ""), "[order_cancelled] text needs ${payment}"),
        (("Thank you", "$ Thank you"), "begins no placeholder"),
        (("[line]", "[line]\nshort = 'x'"), "[line] short is not used"),
        (('decimal = "."', 'decimal = ""'), "[money] decimal has to be one character"),
        (("is confirmed", "is\\nconfirmed"), "[order_confirmed] subject has to be one line"),
        (("Thank you", "\\u001b[2J"), "can't be printed"),
        (("[line]", "[line"), "en.toml: "),
        (("Thank you", "x" * 70_000), "more than 65536 bytes"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_a_file_that_no_message_can_be_made_of_is_refused_with_its_name(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    text = (OURS / "en.toml").read_text()
    assert change[0] in text
    (tmp_path / "en.toml").write_text(text.replace(*change, 1))
    with pytest.raises(BadWording) as refused:
        read(tmp_path, "en")
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_the_language_of_the_settings_has_to_be_there(tmp_path: Path) -> None:
    shutil.copy(OURS / "de.toml", tmp_path)
    with pytest.raises(BadWording, match=r"has no en\.toml"):
        read(tmp_path, "en")
    with pytest.raises(BadWording, match=r"has no en\.toml"):
        read(tmp_path / "nowhere", "en")
