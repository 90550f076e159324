"""Names by the time at which they are due, packed."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from saga_operator.engine.timetable import Timetable

TIMES = st.floats(0, 1e5).map(lambda at: round(at, 1))


@given(st.lists(TIMES, max_size=40), st.lists(st.tuples(TIMES, st.integers(1, 5)), max_size=30))
def test_what_is_due_comes_out_once_and_nothing_else(times: list[float], looks: list[tuple[float, int]]) -> None:
    table = Timetable()
    for number, at in enumerate(times):
        table.add(f"o-{number}", at)
    left = {f"o-{number}": at for number, at in enumerate(times)}
    for now, most in [*looks, (2e5, 1000)]:
        taken = table.take(now, most)
        due = sum(at <= now for at in left.values())
        assert all(left.pop(name) <= now for name in taken)
        assert len(taken) == min(most, due)
        assert len(table) == len(left)
    assert not left


def test_a_hundred_thousand_take_little_memory() -> None:
    table = Timetable()
    for number in range(100_000):
        table.add(f"order-2026-11-29-{number:08}", number * 6.0)
    assert sum(map(sys.getsizeof, table._minutes.values())) < 8_000_000


def test_forgotten_names_are_not_due() -> None:
    table = Timetable()
    table.add("o-1", 1.0)
    table.clear()
    assert table.take(10.0, 10) == []
    assert len(table) == 0
