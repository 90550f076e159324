"""When the finalizer of a finished saga comes off: in a quiet moment, or because somebody waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

from common.kube import OrderSagas
from common.order_saga import ARCHIVED, EXPIRES, FINALIZER, NEVER
from common.wire import Json
from saga_operator.engine.records import duties, finalizers
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.duties import Duties
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.resource.body import Resource
from tests.support.samples import order
from tests.unit.engine.network import simulated


def sample(name: str) -> Json:
    raw = order(name, finalizers=(FINALIZER,))
    raw["metadata"] |= {"namespace": "shop", "uid": f"u-{name}", "resourceVersion": "1"}
    return raw


class World:
    """An API server and an order service that take everything; calls are in flight while `busy`."""

    def __init__(self) -> None:
        self.busy = False
        self.off: list[str] = []
        self.read: list[str] = []
        self.patches: list[Json] = []
        self.told = Told()
        self.slow = 0.0
        """Seconds that the order service takes for a story."""
        part = cast(Any, self)
        self.queue = FinalizerQueue(
            ApiWriter(cast(OrderSagas, self), max_writes=4), part, part, Duties(part, [self.told])
        )

    @property
    def quiet_seconds(self) -> float:
        return 0.0 if self.busy else 1.0

    async def kept(self, _: Resource) -> bool:
        await asyncio.sleep(self.slow)
        return True

    async def get(self, name: str) -> Json:
        self.read.append(name)
        return sample(name)

    async def patch(self, name: str, patch: Json) -> Json:
        await asyncio.sleep(0.01)
        self.off.append(name)
        self.patches.append(patch)
        return sample(name)

    def add(self, name: str, *, urgent: bool = False) -> None:
        self.queue.add(name, f"u-{name}", urgent=urgent, resource=Resource(sample(name)))


def story(told: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World()
        working = asyncio.create_task(world.queue.run())
        await told(world)
        working.cancel()

    simulated(run())


def test_it_stays_while_calls_are_made_and_comes_off_after_them() -> None:
    async def told(world: World) -> None:
        world.busy = True
        for number in range(10):
            world.add(f"o-{number}")
        await asyncio.sleep(3600.0)
        assert world.off == []
        world.busy = False
        await asyncio.sleep(1.0)
        assert len(world.off) == 10

    story(told)


def test_a_deletion_waits_for_no_quiet_moment() -> None:
    async def told(world: World) -> None:
        world.busy = True
        world.add("o-1")
        world.add("o-2")
        world.add("o-2", urgent=True)
        await asyncio.sleep(0.1)
        assert world.off == ["o-2"]

    story(told)


def test_with_the_finalizer_it_is_noted_that_the_story_is_kept() -> None:
    async def told(world: World) -> None:
        world.add("o-1")
        await asyncio.sleep(1.0)
        metadata = world.patches[0]["metadata"]
        assert metadata["annotations"] == {ARCHIVED: "u-o-1", EXPIRES: NEVER}
        noted = sample("o-1") | {"status": {"phase": "Completed"}}
        noted["metadata"]["annotations"] = metadata["annotations"]
        assert Resource(noted).archived
        noted["metadata"]["uid"] = "u-another"
        assert not Resource(noted).archived, "a copy of the manifest"

    story(told)


def test_a_large_one_is_not_held_but_read_again_and_so_is_one_whose_finalizers_are_not_all_known() -> None:
    async def told(world: World) -> None:
        large, shortened = sample("o-large"), sample("o-shortened")
        large["metadata"]["labels"] = {f"l-{n}": "x" * 60 for n in range(1000)}
        shortened["metadata"]["finalizers"] += [f"example.com/{n}" for n in range(100)]
        world.queue.add("o-large", "u-o-large", urgent=False, resource=Resource(large))
        world.queue.add("o-shortened", "u-o-shortened", urgent=True, resource=Resource(shortened).slim())
        world.add("o-1")
        await asyncio.sleep(1)
        assert sorted(world.off) == ["o-1", "o-large", "o-shortened"]
        assert sorted(world.read) == ["o-large", "o-shortened"]

    story(told)


def test_of_many_that_wait_only_the_names_are_kept_and_of_more_that_they_are_there(monkeypatch: Any) -> None:
    monkeypatch.setattr(finalizers, "WAIT_AT_MOST", 8)
    monkeypatch.setattr(finalizers, "WITH_RESOURCE", 3)

    async def told(world: World) -> None:
        looked = SimpleNamespace(times=0)
        world.told.asked = [f"o-{number}" for number in range(12)]  # so that none is read to be told of

        def find_missed() -> None:
            looked.times += 1
            for number in range(8, 12):
                world.add(f"o-{number}")

        world.queue.find_missed = find_missed
        world.busy = True
        for number in range(12):
            world.add(f"o-{number}")
        assert len(world.queue) == 8
        world.busy = False
        await asyncio.sleep(1.0)
        assert looked.times == 1
        assert sorted(world.off) == sorted(f"o-{number}" for number in range(12))
        assert len(world.read) == 5 + 1

    story(told)


class Told:
    """A duty that is done when it is `is_open`, for those that are not `held`."""

    def __init__(self) -> None:
        self.is_open, self.held = True, False
        self.asked: list[str] = []

    def is_seen_to(self, uid: str) -> bool:
        return uid.removeprefix("u-") in self.asked

    async def done(self, resource: Resource) -> bool:
        self.asked.append(resource.name)
        return self.is_open and not self.held

    def missed(self, resource: Resource) -> None:
        """Nobody looks."""

    def hurry(self) -> None:
        """Nobody waits."""

    def forget(self, uid: str) -> None:
        """Nothing is remembered."""


def test_while_nobody_can_be_told_only_those_are_looked_at_for_which_somebody_waits() -> None:
    async def told(world: World) -> None:
        world.told.is_open = False
        for number in range(100):
            world.queue.add(f"o-{number}", f"u-o-{number}", urgent=False)
        world.add("o-deleted", urgent=True)
        await asyncio.sleep(3600.0)
        assert set(world.told.asked) == {"o-deleted"}
        assert not world.read
        assert world.off == []
        world.told.is_open = True
        await asyncio.sleep(60.0)
        assert len(world.off) == 101

    story(told)


def test_one_that_is_done_meanwhile_comes_off_at_once() -> None:
    async def told(world: World) -> None:
        world.told.held = True
        world.add("o-1")
        await asyncio.sleep(60.0)
        assert world.told.asked == ["o-1"], "whoever tells says when it is done"
        world.told.held = False
        world.queue.look_again("u-o-1")
        world.queue.look_again("u-o-unknown")
        await asyncio.sleep(1.0)
        assert world.off == ["o-1"]
        assert not world.read, "it was kept"

    story(told)


def test_one_of_which_nobody_says_that_it_is_done_is_found_all_the_same() -> None:
    async def told(world: World) -> None:
        world.told.held = True
        world.add("o-1")
        await asyncio.sleep(60.0)
        world.told.held = False
        await asyncio.sleep(duties.SELDOM)
        assert world.off == ["o-1"]

    story(told)


def test_at_the_end_of_the_namespace_nothing_waits_for_those_who_are_to_be_told() -> None:
    async def told(world: World) -> None:
        world.told.held = True
        world.add("o-1")
        await asyncio.sleep(60.0)
        world.told.is_open = False
        world.add("o-2")
        world.queue.hurry()
        await asyncio.sleep(1.0)
        assert sorted(world.off) == ["o-1", "o-2"]

    story(told)


def test_in_a_busy_shop_those_that_a_predecessor_left_are_told_though_their_finalizer_stays() -> None:
    async def told(world: World) -> None:
        world.busy = True
        for number in range(200):
            world.queue.add(f"o-{number}", f"u-o-{number}", urgent=False)
        await asyncio.sleep(5.0)
        assert 50 <= len(world.told.asked) <= 110, "at a bounded rate"
        await asyncio.sleep(60.0)
        assert sorted(world.told.asked) == sorted(f"o-{number}" for number in range(200)), "each once"
        assert world.off == []

    story(told)


def test_those_that_are_on_their_way_are_not_read_for_that() -> None:
    async def told(world: World) -> None:
        world.busy = True
        world.told.asked = [f"o-{number}" for number in range(200)]
        for number in range(200):
            world.queue.add(f"o-{number}", f"u-o-{number}", urgent=False)
        await asyncio.sleep(60.0)
        assert world.read == []

    story(told)


def test_one_that_is_added_while_it_is_looked_at_is_looked_at_again_but_not_twice_at_once() -> None:
    async def told(world: World) -> None:
        world.slow = 2.0
        world.add("o-1", urgent=True)
        await asyncio.sleep(1.0)
        world.add("o-1")
        world.add("o-1", urgent=True)
        world.add("o-1")
        await asyncio.sleep(0.5)
        assert world.told.asked == ["o-1"]
        await asyncio.sleep(3.0)
        assert world.read == ["o-1"], "what was known of it was old"
        assert world.told.asked == ["o-1", "o-1"]

    story(told)
