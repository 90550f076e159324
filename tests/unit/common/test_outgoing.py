"""When an answer counts as not taken: on a clock that jumps, with a client that takes what a test says."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from common.web.outgoing import MOST_UNSENT, SLOWEST, Outgoing
from tests.unit.engine.network import simulated, stand_still

SECONDS = 5.0
LARGE = 1_000_000


class Client:
    """A transport whose other end takes bytes when it is told to. It keeps nothing but their number."""

    def __init__(self) -> None:
        self.unsent = 0
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        if self.is_aborted:
            raise RuntimeError("the handler is closed")  # as uvloop
        self.unsent += len(data)

    def take(self, number: float) -> None:
        self.unsent -= int(min(number, self.unsent))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def get_extra_info(self, _: str) -> Any:
        return self

    def setsockopt(self, *_: Any) -> None:
        raise OSError("this system has no such option")

    def abort(self) -> None:
        self.is_aborted = True


made: list[Outgoing] = []


def outgoing(client: Client) -> Outgoing:
    made.append(Outgoing(client, SECONDS))  # type: ignore[arg-type]
    return made[-1]


@pytest.fixture(autouse=True)
def all_end() -> Iterator[None]:
    yield
    while made:
        made.pop().ended()


@pytest.mark.parametrize(("rate", "aborted"), [(0, True), (1, True), (0.9 * SLOWEST, True), (1.5 * SLOWEST, False)])
def test_a_client_has_to_take_so_many_bytes_a_second(rate: float, aborted: bool) -> None:
    async def story() -> None:
        client = Client()
        outgoing(client).write(b"x" * LARGE)
        for _ in range(60):
            await asyncio.sleep(1)
            client.take(rate)
        assert client.is_aborted is aborted

    simulated(story())


def test_a_client_that_stops_in_the_middle_is_given_up() -> None:
    async def story() -> None:
        client = Client()
        transport = outgoing(client)
        transport.write(b"x" * LARGE)
        for _ in range(20):
            await asyncio.sleep(1)
            client.take(2 * SLOWEST)
        assert not client.is_aborted
        await asyncio.sleep(2 * SECONDS + 1)
        assert client.is_aborted
        transport.write(b"the rest of an answer that is being made")

    simulated(story())


def test_its_time_begins_with_what_is_not_sent_yet_not_with_an_answer_before() -> None:
    async def story() -> None:
        client = Client()
        transport = outgoing(client)
        transport.write(b"x")
        client.take(1)
        await asyncio.sleep(SECONDS - 0.1)
        transport.write(b"x" * LARGE)
        await asyncio.sleep(SECONDS - 0.2)
        assert not client.is_aborted
        await asyncio.sleep(0.3)
        assert client.is_aborted

    simulated(story())


def test_an_answer_that_was_taken_leaves_nothing_to_look_at() -> None:
    async def story() -> None:
        client = Client()
        outgoing(client).write(b"x" * LARGE)
        client.take(LARGE)
        await asyncio.sleep(100 * SECONDS)
        assert not client.is_aborted

    simulated(story())


def test_many_who_do_not_read_fill_no_memory_and_cost_nobody_who_does() -> None:
    async def story() -> None:
        reader, others = Client(), [Client() for _ in range(100)]
        outgoing(reader).write(b"x" * LARGE)
        reader.take(LARGE)
        for client in others:
            await asyncio.sleep(0.001)
            outgoing(client).write(b"x" * LARGE)
            assert sum(each.unsent for each in others if not each.is_aborted) <= MOST_UNSENT
        aborted = [client.is_aborted for client in others]
        assert aborted == sorted(aborted, reverse=True), "those first that have had the most time"
        assert not others[-1].is_aborted
        assert not reader.is_aborted

    simulated(story())


def test_of_a_connection_that_has_ended_nothing_is_expected() -> None:
    async def story() -> None:
        client = Client()
        transport = outgoing(client)
        transport.write(b"x" * LARGE)
        transport.ended()
        await asyncio.sleep(100 * SECONDS)
        assert not client.is_aborted

    simulated(story())


def test_a_process_that_stood_still_gives_up_nobody_for_it() -> None:
    """As after SIGCONT: the look is due before the kernel has been asked to take more."""

    async def story() -> None:
        client = Client()
        outgoing(client).write(b"x" * LARGE)
        stand_still(60)
        await asyncio.sleep(1)
        client.take(2 * SLOWEST * SECONDS)
        await asyncio.sleep(SECONDS)
        assert not client.is_aborted
        await asyncio.sleep(2 * SECONDS)
        assert client.is_aborted

    simulated(story())
