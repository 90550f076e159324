"""The Participant resources are followed at a pace, whatever stands in the API server's place."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from common.kube import Forbidden, ObjectNotFound, ObjectPage
from common.wire import Json
from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.participant_resources import FIRST_LOOK, ParticipantFollower
from saga_operator.resource.participant import Terms
from tests.unit.engine.network import simulated


class Resources:
    """An API server without Participants, whose watches end at once."""

    def __init__(self, *, error: Exception | None = None, hangs: bool = False) -> None:
        self.lists = 0
        self._error, self._hangs = error, hangs

    async def apply(self, name: str, spec: Json) -> Json:
        raise Forbidden(403, "Forbidden", "may not")

    async def list(self) -> ObjectPage:
        self.lists += 1
        assert self.lists < 1000, "that never ends"
        if self._hangs:
            await asyncio.sleep(3600)
        if self._error is not None:
            raise self._error
        return ObjectPage([], "7")

    async def watch(self, version: str, *, seconds: int) -> AsyncIterator[tuple[str, Json]]:
        for change in ():
            yield change


def follower(resources: Resources) -> ParticipantFollower:
    nothing = cast(Any, None)
    return ParticipantFollower(cast(Any, resources), {}, nothing, {}, clock=nothing, events=nothing)


async def followed(resources: Resources, seconds: float) -> None:
    task = asyncio.create_task(follower(resources).run())
    await asyncio.sleep(seconds)
    assert not task.done()
    task.cancel()


def test_a_watch_that_ends_at_once_is_begun_again_after_a_pause() -> None:
    resources = Resources()
    simulated(followed(resources, 20))
    assert 5 < resources.lists < 15


def test_one_that_is_deleted_is_made_anew_within_seconds() -> None:
    made: list[float] = []

    class Deleted(Resources):
        """Its only participant is deleted ten seconds after each list."""

        async def apply(self, name: str, spec: Json) -> Json:
            made.append(asyncio.get_running_loop().time())
            return {}

        async def watch(self, version: str, *, seconds: int) -> AsyncIterator[tuple[str, Json]]:
            await asyncio.sleep(10)
            yield "DELETED", {"metadata": {"name": "payment"}}
            await asyncio.sleep(seconds)

    async def main() -> None:
        terms = {"payment": Terms("http://payment", "payment", timeout=1.0, concurrency=1)}
        breaker = CircuitBreaker("payment", now=lambda: 0.0, concurrency=1, rate=0.0)
        nothing = cast(Any, None)
        parts = {"clock": nothing, "events": nothing}
        follows = ParticipantFollower(cast(Any, Deleted()), terms, nothing, {"payment": breaker}, **parts)
        task = asyncio.create_task(follows.run())
        await asyncio.sleep(15)
        task.cancel()

    simulated(main())
    assert len(made) == 2


def test_without_the_kind_it_is_looked_for_once_a_minute() -> None:
    resources = Resources(error=ObjectNotFound(404, "NotFound", "no such kind"))
    simulated(followed(resources, 600))
    assert 9 <= resources.lists <= 11


def test_an_api_server_that_hangs_holds_up_the_first_call_for_seconds_and_not_for_ever() -> None:
    async def main() -> None:
        begins = follower(Resources(hangs=True))
        task = asyncio.create_task(begins.run())
        began = asyncio.get_running_loop().time()
        await begins.first_look()
        assert asyncio.get_running_loop().time() - began == FIRST_LOOK
        task.cancel()

    simulated(main())


def test_a_watch_that_may_not_be_made_is_tried_ever_more_seldom() -> None:
    resources = Resources(error=ValueError("an answer of a gateway"))
    simulated(followed(resources, 600))
    assert 10 <= resources.lists <= 20


def test_a_status_that_can_not_be_written_ends_nothing_and_is_tried_ever_more_seldom() -> None:
    resource = {"metadata": {"name": "payment", "generation": 1, "resourceVersion": "3"}, "spec": {}}
    writes: list[float] = []

    class Refuses(Resources):
        async def list(self) -> ObjectPage:
            return ObjectPage([resource], "7")

        async def patch_status(self, name: str, status: Json) -> Json:
            writes.append(asyncio.get_running_loop().time())
            raise KeyError("nobody has thought of that")

    class Sagas:
        def change(self, name: str, terms: Terms) -> None: ...

    class Clock:
        def now(self) -> float:
            return 0.0

    async def main() -> None:
        breaker = CircuitBreaker("payment", now=lambda: 0.0, concurrency=1, rate=0.0)
        terms = {"payment": Terms("http://payment", "payment", timeout=1.0, concurrency=1)}
        parts = {"clock": cast(Any, Clock()), "events": cast(Any, None)}
        task = asyncio.create_task(
            ParticipantFollower(cast(Any, Refuses()), terms, cast(Any, Sagas()), {"payment": breaker}, **parts).run()
        )
        await asyncio.sleep(600)
        assert not task.done()
        task.cancel()

    simulated(main())
    assert 8 <= len(writes) <= 20
