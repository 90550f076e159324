"""Text from outside is made fit for where it goes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.text import LONGEST_WAIT, identifier, lines, printable, seconds, word
from tests.support.outside import anything, texts


@given(texts(), st.integers(1, 1024), st.integers(4, 4096))
def test_what_is_printable_can_be_written_anywhere_and_is_bounded_in_characters_and_in_bytes(
    text: str, limit: int, octets: int
) -> None:
    fit = printable(text, limit, octets=octets)
    assert len(fit) <= limit
    assert len(fit.encode()) <= octets
    assert fit.isprintable()
    assert fit == fit.strip()
    assert printable(fit, limit, octets=octets) == fit


@given(anything())
def test_whatever_a_json_document_holds_can_be_shown(value: object) -> None:
    json.dumps(printable(value), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the card was declined", "the card was declined"),
        ("mailbox \ud83d", "mailbox \ufffd"),
        ("first\nsecond\r\nthird", "first second third"),
        ("a\x00b\x1b[31mred\x9b2J", "a b [31mred 2J"),
        ("invoice \u202egpj.exe", "invoice gpj.exe"),
        ("Müller, 東京, ¿qué?", "Müller, 東京, ¿qué?"),
        ("x" * 200_000, "x" * 1023 + "…"),
        ("\u200b" * 200_000, "…"),
        (17, "17"),
        (float("nan"), "nan"),
        (None, ""),
        ({"a": 1}, ""),
    ],
)
def test_a_text_is_shown_as_people_can_read_it(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_a_number_of_more_digits_than_python_writes_is_described() -> None:
    assert printable(10**5000) == "a number of thousands of digits"


@given(texts())
def test_an_identifier_is_a_header_as_it_is(text: str) -> None:
    assert identifier(text) in (text, "")
    assert identifier(text).isascii()
    assert len(identifier(text)) <= 128


def test_only_what_fits_is_an_identifier() -> None:
    assert identifier("Auftrag-Mueller:17.b_c") == "Auftrag-Mueller:17.b_c"
    for unfit in ("Auftrag-Müller", "a b", "a\nb", "a\n", "x" * 129, "", None, 17):
        assert identifier(unfit) == ""


def test_only_a_word_becomes_a_label() -> None:
    assert word("CardDeclined") == "CardDeclined"
    for odd in ("Card Declined", "é", "", "1st", "x" * 129, None, "a\n"):
        assert word(odd) == "Other"


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("5", 5.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        (7, 7.0),
        ("9" * 400, LONGEST_WAIT),
        (10**400, LONGEST_WAIT),
        (float("inf"), LONGEST_WAIT),
        *((odd, None) for odd in ("-1", "nan", "inf", "1e400", "1_0", "١٢", "", "x", None, float("nan"), -1)),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_a_wait_is_a_number_of_seconds_from_none_to_a_day(given: object, understood: float | None) -> None:
    assert seconds(given) == understood


@given(texts())
def test_what_is_printed_on_a_terminal_keeps_its_lines_and_nothing_that_a_terminal_obeys(text: str) -> None:
    fit = lines(text)
    assert fit.count("\n") == text.count("\n")
    assert all(part.isprintable() for line in fit.split("\n") for part in line.split("\t"))
    fit.encode()
