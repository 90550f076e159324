"""A saga whose worker fails again and again: how often it is tried, and what its resource says."""

import asyncio
from collections.abc import Iterator
from typing import Any, ClassVar, cast

import pytest

from common.wire import Json
from saga_operator.engine import supervised
from saga_operator.engine.supervised import HEALTHY, SupervisedWorker
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from tests.unit.engine.network import simulated
from tests.unit.engine.test_refused_writes import sample


class Around:
    """What a worker shares with others."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.reasons: list[str] = []

    def now(self) -> float:
        return 0.0

    def add(self, _: Resource, event: KubernetesEvent) -> None:
        self.reasons.append(event.reason)

    async def read(self, name: str) -> Resource:
        return Resource(sample(name))

    async def write_status(self, resource: Resource, status: Json) -> Resource:
        self.said += [each["message"] for each in status["conditions"] if each["type"] == "WorkerFailed"]
        return Resource(sample(resource.name))


class Failing:
    """A worker that works for so long, then fails; one that has no more of these is done."""

    saga = None
    kept_trace = ""
    of: ClassVar[Iterator[tuple[float, BaseException]]]
    began: ClassVar[list[float]]

    def __init__(self, resource: Resource, _: object) -> None:
        self.resource = resource

    async def run(self) -> None:
        self.began.append(asyncio.get_running_loop().time())
        seconds, error = next(self.of, (0.0, None))
        await asyncio.sleep(seconds)
        if error is not None:
            raise error


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    monkeypatch.setattr(supervised, "Worker", Failing)
    for name in ("worker_started", "worker_ended"):
        monkeypatch.setattr(supervised.metrics, name, lambda *_, **__: None)
    return Around()


def run(around: Around, *failures: tuple[float, BaseException]) -> list[float]:
    """When the worker was begun."""
    Failing.of, Failing.began = iter(failures), []
    part = cast(Any, around)
    shared = supervised.Shared(part, part, part, part, part, {}, part)
    simulated(SupervisedWorker(Resource(sample()), shared).run())
    return Failing.began


def test_after_some_minutes_of_work_a_failure_is_the_first_of_its_row(around: Around) -> None:
    error = ValueError("a defect")
    began = run(around, *[(0.0, error)] * 9, (HEALTHY + 1, error), (0.0, error))
    assert [int(said.rpartition(": ")[2].rstrip(")")) for said in around.said] == [*range(1, 10), 1, 2]
    assert around.reasons == ["WorkerFailed"] * 2
    assert began[9] - began[8] > 60, "it has failed nine times at once"
    assert began[10] - began[9] < HEALTHY + 10, "it had worked well"


def test_a_cancellation_that_nobody_asked_for_is_a_failure_like_others(around: Around) -> None:
    assert len(run(around, (0.0, asyncio.CancelledError()))) == 2
    assert around.reasons == ["WorkerFailed"]


def test_a_cancellation_that_was_asked_for_ends_the_work(around: Around) -> None:
    async def main() -> None:
        Failing.of, Failing.began = iter([(3600.0, ValueError("never"))]), []
        part = cast(Any, around)
        task = asyncio.create_task(
            SupervisedWorker(Resource(sample()), supervised.Shared(part, part, part, part, part, {}, part)).run()
        )
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    simulated(main())
    assert around.reasons == []
