"""The watch of the deletions of finished sagas, whatever stands in the API server's place."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from saga_operator.engine.deletions import Deletions
from saga_operator.engine.retention import Retention
from saga_operator.engine.timetable import Timetable
from tests.unit.engine.network import simulated


def test_a_watch_that_ends_at_once_is_begun_again_after_a_pause() -> None:
    class Sagas:
        async def version_now(self) -> str:
            return "7"

    class Ends(Deletions):
        begun = 0

        async def _changes(self) -> AsyncIterator[Any]:
            self.begun += 1
            assert self.begun < 100, "that never ends"
            await asyncio.sleep(0)
            for change in ():
                yield change

    async def main() -> None:
        part = cast(Any, Sagas())
        deletions = Ends(part, part, part)
        watching = asyncio.create_task(deletions.run())
        await asyncio.sleep(20)
        watching.cancel()
        assert 5 < deletions.begun < 15

    simulated(main())


def test_what_ends_while_the_ended_are_listed_is_not_forgotten() -> None:
    """The API server's list is as of the moment when it was asked."""
    expiries = Timetable()

    class Sagas:
        async def version_now(self) -> str:
            return "7"

    class Content:
        async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
            yield b'{"metadata": {}, "items": []}'

    class Answer:
        content = Content()

    class Clock:
        def now(self) -> float:
            return 100.0

    class Asks(Deletions):
        asked = 0

        @asynccontextmanager
        async def _all(self, query: Mapping[str, str]) -> AsyncIterator[Any]:
            self.asked += 1
            expiries.add("o-ends-now", 50.0)
            yield Answer()

    async def main() -> None:
        part = cast(Any, Sagas())
        deletions = Asks(part, part, Retention(part, part, part, cast(Any, Clock()), expiries=expiries, removals=part))
        deletions.look_at_all()
        await deletions._look()
        assert deletions.asked == 1
        assert expiries.take(100.0, 10) == ["o-ends-now"]

    simulated(main())
