"""What becomes of an attempt when the API server's answer to its record is lost, or another process wrote first."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from common.kube import ApiUnavailable, Conflict, Events, OrderSagas
from common.wire import Json
from saga_operator.clock import Clock
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.records.recorder import StatusRecorder
from saga_operator.engine.records.write_room import LATEST
from saga_operator.process.events import Event, NoUsableAnswer, Outcome, Succeeded
from saga_operator.process.order import DEFAULT_COMPENSATIONS
from saga_operator.process.saga import Saga
from saga_operator.resource.body import Resource
from saga_operator.resource.status import saga_of, status_of
from saga_operator.resource.times import to_wire
from tests.support.samples import order
from tests.unit.engine.network import simulated
from tests.unit.process.builders import (
    CREATED,
    NOW,
    STEPS,
    after,
    before,
    closed,
    in_progress,
    lost,
    new_saga,
    paused,
    refused,
    seen,
)


class OneSaga:
    """An API server with one resource in it. `before` and `lose` happen to the next status write, once."""

    def __init__(self, saga: Saga) -> None:
        metadata = {"namespace": "shop", "uid": "u-1", "generation": 1, "creationTimestamp": to_wire(CREATED)}
        status = status_of(saga, now=NOW, generation=1, previous={})
        sample = order("o-1001")
        self.raw: Json = {**sample, "metadata": {**sample["metadata"], **metadata}, "status": status}
        self.version = 1
        self.lose = False
        self.before: Callable[[], object] = lambda: None

    def _read(self) -> Json:
        return {**self.raw, "metadata": {**self.raw["metadata"], "resourceVersion": str(self.version)}}

    async def get(self, name: str) -> Json:
        return self._read()

    def written(self, **changed: Any) -> None:
        self.raw, self.version = {**self.raw, **changed}, self.version + 1

    async def replace_status(self, name: str, uid: str, resource_version: str, status: Json) -> Json:
        before, self.before = self.before, lambda: None
        before()
        if resource_version != str(self.version):
            raise Conflict(409, "Conflict", "changed meanwhile")
        self.written(status=status)
        if self.lose:
            self.lose = False
            raise ApiUnavailable(0, "NoAnswer", "the answer was lost")
        return self._read()


class NoEvents:
    async def create(self, *_: object, **__: object) -> None:
        """Nobody reads them."""


def recorder_of(api: OneSaga) -> StatusRecorder:
    writer = ApiWriter(cast(OrderSagas, api), max_writes=1)
    sender = EventSender(cast(Events, NoEvents()))
    resource = Resource(api._read())
    return StatusRecorder(resource, writer, sender, Clock(), lambda: None, compensations=DEFAULT_COMPENSATIONS)


SAGA_AT_PAYMENT = before("payment")


def attempts(saga: Saga, step: str, undo: bool) -> int:
    return saga[step].compensation.attempts if undo else saga[step].attempts


@pytest.mark.parametrize(("undo", "step"), [(False, "payment"), (True, "shipping")])
async def test_an_attempt_counts_once_when_the_answer_to_its_record_is_lost(undo: bool, step: str) -> None:
    saga = closed() if undo else SAGA_AT_PAYMENT
    api = OneSaga(saga)
    recorder = recorder_of(api)
    recorder.apply_outcome(lost(step, undo=undo))
    api.lose = True
    await recorder.write()
    assert (attempts(recorder.saga, step, undo), attempts(recorder.recorded, step, undo)) == (1, 1)
    recorder.apply_outcome(lost(step, undo=undo))
    await recorder.write()
    assert attempts(saga_of(Resource(api._read())), step, undo) == 2


async def test_what_came_up_while_the_answer_was_lost_is_recorded_too() -> None:
    api = OneSaga(SAGA_AT_PAYMENT)
    recorder = recorder_of(api)
    recorder.apply_outcome(lost("payment"))
    api.lose = True
    api.before = lambda: recorder.apply_outcome(lost("payment"))
    await recorder.write()
    await recorder.write()
    assert attempts(recorder.saga, "payment", False) == 2
    assert attempts(saga_of(Resource(api._read())), "payment", False) == 2


async def test_no_attempt_is_lost_when_another_process_wrote_first() -> None:
    api = OneSaga(SAGA_AT_PAYMENT)
    recorder = recorder_of(api)
    recorder.apply_outcome(lost("payment"))
    theirs = status_of(after(SAGA_AT_PAYMENT, lost("payment", at=NOW + 3)), now=NOW, generation=1, previous={})
    api.before = lambda: api.written(status=theirs)
    await recorder.write()
    await recorder.write()
    assert attempts(saga_of(Resource(api._read())), "payment", False) == 2


async def test_a_lost_answer_keeps_what_is_in_memory_only() -> None:
    api = OneSaga(SAGA_AT_PAYMENT)
    recorder = recorder_of(api)
    recorder.apply_outcome(in_progress("payment", wait=600.0))
    api.lose = True
    await recorder.write()
    assert recorder.saga["payment"].retry_at == NOW + 600.0
    assert recorder.saga["payment"].location


def in_one_row(recorder: StatusRecorder, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        recorder.apply_outcome(outcome)
        recorder.write_beside()


def succeeded(*steps: str) -> list[Outcome]:
    return [Succeeded(step=step, started=NOW, at=NOW) for step in steps]


def test_a_saga_that_ends_soon_is_written_once() -> None:
    async def run() -> None:
        api = OneSaga(new_saga())
        recorder = recorder_of(api)
        in_one_row(recorder, *succeeded(*STEPS))
        await recorder.write()
        await asyncio.sleep(2 * LATEST)
        assert (api.version, api.raw["status"]["phase"]) == (2, "Completed")

    simulated(run())


def test_progress_is_written_soon_without_anybody_who_waits_for_it() -> None:
    async def run() -> None:
        api = OneSaga(new_saga())
        recorder = recorder_of(api)
        for number, step in enumerate(STEPS, 1):
            in_one_row(recorder, *succeeded(step))
            await asyncio.sleep(0.25)
            assert api.raw["status"]["stepsSummary"] == f"{number}/6"

    simulated(run())


@pytest.mark.parametrize(
    "event",
    [
        refused("payment"),
        seen("Suspended"),
        paused("payment"),
        NoUsableAnswer.participant_error(lost("payment"), undo=False, message="400"),
    ],
)
async def test_what_people_wait_for_is_written_at_once(event: Event) -> None:
    api = OneSaga(before("payment"))
    recorder = recorder_of(api)
    recorder.apply(event)
    recorder.write_beside()
    assert recorder.is_writing
    await recorder.wait_for_write()
    assert recorder.recorded == recorder.saga


async def test_that_a_change_of_the_spec_was_seen_is_written_at_once() -> None:
    api = OneSaga(before("payment"))
    recorder = recorder_of(api)
    api.raw["metadata"]["generation"] = 2
    recorder.adopt(Resource(api._read()))
    recorder.write_beside()
    await recorder.wait_for_write()
    assert api.raw["status"]["observedGeneration"] == 2


def test_progress_that_comes_up_during_another_write_gives_way_as_well() -> None:
    async def run() -> None:
        api = OneSaga(before("payment"))
        recorder = recorder_of(api)
        recorder.apply(seen("Suspended"))
        api.before = lambda: recorder.apply_outcome(succeeded("payment")[0])
        recorder.write_beside()
        await recorder.wait_for_write()
        assert api.version == 2
        await asyncio.sleep(0.25)
        assert api.version == 3

    simulated(run())
