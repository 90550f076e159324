"""Clients that don't read their answers, or not fast enough, over real connections to a service as it is shipped."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import APIRouter, Response

from common.settings import ServiceSettings
from common.web.app import create_app
from tests.contract.answers.test_placing_with_other_services import listening

ANSWER = 12 * 1024 * 1024
"""Bytes: more than the kernels at both ends keep."""
PATIENCE = 30.0
"""Seconds after which a test gives a service up; it looks every second here."""
GET = b"GET /answer HTTP/1.1\r\nHost: x\r\n\r\n"

router = APIRouter()


@router.get("/answer")
async def answer() -> Response:
    return Response(b"x" * ANSWER)


@router.get("/pieces")
async def pieces() -> Response:
    return Response(b"x" * 20_000)


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    settings = ServiceSettings(mongodb_url="mongodb://127.0.0.1:1/", request_timeout_seconds=1.0, log_level="ERROR")
    async with listening(create_app("thing", "Things.", routers=[router], settings=settings)) as url:
        yield int(url.rsplit(":", 1)[1])


@pytest.fixture
def client(port: int) -> Iterator[socket.socket]:
    """A connection whose kernel takes little."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        yield client


async def is_reset(client: socket.socket, *, reads: int = 0) -> bool:
    """Whether the service resets the connection in time, while up to so many bytes are read twenty times a second."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                await asyncio.sleep(0.05)
                try:
                    if reads and client.recv(reads) == b"":
                        return False
                except BlockingIOError:
                    continue
                except ConnectionError:
                    return True
            return True
    return False


async def test_an_answer_that_nobody_reads_is_given_up(client: socket.socket) -> None:
    client.send(GET)
    assert await is_reset(client)


@pytest.mark.parametrize("octets", [1, 200])
async def test_an_answer_that_is_read_a_few_bytes_at_a_time_is_given_up(client: socket.socket, octets: int) -> None:
    client.send(GET)
    assert await is_reset(client, reads=octets)


async def test_many_small_answers_that_nobody_reads_are_given_up(client: socket.socket) -> None:
    """A row of requests on one connection, none of whose answers is taken."""
    client.setblocking(True)
    client.send(b"GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
    client.setblocking(False)
    assert await is_reset(client)


async def test_whoever_reads_slowly_but_steadily_gets_the_whole_answer(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    async with asyncio.timeout(4 * PATIENCE):
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        left = ANSWER
        while left:
            left -= len(await reader.read(256 * 1024))
            await asyncio.sleep(0.005)
        # and the connection is good for another one, whose answer comes late in the window of the first
        await asyncio.sleep(0.7)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        await reader.readexactly(ANSWER)
    writer.close()
