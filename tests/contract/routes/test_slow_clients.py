"""Clients that drip, lie about a length or never end, over real connections to a service as it is shipped."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from common.settings import ServiceSettings
from services.payment.main import build
from tests.contract.answers.test_placing_with_other_services import listening

HEAD = (
    b"POST /api/payments/refund HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Idempotency-Key: shop/o-1/payment/undo\r\n"
)
PATIENCE = 60.0
"""Seconds after which a test gives a service up. The services' own bounds here are one or two; a machine that other
work holds up for twenty proves nothing.
"""
SOON = 10.0
"""Seconds in which a connection that doesn't get on has to be closed, and what is too large refused."""


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    """A payment service without its database, which no test here gets as far as asking."""
    settings = ServiceSettings(
        mongodb_url="mongodb://127.0.0.1:1/",
        mongodb_timeout_ms=100,
        request_timeout_seconds=1.0,
        max_body_bytes=10_000,
        log_level="ERROR",
    )
    async with listening(build(settings)) as url:
        yield int(url.rsplit(":", 1)[1])


async def has_ended(reader: asyncio.StreamReader) -> bool:
    """Whether the next thing that comes is the end, which is a hard one if something was still on its way."""
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True


async def answered(port: int, *parts: bytes, drip: bytes = b"") -> tuple[int, dict[str, object] | None, bool]:
    """Status, problem, and whether the service closed the connection, while `drip` is sent again and again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def dripping() -> None:
        while drip:
            writer.write(drip)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with asyncio.timeout(PATIENCE):
        for part in parts:
            writer.write(part)
        await writer.drain()
        task = asyncio.create_task(dripping())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
            body = await reader.readexactly(length)
            closed = b"\r\nconnection: close" in head.lower() and await has_ended(reader)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            writer.close()
    problem = json.loads(body) if b"application/problem+json" in head else None
    return int(head.split()[1]), problem, closed


@pytest.mark.parametrize("length", [b"Content-Length: 5000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_a_body_that_drips_is_given_up_and_its_connection_closed(port: int, length: bytes) -> None:
    drip = b" " if b"Length" in length else b"1\r\n \r\n"
    status, problem, closed = await answered(port, HEAD + length, drip=drip)
    assert (status, problem and problem["code"], closed) == (408, "request_timeout", True)


async def test_a_body_without_an_end_is_too_large_before_it_is_in_memory(port: int) -> None:
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    status, problem, _ = await answered(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", drip=chunk * 4)
    assert (status, problem and problem["code"]) == (413, "too_large")


async def test_an_announced_gigabyte_is_refused_at_once(port: int) -> None:
    began = time.monotonic()
    status, problem, _ = await answered(port, HEAD + b"Content-Length: 1000000000\r\n\r\n")
    assert (status, problem and problem["code"]) == (413, "too_large")
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(100_000)) + b"\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ],
    ids=["negative", "two lengths", "digits", "long header", "many headers", "long path", "tls"],
)
async def test_a_head_that_is_none_is_refused_and_ends_the_connection(port: int, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        try:
            writer.write(head)
            answer = await reader.read(1000)
            ended = await reader.read() is not None
        except ConnectionError:  # closed while the rest of the head was on its way
            answer, ended = b"HTTP/1.1 400", True
        writer.close()
    assert answer.startswith(b"HTTP/1.1 4")
    assert ended


async def seconds_until_closed(port: int, *begun: bytes, drip: bytes = b"") -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        for part in begun:
            writer.write(part)
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            writer.write(drip)
            await asyncio.wait({reading}, timeout=0.05)
        await asyncio.gather(reading, return_exceptions=True)
    writer.close()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("begun", "drip"),
    [
        (b"", b""),
        (b"GET /health HTTP/1.1\r\n", b"a"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", b"a"),
        (HEAD + b"Content-Length: 20000\r\n\r\n", b" "),
    ],
    ids=["nothing", "a head that drips", "a second head that drips", "a body that drips on after its 413"],
)
async def test_a_request_that_is_begun_and_never_ends_does_not_keep_its_connection(
    port: int, begun: bytes, drip: bytes
) -> None:
    assert await seconds_until_closed(port, begun, drip=drip) < SOON


async def test_a_connection_that_waits_for_its_next_request_stays(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}")
            await asyncio.sleep(1.5)
    writer.close()


async def test_the_service_answers_others_meanwhile(port: int) -> None:
    slow = [asyncio.create_task(answered(port, HEAD + b"Content-Length: 9\r\n\r\n", drip=b" ")) for _ in range(50)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 200 OK" in await reader.read()
    writer.close()
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
