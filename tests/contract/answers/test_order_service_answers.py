"""What the order service's answer may be, as the other services see it: anything, from anybody in its place."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from common.errors import Unavailable
from common.shop.orders import Orders

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CONFIRMED = b'{"order_id":"o-1","status":"CONFIRMED"}'


class Peer:
    """Answers every request with these bytes, and then with more of them if there is no end."""

    def __init__(self, answer: bytes, more: bytes = b"") -> None:
        self.answer, self.more = answer, more
        self.sent = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
            while self.more and not writer.is_closing():
                writer.write(self.more)
                self.sent += len(self.more)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def asking(peer: Peer) -> AsyncIterator[Orders]:
    async with await asyncio.start_server(peer.talk, "127.0.0.1", 0) as server:
        orders = Orders(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield orders
        finally:
            await orders.aclose()


async def test_an_order_s_status_is_what_the_order_service_says() -> None:
    async with asking(Peer(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(CONFIRMED), CONFIRMED))) as orders:
        assert await orders.status_of("o-1") == "CONFIRMED"


async def test_an_answer_without_an_end_is_none_and_is_not_read_on() -> None:
    peer = Peer(HEAD + b"Content-Length: 9999999999\r\n\r\n", b" " * 65_536)
    async with asking(peer) as orders:
        with pytest.raises(Unavailable):
            await orders.status_of("o-1")
    assert peer.sent < 32 * 2**20


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_whoever_is_not_let_in_knows_nothing_of_the_order(status: bytes) -> None:
    """Not even that there is none: a tool that cleans up would delete what an order needs."""
    body = b'{"code":"not_allowed","status":"DELIVERED","detail":"not for you"}'
    async with asking(Peer(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))) as orders:
        with pytest.raises(Unavailable):
            await orders.status_of("o-1")


PACKED = gzip.compress(CONFIRMED)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nrot!",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
        b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2\r\n\r\n[]",
        HEAD + b"Content-Length: 4\r\n\r\n\xff\xfe{}",
        b"nonsense\r\n\r\n",
    ],
)
async def test_an_answer_that_can_not_be_read_is_none(answer: bytes) -> None:
    async with asking(Peer(answer)) as orders:
        with pytest.raises(Unavailable):
            await orders.status_of("o-1")
