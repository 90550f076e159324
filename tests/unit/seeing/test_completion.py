"""What the shell offers after `kubectl saga …` and a tab."""

from collections.abc import Iterator, Sequence

import pytest

from ordersaga.saga.completion import candidates


def orders(_: Sequence[str]) -> Iterator[str]:
    yield from ("o-1", "o-2")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["wh"], {"why"}),
        (["-n", "shop", "sho"], {"show"}),
        (["why", ""], {"o-1", "o-2"}),
        (["retry", "o-1", "pay"], {"payment"}),
        (["retry", "--reason", "x", "o-"], {"o-1", "o-2"}),
        (["mark-compensated", "o-1", "confirm"], set()),
        (["list", "--phase", "Com"], {"Completed", "Compensating", "Compensated"}),
        (["list", "--sort", "cu"], {"customer"}),
        (["list", "--need"], {"--needs-person"}),
        (["list", ""], set()),
        (["why", "o-1", ""], set()),
    ],
)
def test_what_may_follow_is_offered(words: list[str], offered: set[str]) -> None:
    assert set(candidates(words, orders)) == offered


def test_at_the_beginning_it_is_the_commands() -> None:
    assert {"list", "show", "why", "retry", "doctor"} <= set(candidates([""], orders))
