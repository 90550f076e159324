"""What the operator does, from two looks at its figures."""

from ordersaga.saga.top import figures_of, participants, quantile, rates

BEFORE = """ordersaga_sagas_finished_total{phase="Completed"} 10.0
ordersaga_sagas_finished_total{phase="Compensated"} 50.0
"""
AFTER = """ordersaga_sagas_finished_total{phase="Completed"} 30.0
ordersaga_sagas_finished_total{phase="Compensated"} 5.0
"""


def test_a_rate_is_what_came_between_two_looks_and_a_process_that_began_anew_began_at_nothing() -> None:
    found = rates(figures_of(BEFORE), figures_of(AFTER), "ordersaga_sagas_finished_total", 5.0)
    assert found == {frozenset({("phase", "Completed")}): 4.0, frozenset({("phase", "Compensated")}): 1.0}


def test_a_quantile_is_the_bound_of_its_bucket() -> None:
    buckets = {0.01: 5.0, 0.1: 9.0, 1.0: 10.0, float("inf"): 10.0}
    assert quantile(buckets, 0.5) == 0.01
    assert quantile(buckets, 0.9) == 0.1
    assert quantile(buckets, 0.99) == 1.0
    assert quantile({}, 0.5) is None


def test_who_is_down_or_paused_or_has_something_to_do_is_shown_with_how_much() -> None:
    figures = figures_of(
        """ordersaga_participant_down{participant="payment"} 1.0
ordersaga_participant_down{participant="shipping"} 0.0
ordersaga_participant_down{participant="order"} 0.0
ordersaga_participant_down{participant="inventory"} 0.0
ordersaga_participant_paused{participant="shipping"} 1.0
ordersaga_participant_calls_in_flight{participant="payment"} 1.0
ordersaga_participant_calls_in_flight{participant="order"} 3.0
ordersaga_participant_waiting{participant="payment"} 212.0
"""
    )
    rows = [[str(cell.text if hasattr(cell, "text") else cell) for cell in row] for row in participants(figures).rows]
    assert rows == [
        ["payment", "down", "1", "212"],
        ["shipping", "paused", "0", "0"],
        ["order", "answers", "3", "0"],
    ]
