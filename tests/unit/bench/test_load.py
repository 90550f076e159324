"""The closed loop: a rate of steady work, and an order that isn't carried out is a finding."""

import asyncio

import pytest

from bench.calls import Order
from bench.load import LoadResult, closed_loop

SECONDS = 0.05


async def test_the_rate_is_that_of_the_time_in_which_every_customer_is_there() -> None:
    async def work(order: Order) -> str:
        await asyncio.sleep(SECONDS)
        return order.expected

    load = await closed_loop(work, in_flight=10, seconds=10 * SECONDS, prefix="o", products=3)
    assert load.phases == load.expected
    assert 0 < load.rate <= 10 / SECONDS * 1.01  # a busy machine makes it slower, nothing makes it faster
    assert load.p99 >= load.p50 >= SECONDS * 0.99


async def test_what_goes_wrong_is_kept_and_the_others_go_on() -> None:
    async def work(order: Order) -> str:
        if order.order_id.endswith("0"):
            raise RuntimeError("the service is gone")
        await asyncio.sleep(0.001)
        return "Failed"

    load = await closed_loop(work, in_flight=4, seconds=0.2, prefix="o", products=3)
    assert load.errors
    assert set(load.phases.values()) == {"Failed"}
    assert len(load.expected) > len(load.phases)


@pytest.mark.parametrize("durations", [[], [0.1], [0.1] * 99 + [9.0] * 2])
def test_one_order_in_a_hundred_takes_longer_than_p99(durations: list[float]) -> None:
    assert LoadResult(durations=durations).p99 == (max(durations) if durations else 0.0)
