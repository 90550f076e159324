"""The watch of the deletions of finished sagas, whatever stands in the API server's place."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from saga_operator.engine.deletions import Deletions
from tests.unit.engine.network import simulated


def test_a_watch_that_ends_at_once_is_begun_again_after_a_pause() -> None:
    class Sagas:
        async def version_now(self) -> str:
            return "7"

    class Ends(Deletions):
        begun = 0

        async def _lines(self) -> AsyncIterator[bytes]:
            self.begun += 1
            assert self.begun < 100, "that never ends"
            await asyncio.sleep(0)
            for line in ():
                yield line

    async def main() -> None:
        part = cast(Any, Sagas())
        deletions = Ends(part, part, part)
        watching = asyncio.create_task(deletions.run())
        await asyncio.sleep(20)
        watching.cancel()
        assert 5 < deletions.begun < 15

    simulated(main())
