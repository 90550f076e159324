"""Writes that can wait begin when there is room, one after the other, and after some seconds in any case."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

from saga_operator.engine.records.write_room import AT_ONCE, GATHER, QUIET, WriteRoom
from tests.unit.engine.network import simulated

IDLE, LOADED = 0.005, 0.05
"""Seconds that a write takes when nothing else is to be done, and while much else is."""
PATIENCE = 10.0
"""Seconds for which a write waits at the most."""


class Server:
    """An API server that answers after `seconds`; what begins at which time (in seconds) is noted."""

    def __init__(self) -> None:
        self.room = WriteRoom()
        self.seconds = IDLE
        self.begun: list[float] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def write(self) -> None:
        """A write that can't wait."""
        self.room.sent()
        await asyncio.sleep(self.seconds)
        self.room.ended(self.seconds)

    async def load(self, until: float) -> None:
        """Others write all the time."""
        self.seconds = LOADED
        while now() < until:
            await self.write()
        self.seconds = IDLE

    def ask(self) -> int:
        def begin(ended: Callable[[], None]) -> None:
            self.begun.append(now())
            self.tasks.append(asyncio.create_task(self.write()))
            self.tasks[-1].add_done_callback(lambda _: ended())

        return self.room.ask(begin)


def now() -> float:
    return asyncio.get_running_loop().time()


def story(told: Callable[[Server], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        server = Server()
        await server.write()
        await server.write()
        await asyncio.sleep(1.0)
        await told(server)

    simulated(run())


def test_what_can_wait_is_written_within_a_quarter_of_a_second_while_nothing_else_is() -> None:
    async def told(server: Server) -> None:
        for _ in range(10):
            asked = now()
            server.ask()
            await asyncio.sleep(0.25)
            assert GATHER <= server.begun[-1] - asked <= GATHER + QUIET

    story(told)


def test_it_gives_way_while_writes_take_longer_than_they_could() -> None:
    async def told(server: Server) -> None:
        others = asyncio.create_task(server.load(until=now() + 5.0))
        await asyncio.sleep(1.0)
        server.ask()
        await others
        assert not server.begun
        await asyncio.sleep(0.25)
        assert len(server.begun) == 1

    story(told)


def test_it_is_written_after_some_seconds_whatever_the_load() -> None:
    async def told(server: Server) -> None:
        others = asyncio.create_task(server.load(until=now() + 2 * PATIENCE))
        await asyncio.sleep(1.0)
        asked = now()
        server.ask()
        await others
        assert PATIENCE <= server.begun[0] - asked <= PATIENCE + LOADED

    story(told)


def test_in_a_quiet_moment_one_write_finds_out_whether_there_is_room_for_more() -> None:
    async def told(server: Server) -> None:
        server.seconds = LOADED  # by others: the order service creates resources, the services need the machine
        for _ in range(64):
            server.ask()
        await asyncio.sleep(GATHER + 1.5 * LOADED)
        before = len(server.begun)
        await asyncio.sleep(5.0)
        assert before <= AT_ONCE, "the room was open when these began"
        assert 2 <= len(server.begun) - before <= 5, "one or two seconds lie between two, and each is alone"
        assert all(later - earlier > 1.0 for earlier, later in pairwise(server.begun[before:]))
        server.seconds = IDLE
        await asyncio.sleep(5.0)
        assert len(server.begun) == 64

    story(told)


def test_only_some_are_in_flight_together_even_if_they_have_waited_for_long() -> None:
    async def told(server: Server) -> None:
        others = asyncio.create_task(server.load(until=now() + PATIENCE + 0.5))
        for _ in range(20):
            server.ask()
        await others
        first = [at for at in server.begun if at == server.begun[0]]
        assert len(first) == AT_ONCE
        await asyncio.sleep(2.0)
        assert len(server.begun) == 20

    story(told)


def test_one_that_is_withdrawn_does_not_begin() -> None:
    async def told(server: Server) -> None:
        server.room.withdraw(server.ask())
        kept = now()
        server.ask()
        await asyncio.sleep(1.0)
        assert server.begun == [kept + GATHER]

    story(told)


def test_writes_that_the_api_server_does_not_do_are_in_nobodys_way() -> None:
    async def told(server: Server) -> None:
        for _ in range(2 * AT_ONCE):
            server.room.sent()
            server.room.ended(None)
        server.ask()
        await asyncio.sleep(0.25)
        assert len(server.begun) == 1

    story(told)
