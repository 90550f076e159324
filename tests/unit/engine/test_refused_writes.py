"""A write that is refused or fails unexpectedly is told, and tried ever less often; it costs its own saga alone."""

import asyncio
import gc
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.kube import Events, Forbidden, KubeError, ObjectInvalid, OrderSagas
from common.wire import Json
from saga_operator.clock import Clock
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.duties import Duties
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.records.recorder import StatusRecorder
from saga_operator.engine.records.unrecorded import KEPT
from saga_operator.process.events import NoUsableAnswer, Succeeded
from saga_operator.process.order import DEFAULT_COMPENSATIONS
from saga_operator.process.saga import Saga
from saga_operator.process.step_record import StepState
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from tests.support.samples import order
from tests.unit.engine.network import simulated
from tests.unit.process.builders import NOW, lost

HOUR = 3600.0
MOST_IN_AN_HOUR = 300
"""Attempts: one every 15 to 30 seconds, and some more in the beginning."""
FORBIDDEN = Forbidden(403, "Forbidden", "a policy is against it")
INVALID = ObjectInvalid(422, "Invalid", "a rule is against it")


def sample(name: str = "o-1001", *, finalizer: bool = True) -> Json:
    raw = order(name, finalizers=("ordersaga.io/compensation",) if finalizer else ())
    about = {"namespace": "shop", "uid": f"u-{name}", "generation": 1, "resourceVersion": "1"}
    raw["metadata"] |= {**about, "creationTimestamp": "2026-11-28T00:00:00Z"}
    return raw


class Refusing:
    """An API server that answers every write with this error."""

    namespace = "shop"

    def __init__(self, error: Exception, *, finalizer: bool = True) -> None:
        self.error = error
        self.writes = 0
        self.raw = sample(finalizer=finalizer)

    async def get(self, name: str) -> Json:
        return self.raw

    async def patch(self, *_: object) -> Json:
        self.writes += 1
        if self.writes > MOST_IN_AN_HOUR:
            raise AssertionError("a hot loop")
        raise self.error.with_traceback(None)  # it would keep what all calls before have seen

    replace_status = patch


class Told:
    """The Events that people would see."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def add(self, _: Resource, event: KubernetesEvent) -> None:
        self.reasons.append(event.reason)


def alive() -> Counter[type]:
    """How many objects of each type there are."""
    gc.collect()
    return Counter(type(each) for each in gc.get_objects())


def recorder_of(api: Refusing, told: Told, changed: asyncio.Event) -> StatusRecorder:
    writer = ApiWriter(cast(OrderSagas, api), max_writes=1)
    events, resource = cast(EventSender, told), Resource(api.raw)
    return StatusRecorder(resource, writer, events, Clock(), changed.set, compensations=DEFAULT_COMPENSATIONS)


@pytest.mark.parametrize("error", [FORBIDDEN, INVALID])
def test_a_status_that_is_refused_for_an_hour_is_one_event_and_no_hot_loop(error: KubeError) -> None:
    api, told = Refusing(error), Told()

    async def an_hour() -> None:
        recorder = recorder_of(api, told, asyncio.Event())
        recorder.apply_outcome(lost("order"))
        while True:
            await recorder.write()

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(an_hour(), HOUR)

    simulated(run())
    assert told.reasons.count("RecordRefused") == 1
    assert 100 < api.writes <= MOST_IN_AN_HOUR


@pytest.mark.parametrize("error", [FORBIDDEN, INVALID])
def test_a_record_that_is_refused_for_days_takes_a_bounded_memory_and_what_counts_is_known(error: KubeError) -> None:
    api, calls, before = Refusing(error), 600, alive()
    recorder = recorder_of(api, Told(), asyncio.Event())

    async def run() -> None:
        recorder.apply_outcome(Succeeded(step="order", started=NOW, at=NOW))
        for call in range(calls):
            recorder.apply_outcome(lost("inventory", at=NOW + 30 * call))
            recorder.write_beside()
            await asyncio.sleep(30)
            api.writes = 0
        recorder.stop()
        await recorder.wait_for_write()

    simulated(run())
    added = alive() - before
    assert added[NoUsableAnswer] <= KEPT + 10
    assert added[Saga] <= 30
    api.raw["metadata"]["resourceVersion"] = "2"
    api.raw["status"] = {"observedGeneration": 1}
    recorder.adopt(Resource(api.raw))  # another process wrote it: all is decided again
    assert recorder.saga["order"].state is StepState.SUCCEEDED
    inventory = recorder.saga["inventory"]
    assert (inventory.start, inventory.attempts) == (NOW, KEPT)
    assert inventory.retry_at >= NOW + 30 * (calls - 1)


def test_a_finalizer_that_is_refused_for_an_hour_is_one_event_and_no_hot_loop() -> None:
    api, told = Refusing(FORBIDDEN, finalizer=False), Told()

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(recorder_of(api, told, asyncio.Event()).ensure_finalizer(), HOUR)

    simulated(run())
    assert told.reasons == ["RecordRefused"]
    assert 100 < api.writes <= MOST_IN_AN_HOUR


async def test_an_error_in_a_write_beside_the_calls_wakes_its_worker_which_finds_it() -> None:
    api, changed = Refusing(ZeroDivisionError("a defect")), asyncio.Event()
    recorder = recorder_of(api, Told(), changed)
    recorder.apply_outcome(lost("order"))
    recorder.write_beside()
    await asyncio.wait_for(changed.wait(), 10)
    await recorder.wait_for_write()
    with pytest.raises(ZeroDivisionError):
        recorder.raise_if_gone()


async def test_an_event_that_cannot_be_sent_keeps_no_other() -> None:
    sent = asyncio.Event()

    async def create(_: Json, *, type_: str, reason: str, message: str, annotations: object) -> None:
        if reason == "Poisoned":
            raise ZeroDivisionError("a defect that this event alone meets")
        sent.set()

    sender = EventSender(cast(Events, SimpleNamespace(create=create)))
    for reason in ("Poisoned", "Good"):
        sender.add(Resource(sample()), KubernetesEvent("Normal", reason, "text"))
    sending = asyncio.create_task(sender.run())
    await asyncio.wait_for(sent.wait(), 10)
    sending.cancel()


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
def test_a_finalizer_that_cannot_be_taken_off_keeps_no_other(error: type[BaseException]) -> None:
    attempts: list[str] = []

    async def kept(resource: Resource) -> bool:
        attempts.append(resource.name)
        if resource.name.startswith("o-poisoned"):
            raise error("a defect that this resource alone meets")
        return True

    async def patch(name: str, _: Json) -> Json:
        return sample(name, finalizer=False)

    async def run() -> None:
        nothing: Any = SimpleNamespace(kept=kept, quiet_seconds=1.0)
        sagas = cast(OrderSagas, SimpleNamespace(patch=patch))
        queue = FinalizerQueue(ApiWriter(sagas, max_writes=1), sagas, nothing, Duties(nothing))
        working = asyncio.create_task(queue.run())
        names = [f"o-poisoned-{number}" for number in range(8)] + ["o-good"]  # more than there are workers
        for name in names:
            queue.add(name, f"u-{name}", urgent=True, resource=Resource(sample(name)))
        await asyncio.sleep(1)
        assert sorted(attempts) == sorted(names)
        working.cancel()

    simulated(run())


def test_a_finalizer_that_is_refused_is_tried_ever_less_often() -> None:
    api = Refusing(FORBIDDEN)

    async def run() -> None:
        async def kept(_: Resource) -> bool:
            return True

        nothing: Any = SimpleNamespace(kept=kept, quiet_seconds=1.0)
        sagas = cast(OrderSagas, api)
        queue = FinalizerQueue(ApiWriter(sagas, max_writes=1), sagas, nothing, Duties(nothing))
        working = asyncio.create_task(queue.run())
        queue.add("o-1001", "u-o-1001", urgent=True)
        await asyncio.sleep(HOUR)
        working.cancel()

    simulated(run())
    assert 10 <= api.writes <= 20
