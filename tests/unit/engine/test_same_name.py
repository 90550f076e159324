"""A resource that is deleted and made again while its participant has no room: two workers of one name for a moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from common.order_saga import FINALIZER
from common.wire import Json
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.records.write_room import WriteRoom
from saga_operator.engine.shared import Shared
from saga_operator.engine.worker import Worker
from saga_operator.process.order import CompensationPolicy
from saga_operator.resource.body import Resource
from saga_operator.resource.times import to_wire
from tests.support.samples import order
from tests.unit.engine.network import simulated
from tests.unit.process.builders import CREATED, NOW


def resource(uid: str, version: int) -> Json:
    sample = order("o-1")
    metadata = {"namespace": "shop", "uid": uid, "resourceVersion": str(version), "generation": 1}
    metadata |= {"creationTimestamp": to_wire(CREATED), "finalizers": [FINALIZER]}
    return {**sample, "metadata": {**sample["metadata"], **metadata}, "status": {}}


class Around:
    """Everything that the workers share besides the breakers. Every call of a participant goes on for ever."""

    offset = 0.0

    def __init__(self) -> None:
        self.latest = {"old": resource("old", 1), "new": resource("new", 100)}
        self.called: list[str] = []
        self.room = WriteRoom()

    def now(self) -> float:
        return NOW

    def add(self, *_: object, **__: object) -> None:
        """No Event is looked at."""

    def absences(self, _: float) -> tuple[()]:
        return ()

    def epoch_for(self, _: str) -> int:
        return 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        yield

    call = turn

    async def read(self, _: str) -> Resource:
        return Resource(self.latest["new"])

    @staticmethod
    def taken_over(resource: Resource) -> Resource:
        return resource

    async def write_status(self, resource: Resource, status: Json) -> Resource:
        version = resource.resource_version
        uid = next(uid for uid, raw in self.latest.items() if raw["metadata"]["resourceVersion"] == version)
        raw = self.latest[uid]
        metadata = {**raw["metadata"], "resourceVersion": str(int(version) + 1)}
        self.latest[uid] = {**raw, "metadata": metadata, "status": status}
        return Resource(self.latest[uid])

    async def perform(self, action: Any, *_: object) -> None:
        self.called.append(action.step.name)
        await asyncio.Event().wait()


def test_the_end_of_the_old_one_does_not_take_the_place_of_the_new_one() -> None:
    async def main() -> None:
        around = Around()
        part = cast(Any, around)
        breaker = CircuitBreaker("order", now=around.now, concurrency=1, rate=0)
        shared = Shared(part, part, part, part, part, {"order": breaker}, CompensationPolicy(20, 900.0))
        assert breaker.take("another", lambda: None, undo=False)
        old, new = (Worker(Resource(around.latest[uid]), shared) for uid in ("old", "new"))
        tasks = [asyncio.create_task(old.run())]
        await asyncio.sleep(0.2)
        tasks.append(asyncio.create_task(new.run()))
        await asyncio.sleep(0.2)
        old.doubt()
        await asyncio.sleep(0.2)
        assert tasks[0].done()
        assert around.called == []
        with breaker.call("another"):
            pass
        await asyncio.sleep(5)
        assert around.called == ["order"], "it is the new one's turn"
        tasks[1].cancel()

    simulated(main())
