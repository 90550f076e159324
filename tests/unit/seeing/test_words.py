"""Times as people say them."""

import pytest

from ordersaga.saga.words import at, clock, exactly, plain, seconds_in, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3900, "1 h 5 min"),
        (36000, "10 h"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_span_is_as_exact_as_somebody_wants_to_know(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(45, "45 s"), (60, "1 min"), (86, "1 min 26 s"), (599, "9 min 59 s"), (686, "11 min")]
)
def test_of_one_order_seconds_are_told_beside_minutes(seconds: float, words: str) -> None:
    assert exactly(seconds) == words


def test_a_moment_is_in_utc_and_says_so_and_has_its_day_unless_it_is_today() -> None:
    noon = 1800014400.0
    assert clock(noon) == "2027-01-15 12:00:00Z"
    assert at(noon, noon + 3600) == "12:00:00Z"
    assert at(noon, noon + 86400) == "2027-01-15 12:00:00Z"
    assert clock(None) == ""


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172800)])
def test_a_time_is_written_as_in_kubectl(text: str, seconds: float) -> None:
    assert seconds_in(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "5m!", "1e3s"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write 30s, 5m, 2h or 1d"):
        seconds_in(text)


def test_a_sentence_of_the_docs_is_said_without_its_links() -> None:
    assert plain("[Repair it](#x): `RetryNow`.") == "Repair it: RetryNow."
