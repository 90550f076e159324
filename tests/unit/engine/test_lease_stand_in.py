"""Who works where there can be no Lease: sagas in memory that can be patched as at the API server, and a clock."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from common.kube import ApiUnavailable, Conflict, ObjectNotFound, Terminating
from common.kube.resources import ObjectPage
from common.wire import Json
from saga_operator import lease
from saga_operator.heartbeats import Heartbeats
from saga_operator.lease import LeaseHolder
from saga_operator.lease_stand_in import MARK, LeaseStandIn, Mark, mark_of
from saga_operator.resource.body import Resource
from saga_operator.settings import Settings
from tests.unit.engine.network import simulated

ON_ITS_WAY = 0.05
"""Seconds that each request takes: others come in between."""


class Ended(Exception):  # noqa: N818 - it reads as what happened
    """In place of the end of the process."""


class NoLeases:
    """The Leases of a namespace that is being deleted."""

    async def get(self, name: str) -> Json:
        await asyncio.sleep(ON_ITS_WAY)
        raise ObjectNotFound(404, "NotFound", name)

    async def create(self, *_: Any, **__: Any) -> Json:
        await asyncio.sleep(ON_ITS_WAY)
        raise Terminating(403, "Forbidden", "being terminated")

    async def update(self, lease: Json) -> Json:
        if "resourceVersion" in lease["metadata"]:
            return await self.get("l")
        return await self.create()  # an update makes a Lease where there is none


class LiveSagas:
    """They stand still; their versions rise with each patch, which is conditional."""

    def __init__(self, *names: str) -> None:
        self.found = {name: {"name": name, "uid": f"u-{name}", "resourceVersion": "1"} for name in names}
        self.is_away = False

    async def list(self, field_selector: str, limit: int = 500) -> AsyncIterator[ObjectPage]:
        await asyncio.sleep(ON_ITS_WAY)
        items = [{"metadata": dict(self.found[name])} for name in sorted(self.found)]
        for first in range(0, len(items) or 1, limit):
            yield ObjectPage(items[first : first + limit], "1")

    async def patch(self, name: str, body: Json) -> Json:
        await asyncio.sleep(ON_ITS_WAY)
        if self.is_away:
            raise ApiUnavailable(0, "NoAnswer", "hangs")
        metadata: dict[str, Any] = self.found[name]
        if body["metadata"].pop("resourceVersion") != metadata["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed")
        metadata |= body["metadata"] | {"resourceVersion": str(int(metadata["resourceVersion"]) + 1)}
        return {"metadata": metadata}

    def marked_by(self, name: str) -> Mark:
        return mark_of(Resource({"metadata": self.found[name]}), time.time())


class World:
    """A namespace with live sagas and without a Lease. Made inside the event loop, whose time is everybody's."""

    def __init__(self, *names: str) -> None:
        self.sagas = LiveSagas(*names)
        self.loop = asyncio.get_running_loop()
        self.began = time.time()

    def holder(self, identity: str) -> LeaseHolder:
        return LeaseHolder(
            NoLeases(),  # type: ignore[arg-type]
            Settings(identity=identity),
            lambda: self.began + self.loop.time(),
            self.loop.time,
            stand_in=LeaseStandIn(self.sagas),  # type: ignore[arg-type]
            heartbeats=Heartbeats(self.loop.time),
        )


async def working(holder: LeaseHolder) -> None:
    await holder.acquire()
    await holder.keep_renewed()


def after(holder: LeaseHolder) -> Mark:
    return Mark(holder.epoch, holder._identity)


@pytest.fixture(autouse=True)
def end(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_: int) -> None:
        raise Ended

    monkeypatch.setattr(lease.os, "_exit", ended)
    monkeypatch.setattr(lease.logging, "shutdown", lambda: None)


def test_nobody_begins_while_another_works_though_the_sagas_stand_still() -> None:
    async def story() -> None:
        world = World("o-1", "o-2")
        leader, follower = world.holder("a"), world.holder("b")
        leading = asyncio.create_task(working(leader))
        await asyncio.sleep(15)
        assert leader.is_held
        following = asyncio.create_task(follower.acquire())
        for _ in range(600):
            await asyncio.sleep(1)
            assert leader.is_held
            assert not following.done()
        assert world.sagas.marked_by("o-1") == after(leader)
        leading.cancel()  # its host has died
        await asyncio.wait_for(following, 30)
        assert follower.epoch > leader.epoch
        assert not leader.is_held

    simulated(story())


def test_of_two_that_begin_at_the_same_moment_one_works() -> None:
    async def story() -> None:
        world = World("o-1")
        holders = [world.holder(identity) for identity in "abc"]
        tasks = [asyncio.create_task(working(holder)) for holder in holders]
        await asyncio.sleep(120)
        assert [holder.is_held for holder in holders].count(True) == 1
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()

    simulated(story())


def test_of_two_that_work_the_one_with_the_lower_epoch_ends() -> None:
    """One that was paused for longer than a Lease lasts finds that another works, and doesn't argue by its epoch."""

    async def story() -> None:
        world = World("o-1")
        paused, other = world.holder("a"), world.holder("b")
        await paused.acquire()
        await other.acquire()
        working_on = asyncio.create_task(other.keep_renewed())
        await asyncio.sleep(5)
        before = paused.epoch
        with pytest.raises(Ended):
            await paused.raise_epoch(other.epoch)
        assert paused.epoch == before
        assert other.is_held
        working_on.cancel()

    simulated(story())


def test_who_can_not_show_that_it_works_is_sure_of_nothing() -> None:
    async def story() -> None:
        world = World("o-1")
        holder = world.holder("a")
        leading = asyncio.create_task(working(holder))
        await asyncio.sleep(15)
        assert holder.is_held
        world.sagas.is_away = True
        await asyncio.sleep(10)
        assert not holder.is_held
        world.sagas.is_away = False
        await asyncio.sleep(3)
        assert holder.is_held
        leading.cancel()

    simulated(story())


def test_when_the_marked_saga_has_ended_another_is_marked() -> None:
    async def story() -> None:
        world = World("o-1", "o-2")
        leader, follower = world.holder("a"), world.holder("b")
        tasks = [asyncio.create_task(working(leader)), asyncio.create_task(asyncio.sleep(0))]
        await asyncio.sleep(15)
        tasks.append(asyncio.create_task(working(follower)))
        del world.sagas.found["o-1"]
        await asyncio.sleep(60)
        assert world.sagas.marked_by("o-2") == after(leader)
        assert not follower.is_held
        del world.sagas.found["o-2"]
        await asyncio.sleep(60)
        assert leader.is_held, "there is nothing left to work on, and nothing to mark"
        for task in tasks:
            task.cancel()

    simulated(story())


@pytest.mark.parametrize(
    "text", ["", "x", "12", "12 34", "-1 2.0 b", f"{'9' * 19} 2.0 b", "9" * 400, 7, None, ["1 2.0 b"], "١ 2.0 b"]
)
def test_what_no_operator_has_written_is_no_mark(text: object) -> None:
    saga: Json = {"metadata": {"name": "o-1", "annotations": {MARK: text}}}
    assert mark_of(Resource(saga), time.time()) == Mark()
    assert mark_of(Resource({"metadata": {"annotations": text}}), time.time()) == Mark()
    assert mark_of(None, time.time()) == Mark()


def test_an_epoch_that_somebody_else_has_marked_is_exceeded() -> None:
    async def story() -> None:
        world = World("o-1")
        theirs = int(world.began * 1000) + 3_600_000
        world.sagas.found["o-1"]["annotations"] = {MARK: f"{theirs} 1.0 somebody"}  # type: ignore[assignment]
        holder = world.holder("a")
        await asyncio.wait_for(holder.acquire(), 60)
        assert holder.epoch == theirs + 1

    simulated(story())
