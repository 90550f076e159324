"""How often a resync runs, and when for the first time."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from common.kube import ObjectPage
from saga_operator.engine import resync
from saga_operator.engine.engine import Listing
from saga_operator.engine.resync import Resync, pause_after
from saga_operator.heartbeats import Heartbeats


def test_a_resync_comes_at_its_interval_while_it_is_quick() -> None:
    assert pause_after(took=0.2, interval=30) == 30


def test_a_resync_over_many_sagas_leaves_the_api_server_alone_for_longer() -> None:
    assert pause_after(took=4, interval=30) == 80


def test_one_slow_resync_does_not_put_off_the_next_without_end() -> None:
    assert pause_after(took=60, interval=30) == 300
    assert pause_after(took=60, interval=600) == 600


class Taking:
    """An engine that takes up sagas, and their list, which notes when it is asked for."""

    def __init__(self) -> None:
        self.taken_up_at = float("-inf")
        self.workers: dict[str, str] = {}
        self.listed = asyncio.Event()

    def before_list(self) -> Listing:
        return Listing(time.monotonic(), {}, 0)

    async def list(self, **_: Any) -> AsyncIterator[ObjectPage]:
        self.listed.set()
        pages: tuple[ObjectPage, ...] = ()
        for page in pages:
            yield page


@pytest.mark.parametrize(("first", "in_between"), [(60.0, False), (0.6, True)])
async def test_the_first_one_waits_while_the_watch_shows_the_sagas_but_not_without_end(
    monkeypatch: pytest.MonkeyPatch, first: float, in_between: bool
) -> None:
    monkeypatch.setattr(resync, "BEGINS", 0.3)
    monkeypatch.setattr(resync, "STILL", 0.2)
    monkeypatch.setattr(resync, "FIRST", first)
    part: Any = Taking()
    running = asyncio.create_task(Resync(part, part, heartbeats=Heartbeats(), interval=30.0).run())
    await asyncio.sleep(0.25)  # until then the watch shows nothing
    for _ in range(50):
        part.taken_up_at = time.monotonic()
        await asyncio.sleep(0.02)
    assert part.listed.is_set() is in_between
    async with asyncio.timeout(20):
        await part.listed.wait()
    running.cancel()
