"""Work that goes on behind its callers is bounded: a provider that stands still doesn't fill the memory."""

import asyncio
import logging
from typing import Any

import pytest

from common.barrier import Accepted, Barrier, Call, Claims, Happened
from common.errands import Errands
from common.errors import Unavailable
from common.wire import utcnow
from tests.unit.common.simulation import Documents, SimulatedProvider, Simulation


async def test_there_are_so_many_at_a_time_and_the_log_says_once_why_there_are_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errands, over, begun = Errands(4), asyncio.Event(), 0

    async def work() -> str:
        nonlocal begun
        begun += 1
        await over.wait()
        return "done"

    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            assert await errands.run(work(), patience=0.0) is None
        for _ in range(3):
            with pytest.raises(Unavailable, match="repeat this later"):
                await errands.run(work(), patience=60.0)
    assert begun == 4
    assert sum("errands are under way" in message for message in caplog.messages) == 1
    over.set()
    await errands.finish(20)
    assert await errands.run(work(), patience=20.0) == "done"


class StandsStill(SimulatedProvider):
    """A provider that answers when it is told to."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation, "captured")
        self.asked: list[str] = []
        self.goes_on = asyncio.Event()

    async def ask(self, document: Any) -> Happened | Accepted:
        self.asked.append(document["order_id"])
        await self.goes_on.wait()
        return await super().ask(document)


async def test_a_charge_for_which_there_is_no_room_was_never_begun() -> None:
    simulation = Simulation([], calm=True)
    provider, errands = StandsStill(simulation), Errands(1)
    claims = Claims(
        Barrier(Documents(simulation)),  # type: ignore[arg-type]
        provider,
        location="/operations",
        clock=utcnow,
        errands=errands,
    )
    occupied = asyncio.create_task(errands.run(provider.goes_on.wait(), patience=60))
    await asyncio.sleep(0)
    call = Call("shop/o-1/payment/do", "shop", "o-1", "do", "body")
    with pytest.raises(Unavailable) as refused:
        await claims.do(call, {"order_id": "o-1", "status": "processing"})
    assert (refused.value.retry_after, refused.value.order_id) == (2, "o-1")
    assert provider.asked == []
    provider.goes_on.set()
    await occupied
    answer = await claims.do(call, {"order_id": "o-1", "status": "processing"})
    assert answer.status == 200, "the claim that came to nothing is in nobody's way"
    assert provider.asked == ["o-1"]
