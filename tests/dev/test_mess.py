"""The plan of `make mess`: which orders it places is known beforehand, or nobody could say what should be found."""

from collections import Counter

import pytest

from common.shop.order_spec import content_of, spec_of
from dev.mess.plan import KINDS, TOTAL, Stage, orders

SEEDS = (1, 13, 99)


@pytest.mark.parametrize("seed", SEEDS)
def test_there_are_500_orders_of_many_customers_each_with_an_id_of_its_own(seed: int) -> None:
    made = orders(seed)
    assert len({order.order_id for order in made}) == len(made) == TOTAL == 500
    assert len({order.customer for order in made}) > 50


def test_the_same_seed_makes_the_same_orders_and_another_one_others() -> None:
    def bodies(seed: int) -> list[object]:
        return [(order.kind.name, order.person, order.body(seed)) for order in orders(seed)]

    assert bodies(13) == bodies(13)
    assert bodies(13) != bodies(14)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_has_as_many_orders_as_it_says_and_stages_come_one_after_the_other(seed: int) -> None:
    made = orders(seed)
    found = Counter(order.kind.name for order in made)
    assert {kind.name: found[kind.name] for kind in KINDS} == {kind.name: kind.number for kind in KINDS}
    assert found["completed"] > 100, "a mess is to be found among orders with which all is well"
    stages = [order.kind.stage for order in made]
    assert stages == sorted(stages, key=list(Stage).index)


def test_whoever_does_something_about_a_kind_does_it_to_one_order_of_it_at_least() -> None:
    found = {(order.kind.name, order.person) for order in orders(13) if order.person}
    assert found == {(kind.name, person) for kind in KINDS for person in kind.people}


def test_an_order_is_the_same_over_rest_and_as_a_resource() -> None:
    for order in orders(13):
        body = order.body(13)
        again = content_of(spec_of(body))
        assert {**body, "notify": again["notify"]} == again
