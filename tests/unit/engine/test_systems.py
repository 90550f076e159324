"""What other systems are told, and when: by an operator that began just now, of live orders, as a namespace ends."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from saga_operator.engine.telling import outbox, systems
from saga_operator.engine.telling.outbox import CAPACITY, TAKEN, Answered, Result
from saga_operator.engine.telling.systems import Systems
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.lifecycle import Lifecycle
from tests.support.samples import order
from tests.unit.engine.network import simulated


class World:
    """A sink that takes everything while it `works`."""

    name = "the sink"

    def __init__(self) -> None:
        self.works = True
        self.told: list[str] = []
        self.events: list[KubernetesEvent] = []
        sender = SimpleNamespace(add=lambda _, event: self.events.append(event))
        self.systems = Systems("/s/shop", cast(Any, self), cast(Any, sender))

    async def send(self, event: Lifecycle) -> Answered:
        await asyncio.sleep(0.001)
        if not self.works:
            return Answered(Result.AWAY, "no answer")
        self.told.append(event.id)
        return TAKEN


def story(told: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World()
        running = asyncio.create_task(world.systems.run())
        await told(world)
        running.cancel()
        await asyncio.wait([running])

    simulated(run())


def saga(name: str, phase: str = "", **status: Any) -> Resource:
    raw = order(name)
    raw["metadata"] |= {"namespace": "shop", "uid": f"u-{name}", "creationTimestamp": "2026-11-30T08:00:00Z"}
    ended = {"completionTime": "2026-11-30T08:00:05Z"} if phase in ("Completed", "Compensated") else {}
    return Resource(raw | {"status": {"phase": phase, **ended, **status}} if phase else raw)


def test_a_start_is_told_once_however_many_calls_are_made() -> None:
    async def told(world: World) -> None:
        for phase in ("", "", "Running", "Running"):
            world.systems.begun(saga("o-1", phase))
            world.systems.saw(saga("o-1", phase))
            await asyncio.sleep(1)
        assert world.told == ["u-o-1/started"]

    story(told)


@pytest.mark.parametrize("phase", ["", "Pending", "Suspended"])
def test_of_a_live_order_that_has_not_begun_nothing_is_told(phase: str) -> None:
    async def told(world: World) -> None:
        world.systems.saw(saga("o-1", phase))
        await asyncio.sleep(1)
        assert world.told == []

    story(told)


def test_after_a_restart_live_orders_are_told_again_but_what_is_new_goes_first() -> None:
    async def told(world: World) -> None:
        for number in range(500):
            world.systems.saw(saga(f"o-live-{number}", "Running"))
        world.systems.begun(saga("o-new"))
        await asyncio.sleep(0.5)
        assert world.told.index("u-o-new/started") < 10
        assert len(world.told) < outbox.REPEATS_AT_ONCE + 15
        await asyncio.sleep(60)
        assert len(set(world.told)) == len(world.told) == 501

    story(told)


def test_a_finished_order_is_due_until_the_sink_has_its_end() -> None:
    async def told(world: World) -> None:
        world.works, done = False, saga("o-1", "Completed")
        world.systems.ended(done)
        for _ in range(10):
            assert await world.systems.done(done) is False
            await asyncio.sleep(60)
        assert not world.systems.is_open
        world.works = True
        await asyncio.sleep(60)
        assert await world.systems.done(done) is True
        assert world.told == ["u-o-1/started", "u-o-1/completed"]
        world.systems.forget("u-o-1")
        assert await world.systems.done(done) is False, "of a forgotten one everything is sent again"

    story(told)


def test_what_a_person_s_deletion_left_untold_is_said_by_type(caplog: pytest.LogCaptureFixture) -> None:
    async def told(world: World) -> None:
        first = saga("o-1", "Compensated", failure={"step": "payment", "reason": "CardDeclined"})
        world.systems.begun(first)
        await asyncio.sleep(1)
        world.works = False
        await world.systems.done(first)
        world.systems.missed(first)
        (event,) = world.events
        assert (event.type, event.reason) == ("Warning", "EventsNotTold")
        assert event.message.endswith("which may not have got: io.ordersaga.order.compensated.v1")

    with caplog.at_level(logging.WARNING):
        story(told)
    assert "o-1" in {vars(record).get("order") for record in caplog.records}


def test_at_the_end_of_a_namespace_events_are_waited_for_all_together_only_so_long() -> None:
    async def told(world: World) -> None:
        loop = asyncio.get_running_loop()
        world.systems.hurry()
        began = loop.time()
        assert await world.systems.done(saga("o-well", "Completed")) is True
        assert loop.time() - began < 0.1
        world.works = False
        for number in range(50):
            assert await world.systems.done(saga(f"o-{number}", "Completed")) is False
        assert loop.time() - began <= systems.AT_THE_END + 0.1

    story(told)


def test_an_order_of_which_nothing_can_be_made_is_nobody_s_trouble_but_stays_due() -> None:
    async def told(world: World) -> None:
        odd = saga("o-odd", "Failed", steps=[{"name": "payment", "state": "NoSuchState"}])
        world.systems.saw(odd)
        spoiled = Resource({**saga("o-spoiled", "Completed").raw, "spec": {}})
        world.systems.begun(spoiled)
        world.systems.ended(spoiled)
        with pytest.raises(KeyError):
            await world.systems.done(spoiled)
        world.systems.ended(saga("o-well", "Completed"))
        await asyncio.sleep(1)
        assert world.told == ["u-o-odd/started", "u-o-well/started", "u-o-well/completed"]

    story(told)


def test_an_end_for_which_there_was_no_room_is_not_seen_to_though_its_start_is_told() -> None:
    """A busy shop has no quiet moment for hours: whoever counts as seen to waits for one."""

    async def told(world: World) -> None:
        world.systems.begun(saga("o-1"))
        await asyncio.sleep(1)
        world.works = False
        for number in range(CAPACITY):
            world.systems.begun(saga(f"o-full-{number}"))
        ended = saga("o-1", "Completed")
        world.systems.ended(ended)
        assert not world.systems.is_seen_to(ended.uid)
        world.works = True
        await asyncio.sleep(60)
        assert not world.systems.is_seen_to(ended.uid)
        await world.systems.done(ended)
        assert world.systems.is_seen_to(ended.uid)
        await asyncio.sleep(1)
        assert world.systems.is_seen_to(ended.uid)
        assert await world.systems.done(ended) is True

    story(told)
