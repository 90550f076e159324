"""The times in which no operator worked, as the Lease keeps them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga_operator.process.absences import REMEMBERED, Absences, from_text, seconds_of, to_text, with_absence

DAY = 24 * 3600.0
gaps = st.lists(st.tuples(st.floats(1, DAY), st.floats(1, DAY)), max_size=80)
"""Pairs of: so long somebody worked, then so long nobody did."""


def kept(pairs: list[tuple[float, float]]) -> tuple[Absences, float, float]:
    """What is kept of them, how long nobody worked in truth, and when it ended."""
    found: Absences = ()
    now, away = 1.8e9, 0.0
    for worked, missing in pairs:
        now += worked
        found = with_absence(found, now, now + missing)
        now += missing
        away += missing
    return found, away, now


def test_only_what_lies_between_the_two_counts() -> None:
    absences = ((100.0, 200.0), (300.0, 400.0))
    assert seconds_of(absences, 0.0) == 200.0
    assert seconds_of(absences, 150.0) == 150.0
    assert seconds_of(absences, 150.0, 350.0) == 100.0
    assert seconds_of(absences, 400.0) == 0.0
    assert seconds_of((), 0.0) == 0.0


@given(gaps)
def test_never_less_is_kept_than_there_was_in_the_last_month(pairs: list[tuple[float, float]]) -> None:
    found, away, now = kept(pairs)
    assert len(found) <= REMEMBERED
    assert found == tuple(sorted(found))
    if now < 1.8e9 + 30 * DAY:
        assert seconds_of(found, 0.0) >= away - 1e-3
    if len(pairs) <= REMEMBERED and now < 1.8e9 + 30 * DAY:
        assert seconds_of(found, 0.0) == pytest.approx(away)


@given(gaps)
def test_the_lease_keeps_them_to_the_second_and_never_shorter(pairs: list[tuple[float, float]]) -> None:
    found, _, _ = kept(pairs)
    read = from_text(to_text(found))
    assert len(read) == len(found)
    assert 0 <= seconds_of(read, 0.0) - seconds_of(found, 0.0) <= 2 * len(found)


@pytest.mark.parametrize(
    "text", ["", "x", "1-", "-1", "5-1", "1-2,3", "1-2-3", "nan-inf", "10-20,1-5", "1-" + "9" * 400]
)
def test_a_text_of_anybody_else_is_none(text: str) -> None:
    assert from_text(text) == ()


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    from_text(text)


def test_nothing_is_kept_of_a_time_that_ends_before_it_begins() -> None:
    assert with_absence((), 20.0, 10.0) == ()
