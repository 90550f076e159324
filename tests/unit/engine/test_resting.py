"""A saga that has nothing to do for a while rests: no task is left of it, and it loses nothing and misses nothing."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from typing import Any, cast

import pytest

from common.kube import ObjectNotFound
from common.order_saga import FINALIZER
from common.wire import Json
from saga_operator.engine import engine, resting, worker
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.engine import Engine
from saga_operator.engine.records.write_room import WriteRoom
from saga_operator.engine.shared import Shared
from saga_operator.engine.timetable import Timetable
from saga_operator.process import reasons
from saga_operator.process.decide import Action, Do, Undo, decide
from saga_operator.process.events import NoUsableAnswer, Outcome, Succeeded, Undone
from saga_operator.process.order import CompensationPolicy
from saga_operator.process.saga import Phase, Saga
from saga_operator.process.steps import ORDER_SAGA
from saga_operator.resource.body import Resource
from saga_operator.resource.times import to_wire
from tests.support.samples import order
from tests.unit.engine.network import simulated
from tests.unit.process.builders import CREATED, NOW

AN_HOUR = {"maxAttempts": 8, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1}


class World:
    """Everything around an engine: one API server that keeps all, and participants one of which may not answer."""

    offset = 0.0
    reads = 0

    def __init__(self, *, retry_after: float = 1800.0, concurrency: int = 32, most: int = 100_000) -> None:
        self.stored: dict[str, Json] = {}
        self.calls: list[tuple[str, str, float]] = []
        self.down = "inventory"
        self.seconds = 0.0
        self.room = WriteRoom()
        self._retry_after = retry_after
        part = cast(Any, self)
        names = {step.participant for step in ORDER_SAGA}
        breakers = {name: CircuitBreaker(name, now=self.now, concurrency=concurrency, rate=0) for name in names}
        self.shared = Shared(part, part, part, part, part, breakers, CompensationPolicy(20, 900.0))
        self.expiries = Timetable()
        self.engine = Engine(self.shared, part, self.expiries, most=most)

    @staticmethod
    def now() -> float:
        try:
            return NOW + asyncio.get_running_loop().time()
        except RuntimeError:  # the common registry asks engines that a test has left behind as well
            return NOW

    def add(self, *_: object, **__: object) -> None:
        """Neither Events nor finalizers are looked at."""

    def absences(self, _: float) -> tuple[()]:
        return ()

    def epoch_for(self, _: str) -> int:
        return 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        yield

    call = turn

    def show(self, name: str, *, age: float = 0.0, annotations: Json | None = None, **spec: Any) -> Resource:
        """What the watch shows after somebody has made it or changed its spec."""
        before = self.stored.get(name)
        metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": 1, "resourceVersion": "0"}
        metadata |= {"creationTimestamp": to_wire(CREATED - age), "finalizers": [FINALIZER]}
        metadata |= {"annotations": annotations} if annotations else {}
        raw = before or {**order(name), "metadata": metadata, "status": {}}
        metadata = {**raw["metadata"], "generation": raw["metadata"]["generation"] + bool(before)}
        self._store({**raw, "metadata": metadata, "spec": {**raw["spec"], **spec}})
        seen = Resource(self.stored[name])
        self.engine.resource_seen(seen)
        return seen

    def _store(self, raw: Json) -> None:
        metadata = {**raw["metadata"], "resourceVersion": str(int(raw["metadata"]["resourceVersion"]) + 1)}
        self.stored[metadata["name"]] = {**raw, "metadata": metadata}

    async def read(self, name: str) -> Resource:
        self.reads += 1
        if name not in self.stored:
            raise ObjectNotFound(404, "NotFound", name)
        return Resource(self.stored[name])

    @staticmethod
    def taken_over(resource: Resource) -> Resource:
        return resource

    async def write_status(self, resource: Resource, status: Json) -> Resource:
        self._store({**self.stored[resource.name], "status": status})
        return Resource(self.stored[resource.name])

    async def perform(self, action: Do | Undo, saga: Any, *_: object) -> Outcome:
        started = self.now()
        step, undo = action.step.name, isinstance(action, Undo)
        self.calls.append((saga.order.order_id, f"{'undo' if undo else 'do'} {step}", started - NOW))
        await asyncio.sleep(self.seconds)
        times: Any = {"step": step, "started": started, "at": self.now()}
        if action.step.participant == self.down:
            return NoUsableAnswer(**times, undo=undo, reason=reasons.UNAVAILABLE, retry_after=self._retry_after)
        return Undone(**times) if undo else Succeeded(**times, external_id=f"{step}-1")

    def worker(self, name: str) -> Any:
        return self.engine._workers[f"uid-{name}"]


def story(told: Callable[[World], Coroutine[Any, Any, None]], *, world: type[World] = World, **options: Any) -> None:
    make = world

    async def main() -> None:
        world = make(**options)
        await told(world)
        await world.engine.stop()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    simulated(main())


def test_a_saga_that_waits_leaves_no_task_and_little_memory_and_goes_on_when_its_time_comes() -> None:
    async def told(world: World) -> None:
        world.show("o-1", retry=AN_HOUR)
        await asyncio.sleep(10)
        worker = world.worker("o-1")
        assert worker.is_resting
        assert worker.task is None
        assert len(worker._rest.packed) < 4_000
        assert (worker.phase, worker.saga["inventory"].reason) == (Phase.RUNNING, reasons.UNAVAILABLE)
        world.down = ""
        await asyncio.sleep(1850)
        assert [call for _, call, _ in world.calls] == [
            "do order",
            "do inventory",
            "do inventory",
            "do payment",
            "do shipping",
            "do confirmation",
            "do notification",
        ]
        assert world.stored["o-1"]["status"]["phase"] == "Completed"
        assert not world.engine.workers

    story(told)


def test_a_saga_that_waits_keeps_nothing_of_the_event_that_it_began_with() -> None:
    """As kopf has it: the event stands in the context in which the handler is called."""

    class Event:
        pass

    of_the_handler: ContextVar[Event] = ContextVar("of_the_handler")

    async def told(world: World) -> None:
        def handler() -> weakref.ref[Event]:
            event = Event()
            of_the_handler.set(event)
            world.show("o-1", retry=AN_HOUR)
            return weakref.ref(event)

        event = copy_context().run(handler)
        await asyncio.sleep(10)
        assert world.worker("o-1").is_resting
        gc.collect()
        assert event() is None

    story(told)


def test_what_the_watch_leaves_behind_is_collected_while_sagas_are_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """kopf's events refer to themselves: without that they are there until the collector looks at all that is old."""
    monkeypatch.setattr(engine, "COLLECT_EVERY", 3)

    class Event:
        itself: Any

    async def told(world: World) -> None:
        event = Event()
        event.itself = event
        left_behind = weakref.ref(event)
        del event
        for number in range(3):
            assert left_behind() is not None
            world.show(f"o-{number}")
        assert left_behind() is None

    gc.disable()
    try:
        story(told)
    finally:
        gc.enable()


def test_a_change_of_its_resource_wakes_it_and_what_it_knows_already_does_not() -> None:
    async def told(world: World) -> None:
        world.show("o-1", retry=AN_HOUR)
        await asyncio.sleep(10)
        world.engine.resource_seen(Resource(world.stored["o-1"]))
        assert world.worker("o-1").is_resting
        world.down = ""
        world.show("o-1", state="Cancelled")
        await asyncio.sleep(5)
        assert world.stored["o-1"]["status"]["phase"] == "Compensated"

    story(told)


def test_its_turn_at_a_participant_wakes_it() -> None:
    """One call at a time, and each takes a minute: the others rest in the line."""

    async def told(world: World) -> None:
        world.down, world.seconds = "", 60.0
        for number in range(3):
            world.show(f"o-{number}")
        await asyncio.sleep(30)
        assert [world.worker(f"o-{number}").is_resting for number in range(3)] == [False, True, True]
        await asyncio.sleep(20 * 60)
        assert not world.engine.workers
        first = [at for _, call, at in world.calls if call == "do order"]
        assert [round(at) for at in first] == [0, 60, 120], "each as soon as it is its turn"

    story(told, concurrency=1)


def test_a_participant_that_goes_down_wakes_those_who_wait_so_that_they_say_so() -> None:
    async def told(world: World) -> None:
        for number in range(8):
            world.show(f"o-{number}", retry=AN_HOUR)
        await asyncio.sleep(60)
        conditions = [
            {each["type"] for each in world.stored[f"o-{number}"]["status"]["conditions"]} for number in range(8)
        ]
        assert all("WaitingForDownstream" in each for each in conditions[5:])
        assert all(world.worker(f"o-{number}").is_resting for number in range(8))

    story(told)


def test_one_whose_resource_may_be_gone_is_woken_to_look() -> None:
    async def told(world: World) -> None:
        world.show("o-1", retry=AN_HOUR)
        await asyncio.sleep(10)
        world.engine.resource_deleted(Resource(world.stored["o-1"]))
        assert not world.worker("o-1").is_resting
        await asyncio.sleep(10)
        assert world.worker("o-1").is_resting, "it is still there"
        world.engine.stop_worker("uid-o-1")
        assert not world.engine.workers
        await asyncio.sleep(2000)
        assert len(world.calls) == 2

    story(told)


def test_when_all_come_in_at_once_nobody_waits_awake() -> None:
    async def told(world: World) -> None:
        number = 3 * resting.CROWD
        for each in range(number):
            world.show(f"o-{each}", retry=AN_HOUR)
        await asyncio.sleep(0.9)
        assert world.shared.awake.count < number / 2
        await asyncio.sleep(60)
        assert world.shared.awake.count == 0

    story(told)


def test_while_its_record_is_on_its_way_nobody_looks_again_and_again_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0

    def counted(saga: Saga, now: float) -> Action:
        nonlocal looks
        looks += 1
        assert looks < 1_000, "that never ends"
        return decide(saga, now)

    class Slow(World):
        async def write_status(self, resource: Resource, status: Json) -> Resource:
            await asyncio.sleep(20)
            return await super().write_status(resource, status)

    async def told(world: World) -> None:
        world.show("o-1", retry=AN_HOUR)
        await asyncio.sleep(90)
        assert world.worker("o-1").is_resting

    monkeypatch.setattr(resting, "CROWD", 0)
    monkeypatch.setattr(worker, "decide", counted)
    story(told, world=Slow)
    assert looks < 100


@pytest.mark.parametrize("gone", [False, True])
def test_one_that_cant_be_woken_begins_anew(monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    def no_memory(_: bytes) -> None:
        monkeypatch.undo()
        raise MemoryError

    async def told(world: World) -> None:
        world.show("o-1", retry=AN_HOUR)
        await asyncio.sleep(10)
        assert world.worker("o-1").is_resting
        monkeypatch.setattr(resting, "_unpack", no_memory)
        if gone:
            del world.stored["o-1"]
        else:
            world.down = ""
            world.show("o-1", state="Cancelled")
            assert world.engine.before_list().versions
        await asyncio.sleep(2000)
        assert not world.engine.workers
        assert gone or world.stored["o-1"]["status"]["phase"] == "Compensated"

    story(told)


def test_what_a_saga_knows_beyond_its_record_survives_a_rest() -> None:
    """The epoch was refused, the history has an entry: nothing of it stands in the status yet."""

    async def told(world: World) -> None:
        world.show("o-1", retry=AN_HOUR)
        await asyncio.sleep(0.5)
        worker = world.worker("o-1")._worker
        worker._epochs_refused = 3
        before = {**worker._recorder.memory()}
        await asyncio.sleep(10)
        assert world.worker("o-1").is_resting
        world.worker("o-1").look()
        after = world.worker("o-1")._worker
        assert after._epochs_refused == 3
        assert after.pace is worker.pace
        changed = {name for name, value in after._recorder.memory().items() if before.get(name) != value}
        assert changed <= {"_unrecorded", "_unanswered"}, "those are compared by identity, and are empty"

    story(told)


def test_when_a_saga_ends_the_end_of_its_time_to_live_is_noted() -> None:
    async def told(world: World) -> None:
        world.down = ""
        world.show("o-1", ttlSecondsAfterFinished=600)
        await asyncio.sleep(60)
        assert world.expiries.take(world.now() + 500, 10) == []
        assert world.expiries.take(world.now() + 600, 10) == ["o-1"]

    story(told)
