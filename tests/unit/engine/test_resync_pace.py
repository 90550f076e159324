"""How often a resync runs."""

from saga_operator.engine.resync import pause_after


def test_a_resync_comes_at_its_interval_while_it_is_quick() -> None:
    assert pause_after(took=0.2, interval=30) == 30


def test_a_resync_over_many_sagas_leaves_the_api_server_alone_for_longer() -> None:
    assert pause_after(took=4, interval=30) == 80


def test_one_slow_resync_does_not_put_off_the_next_without_end() -> None:
    assert pause_after(took=60, interval=30) == 300
    assert pause_after(took=60, interval=600) == 600
